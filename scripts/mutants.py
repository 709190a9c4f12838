"""Flip signs, change powers and drop normalisers in the drift files, one at a time, and see which changes no test notices.

    python scripts/mutants.py                 # every drift and the mathematics they share
    python scripts/mutants.py kl kernels      # only these

A mutant survives when the tests of its file (tests/drifts/test_<name>.py, or those in SHARED) still pass with it. They run
quickest first and stop at the first that fails. Lines that only report (`info`, `tags`) are left alone; a line may be
exempted with the comment `# no mutants: <reason>`.
"""

import argparse
import ast
import copy
import functools
import importlib
import importlib.util
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.abc import Loader, MetaPathFinder
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_ALONE = {"tags", "init", "__check_init__", "__init__"}
SHARED = {
    "kernels": ["test_log_kernels", "drifts/test_sharp", "drifts/test_mmd", "drifts/test_kernel_score"],
    "slicing": ["drifts/test_sliced_mmd", "drifts/test_sliced_wasserstein"],
    "drifts/affinity": [
        f"drifts/test_{name}" for name in ("deng", "deng_released", "sinkhorn_proxy", "sinkhorn_steps", "wflow")
    ],
    "drifts/parzen": [f"drifts/test_{name}" for name in ("kernel_score", "blob", "f_divergence", "sharp")],
    "drifts/witness": [f"drifts/test_{name}" for name in ("mmd", "drmmd", "kale")],
}
"""Modules that several drifts live on, and the tests that must notice a change of them."""


class Site(ast.NodeVisitor):
    """Walks one file and lists the places where the mathematics can be changed."""

    def __init__(self, lines: list[str]):
        self.lines, self.found = lines, []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name not in LEFT_ALONE:
            for statement in node.body:
                self.visit(statement)

    def visit_Dict(self, node: ast.Dict) -> None:
        if "v_rms" not in ast.unparse(node):  # info
            self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> None:
        line = getattr(node, "lineno", None)
        exempt = line is not None and "no mutants" in self.lines[line - 1]
        if not exempt:
            self.found += [(node, change) for change in changes_of(node)]
            super().generic_visit(node)


def changes_of(node: ast.AST) -> list[str]:
    """What can be done to a node."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        return ["sign flipped"]
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "jnp.sqrt":
        return ["root dropped"]
    if not isinstance(node, ast.BinOp):
        return []
    if isinstance(node.op, ast.Div):
        return ["normaliser dropped"]
    if isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant | ast.UnaryOp):
        return ["power changed"]
    sizes = "shape" in ast.unparse(node)
    if isinstance(node.op, ast.Add | ast.Sub) and not sizes:
        return ["sign flipped"]
    if isinstance(node.op, ast.Mult) and not sizes:
        return ["factor dropped"]
    return []


def mutated(tree: ast.Module, index: int, lines: list[str]) -> tuple[ast.Module, str]:
    """A copy of the file with its `index`-th change made, and what was done."""
    tree = copy.deepcopy(tree)
    finder = Site(lines)
    finder.visit(tree)
    node, change = finder.found[index]
    before, where = ast.unparse(node), node.lineno
    if isinstance(node, ast.UnaryOp):
        replacement = node.operand
    elif change == "root dropped":
        replacement = node.args[0]
    elif change == "sign flipped":
        node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        replacement = node
    elif change == "power changed":
        node.right = ast.BinOp(node.right, ast.Add(), ast.Constant(1))
        replacement = node
    else:
        replacement = node.left
    if replacement is not node:
        Swap(node, replacement).visit(tree)
    return ast.fix_missing_locations(tree), f"line {where}: {change} in `{before}`"


class Swap(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST):
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def sites(source: str) -> int:
    """How many changes a file offers."""
    finder = Site(source.splitlines())
    finder.visit(ast.parse(source))
    return len(finder.found)


def survives(module: Path, tests: list[str], cpu_seconds: int, index: int) -> str | None:
    """Run the tests against one mutant in a process of its own; what was changed if they all pass."""
    source = module.read_text()
    tree, what = mutated(ast.parse(source), index, source.splitlines())
    return what if run(module, ast.unparse(tree), tests, cpu_seconds)[0] == 0 else None


def run(module: Path, source: str, tests: list[str], cpu_seconds: int) -> tuple[int, dict[str, float]]:
    """Exit code of `tests` with `module` made of `source`, in a process of its own, and the seconds that each test took."""
    with tempfile.NamedTemporaryFile("r") as report:
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))  # a mutant may never converge
            try:
                os._exit(_run_child(module, source, tests, Path(report.name)))
            finally:
                os._exit(3)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        return code, json.loads(report.read() or "{}")


def _run_child(module: Path, source: str, tests: list[str], report: Path) -> int:
    name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
    log = os.open(os.devnull, os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.path.insert(0, str(ROOT))
    import pytest

    importlib.import_module("tests.conftest")  # its import hook puts itself first; the mutant goes before it
    sys.meta_path.insert(0, _Loader(name, module, source))
    watch = _Stopwatch()
    options = ["-x", "-q", "-p", "no:cacheprovider", "--assert=plain", "--rootdir", str(ROOT)]
    code = pytest.main([*tests, *options], plugins=[watch])
    report.write_text(json.dumps(watch.seconds))
    met = isinstance(getattr(sys.modules.get(name), "__loader__", None), _Loader)
    return int(code) if met else 4  # tests that never import the mutant say nothing


class _Stopwatch:
    """Seconds of every test, by its id."""

    def __init__(self):
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration


class _Loader(MetaPathFinder, Loader):
    """Imports one module from changed source."""

    def __init__(self, name: str, path: Path, source: str):
        self.name, self.path, self.source = name, path, source

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self, origin=str(self.path)) if name == self.name else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(self.source, str(self.path), "exec"), module.__dict__)


def jobs(names: list[str]) -> Iterator[tuple[Path, list[str]]]:
    """Files with their tests."""
    own = {
        f"drifts/{file.stem.removeprefix('test_')}": [f"drifts/{file.stem}"]
        for file in ROOT.glob("tests/drifts/test_*.py")
    }
    for name, tests in sorted((own | SHARED).items()):
        module = ROOT / "gmdwgf" / f"{name}.py"
        if module.is_file() and (not names or module.stem in names):
            yield module, [f"tests/{test}.py" for test in tests]


def main() -> int:
    """Report every mutant that survives; the exit code says whether there was one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="files of mathematics, without .py (default: all)")
    names = parser.parse_args().names
    os.chdir(ROOT)
    for name, value in {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": "1",
        "JAX_COMPILATION_CACHE_DIR": str(Path(tempfile.gettempdir()) / "gmdwgf-mutants-xla"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }.items():
        os.environ.setdefault(name, value)
    # Forked children share these imports; no device is touched before the fork.
    import hydra, optax, ott.solvers.linear.sinkhorn, pytest  # noqa: E401, F401, I001

    total = surviving = 0
    for module, tests in jobs(names):
        n, start = sites(module.read_text()), time.monotonic()
        if not n:
            continue
        code, seconds = run(module, module.read_text(), tests, 3600)
        if code:
            sys.exit(f"{' '.join(tests)} fail without any change of {module.stem}.py")
        order, limit = sorted(seconds, key=seconds.__getitem__), 60 + int(5 * sum(seconds.values()))
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            alive = [what for what in pool.map(functools.partial(survives, module, order, limit), range(n)) if what]
        total, surviving = total + n, surviving + len(alive)
        print(f"{module.stem}: {n} mutants, {len(alive)} survive ({time.monotonic() - start:.0f} s)", flush=True)
        for what in alive:
            print(f"    {what}", flush=True)
    print(f"{total} mutants, {surviving} survive")
    return 1 if surviving else 0


if __name__ == "__main__":
    sys.exit(main())
