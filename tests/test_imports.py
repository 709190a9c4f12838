"""Who may import whom, and what importing may not do."""

import ast
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

MODULES = sorted((ROOT / "gmdwgf").rglob("*.py"))
SHARED = {"typing", "hyperparameters", "files", "reading", "data_files", "exports"}
ALLOWED = {
    "typing": set(),
    "hyperparameters": set(),
    "files": set(),
    "reading": {"files"},
    "data_files": {"reading"},
    "exports": set(),
    "kernels": SHARED,
    "pairwise": SHARED | {"kernels"},
    "transport": SHARED | {"kernels", "pairwise", "transport"},
    "networks": SHARED | {"networks"},
    "optimizers": SHARED,
    "schedules": SHARED,
    "slicing": SHARED | {"pairwise"},
    "drifts": SHARED | {"kernels", "pairwise", "transport", "networks", "optimizers", "slicing", "drifts"},
    "features": SHARED | {"features"},
    "targets": SHARED | {"kernels", "features", "targets"},
    "generators": SHARED | {"networks", "generators"},
    "metrics": SHARED | {"kernels", "pairwise", "transport", "slicing", "metrics"},
    "training": SHARED
    | {
        "optimizers",
        "pairwise",
        "schedules",
        "drifts",
        "targets",
        "generators",
        "features",
        "metrics",
        "training",
        "tracking",
        "sweeps.folder",
    },
    "tracking": SHARED | {"tracking"},
}
HYDRA_ROOMS = {"train", "complaints", "configuration", "composition", "components", "sweeps"}


def room_of(path):
    return path.relative_to(ROOT / "gmdwgf").parts[0].removesuffix(".py")


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "gmdwgf" else [node.module]
            )
        elif isinstance(node, ast.Import):
            yield from [alias.name for alias in node.names]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_only_what_the_design_allows(path):
    room = room_of(path)
    for name in imports_of(path):
        top, _, inner = name.partition(".")
        if top in ("hydra", "omegaconf"):
            assert room in HYDRA_ROOMS | {"public"}, f"{room} must not know Hydra"
        if top == "wandb":
            assert path.name == "wandb.py"
        if top == "ott":
            assert path.name == "by_ott.py"
        if top == "gmdwgf" and room in ALLOWED:
            allowed = ALLOWED[room]
            assert inner.split(".")[0] in allowed or inner in allowed, f"{room} must not import gmdwgf.{inner}"


def test_importing_everything_touches_no_device_and_prints_nothing():
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in MODULES]
    code = "import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in names)
    environment = os.environ | {"JAX_PLATFORMS": "no_such_platform"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_help_does_not_wait_for_jax():
    code = "import sys; import gmdwgf.train; assert 'jax' not in sys.modules, 'jax'; assert 'wandb' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
