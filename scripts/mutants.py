"""Flip signs, change powers and drop normalisers in the drift files, one at a time, and see which changes no test notices.

    python scripts/mutants.py                 # every drift, about an hour on 2 cores
    python scripts/mutants.py kl mmd          # only these

A mutant survives when the drift's own tests (tests/drifts/test_<name>.py) still pass with it. Lines that only report
(`info`, `tags`) are left alone; a line may be exempted with the comment `# no mutants: <reason>`.
"""

import argparse
import ast
import copy
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_ALONE = {"tags", "init", "__check_init__", "__init__"}


class Site(ast.NodeVisitor):
    """Walks one file and lists the places where the mathematics can be changed."""

    def __init__(self, lines: list[str]):
        self.lines, self.found = lines, []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name not in LEFT_ALONE:
            for statement in node.body:
                self.visit(statement)

    def visit_Dict(self, node: ast.Dict) -> None:
        pass  # info

    def generic_visit(self, node: ast.AST) -> None:
        exempt = "no mutants" in self.lines[node.lineno - 1] if hasattr(node, "lineno") else False
        if not exempt:
            self.found += [(node, change) for change in changes_of(node)]
            super().generic_visit(node)


def changes_of(node: ast.AST) -> list[str]:
    """What can be done to a node."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        return ["sign flipped"]
    if not isinstance(node, ast.BinOp):
        return []
    shapes = "shape" in ast.unparse(node)
    if isinstance(node.op, ast.Add | ast.Sub) and not shapes:
        return ["sign flipped"]
    if isinstance(node.op, ast.Div) and not shapes:
        return ["normaliser dropped"]
    if isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant):
        return ["power changed"]
    if isinstance(node.op, ast.Mult) and not shapes:
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
    elif change == "sign flipped":
        node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        replacement = node
    elif change == "power changed":
        node.right = ast.Constant(node.right.value + 1)
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


def survives(module: Path, tests: Path, index: int) -> str | None:
    """Run the tests against one mutant in a process of its own; what was changed if they all pass."""
    source = module.read_text()
    tree, what = mutated(ast.parse(source), index, source.splitlines())
    child = os.fork()
    if child == 0:
        os._exit(_run_child(module, tests, ast.unparse(tree)))
    _, status = os.waitpid(child, 0)
    return what if os.waitstatus_to_exitcode(status) == 0 else None


def _run_child(module: Path, tests: Path, source: str) -> int:
    name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
    log = os.open(os.devnull, os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.meta_path.insert(0, _Loader(name, module, source))
    import pytest

    return int(pytest.main([str(tests), "-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]))


class _Loader:
    """Imports one module from changed source."""

    def __init__(self, name: str, path: Path, source: str):
        self.name, self.path, self.source = name, path, source

    def find_spec(self, name, path=None, target=None):
        import importlib.util

        return importlib.util.spec_from_loader(name, self, origin=str(self.path)) if name == self.name else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(self.source, str(self.path), "exec"), module.__dict__)


def jobs(names: list[str]) -> Iterator[tuple[Path, Path]]:
    """Drift files with their tests."""
    for tests in sorted((ROOT / "tests" / "drifts").glob("test_*.py")):
        name = tests.stem.removeprefix("test_")
        module = ROOT / "gmdwgf" / "drifts" / f"{name}.py"
        if module.is_file() and (not names or name in names):
            yield module, tests


def main() -> int:
    """Report every mutant that survives; the exit code says whether there was one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="drift files, without .py (default: all)")
    names = parser.parse_args().names
    os.chdir(ROOT)
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(tempfile.gettempdir()) / "gmdwgf-mutants-xla"))
    # Forked children share these imports; no device is touched before the fork.
    import hydra  # noqa: E401, F401

    total = surviving = 0
    for module, tests in jobs(names):
        n = sites(module.read_text())
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            outcomes = list(pool.map(survives, [module] * n, [tests] * n, range(n)))
        alive = [what for what in outcomes if what]
        total, surviving = total + n, surviving + len(alive)
        print(f"{module.stem}: {n} mutants, {len(alive)} survive", flush=True)
        for what in alive:
            print(f"    {what}", flush=True)
    print(f"{total} mutants, {surviving} survive")
    return 1 if surviving else 0


if __name__ == "__main__":
    sys.exit(main())
