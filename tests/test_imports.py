"""Who may import whom, and what importing may not do."""

import ast
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "gmdwgf"
MODULES = sorted(PACKAGE.rglob("*.py"))
LEVELS = (
    {"typing", "files", "exports", "mappings", "view", "bibliography"},
    {"reading"},
    {"config"},
    {"pairs"},
    {"manifolds"},
    {"optim"},
    {"networks", "transport"},
    {"data"},
    {"features"},
    {"targets", "generators", "metrics", "tracking", "plots"},
    {"drifts"},
    {"testing"},
    {"training"},
    {"runs"},
    {"engine"},
    {"launch"},
    {"analysis"},
    {"reports"},
    {"commands"},
)
"""Rooms from the ground up: a room imports from itself and from lower levels only."""
COMMANDS = {"__init__", "train", "report", "encode", "runs.__main__"}
ONLY = {"hydra": {"config", "launch", "commands"}, "omegaconf": {"config", "launch", "analysis", "commands"}}
"""Libraries that only some rooms know."""
HOMES = {"wandb": {"tracking/wandb.py"}, "ott": {"transport/ott.py"}, "orbax": {"engine/checkpoints.py"}}
"""Libraries that one file knows."""
WITHOUT_JAX = ("runs", "analysis", "reports")
"""Rooms that are imported without starting JAX."""


def name_of(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


NAMES = {name_of(path).removesuffix(".__init__") for path in MODULES}


def room_of(name):
    return "commands" if name in COMMANDS else name.partition(".")[0]


LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}


def imports_of(path):
    """Every module that a file imports, inside of functions and for type checkers too, with its line."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            inner = (node.module or "").removeprefix("gmdwgf").removeprefix(".")
            for alias in node.names:
                full = f"{inner}.{alias.name}".removeprefix(".")
                is_ours = (node.module or "").partition(".")[0] == "gmdwgf"
                yield node.lineno, f"gmdwgf.{full if full in NAMES else inner}" if is_ours else str(node.module)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)


def test_every_room_has_its_level():
    assert {room_of(name_of(path)) for path in MODULES} == set(LEVEL)


@pytest.mark.thorough
@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_arrows_go_down(path):
    room = room_of(name_of(path))
    wrong = []
    for line, name in imports_of(path):
        top, _, inner = name.partition(".")
        if top == "gmdwgf" and (to := room_of(inner or "__init__")) != room and LEVEL[to] >= LEVEL[room]:
            wrong.append(f"{path.name}:{line}: {room} must not import {name}")
        if room not in ONLY.get(top, {room}) or path.relative_to(PACKAGE).as_posix() not in HOMES.get(
            top, {path.relative_to(PACKAGE).as_posix()}
        ):
            wrong.append(f"{path.name}:{line}: must not know {top}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.thorough
def test_no_circle_within_a_room():
    """Modules of a room that import each other, also inside of functions."""
    edges = {
        name_of(path): ({name.removeprefix("gmdwgf.") for _, name in imports_of(path)} & NAMES) - {name_of(path)}
        for path in MODULES
    }
    state: dict[str, int] = {}

    def visit(name, trail):
        if state.get(name) == 1:
            pytest.fail(" -> ".join([*trail[trail.index(name) :], name]))
        if state.get(name) is None:
            state[name] = 1
            for to in sorted(edges.get(name, ())):
                visit(to, [*trail, name])
            state[name] = 2

    for name in sorted(edges):
        visit(name, [])


@pytest.mark.thorough
@pytest.mark.parametrize("room", WITHOUT_JAX)
def test_a_room_of_files_and_tables_starts_without_jax(room):
    names = [f"gmdwgf.{name_of(path)}".removesuffix(".__init__") for path in MODULES if room_of(name_of(path)) == room]
    code = "import importlib, sys\n" + "\n".join(f"importlib.import_module({name!r})" for name in names)
    done = subprocess.run(
        [sys.executable, "-c", code + "\nassert 'jax' not in sys.modules"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_importing_everything_touches_no_device_and_prints_nothing():
    names = [f"gmdwgf.{name_of(path)}".removesuffix(".__init__") for path in MODULES]
    code = "import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in names)
    environment = os.environ | {"JAX_PLATFORMS": "no_such_platform"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_help_does_not_wait_for_jax():
    code = "import sys; import gmdwgf.train; assert 'jax' not in sys.modules, 'jax'; assert 'wandb' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
