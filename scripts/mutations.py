"""The changes that `mutants.py` makes to a file, one at a time: formulas, steps, masks, random keys and arguments.

| kind | change |
|---|---|
| formula | sign flipped, factor or normaliser or term dropped, power raised, root dropped, mean <-> sum, least <-> largest |
| off by one | `n - 1` -> `n`, `<` <-> `<=`, `>` <-> `>=`, `ddof=1` <-> `ddof=0` |
| random | one key for two purposes, one key for a whole batch, `fold_in` dropped, with <-> without replacement |
| arguments | two of them swapped, the branches of `where` swapped, a flag turned, a number of an Optax rule left out |
| training | `stop_gradient` dropped, norm clipped element by element, masks `&` <-> `|`, `~` dropped |

Left alone are arguments that are checked (`if ...: raise`), messages, `info`, `tags`, and lines with `# no mutants: <reason>`;
`# no mutants (sign flipped, off by one): <reason>` leaves out these kinds alone.
"""

import ast
import copy
import re
from collections.abc import Iterator

LEFT_ALONE = {"tags", "init", "__check_init__", "__repr__"}
"""Functions that are not changed."""
EXEMPT = re.compile(r"#.*\bno mutants\b(?: \((.*?)\))?:?\s*(.*)")
"""A comment, behind a line or above it, with the kinds that are left out, all of them where none is named, and the reason."""
RENAMED = {
    "jnp.mean": "jnp.sum",
    "jnp.sum": "jnp.mean",
    "jnp.minimum": "jnp.maximum",
    "jnp.maximum": "jnp.minimum",
    "jnp.min": "jnp.max",
    "jnp.max": "jnp.min",
    "jnp.argmin": "jnp.argmax",
    "jnp.argmax": "jnp.argmin",
    "min": "max",
    "max": "min",
    "optax.clip_by_global_norm": "optax.clip",
}
DROPPED = {
    "jnp.sqrt": "root dropped",
    "jax.lax.stop_gradient": "gradient goes through",
    "jax.random.fold_in": "not folded",
}
"""Calls that give their first argument instead."""
ORDER = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
SYMMETRIC = {
    "zip",
    "isinstance",
    "hasattr",
    "getattr",
    "jnp.minimum",
    "jnp.maximum",
    "jnp.logaddexp",
    "min",
    "max",
    "range",
}

TYPES = re.compile(r"[A-Z]|(int|float|str|list|tuple|dict)\b")
"""What a union of types begins with; other `|` and `&` are of masks."""

Change = tuple[str, ast.AST]
"""What is done, and what stands there afterwards."""


class Sites(ast.NodeVisitor):
    """Walks one file and lists the places where it can be changed."""

    def __init__(self, lines: list[str]):
        self.lines, self.found = lines, list[tuple[ast.AST, str, ast.AST]]()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name not in LEFT_ALONE:
            self._visit_all(node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_all(
            [statement for statement in node.body if not isinstance(statement, ast.AnnAssign)]
        )  # not fields

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        del node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        del node

    def visit_If(self, node: ast.If) -> None:
        if not isinstance(node.body[-1], ast.Raise):
            self.generic_visit(node)
        else:
            self._visit_all(node.orelse)

    def visit_Dict(self, node: ast.Dict) -> None:
        if "v_rms" not in ast.unparse(node):  # info
            self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> None:
        exempt = exemption(self.lines, getattr(node, "lineno", 1))
        if exempt and not exempt[1]:
            return
        left_out = exempt[1].split(", ") if exempt else []
        self.found += [(node, what, new) for what, new in changes_of(node) if what not in left_out]
        super().generic_visit(node)

    def _visit_all(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self.visit(statement)


def exemption(lines: list[str], number: int) -> re.Match[str] | None:
    """The exemption of a line: behind it, or as a comment of its own above it."""
    above = lines[number - 2] if number > 1 and lines[number - 2].lstrip().startswith("#") else ""
    return EXEMPT.search(lines[number - 1]) or EXEMPT.search(above)


def changes_of(node: ast.AST) -> Iterator[Change]:
    """What can be done to a node."""
    if isinstance(node, ast.BinOp):
        yield from _of_arithmetic(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield "sign flipped", node.operand
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        yield "mask turned", node.operand
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in ORDER:
        yield "off by one", ast.Compare(node.left, [ORDER[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.Assign):
        yield from _of_keys(node)
    elif isinstance(node, ast.Call):
        yield from _of_call(node)


def _of_arithmetic(node: ast.BinOp) -> Iterator[Change]:
    left, op, right = node.left, node.op, node.right
    text = ast.unparse(node)
    if any(isinstance(side, ast.JoinedStr) or isinstance(getattr(side, "value", None), str) for side in (left, right)):
        return
    if isinstance(op, ast.Div):
        yield "normaliser dropped", left
    elif isinstance(op, ast.Pow) and isinstance(right, ast.Constant | ast.UnaryOp):
        yield "power raised", ast.BinOp(left, op, ast.BinOp(right, ast.Add(), ast.Constant(1)))
    elif isinstance(op, ast.BitAnd | ast.BitOr) and not TYPES.match(text):
        yield "mask changed", ast.BinOp(left, ast.BitOr() if isinstance(op, ast.BitAnd) else ast.BitAnd(), right)
    elif isinstance(op, ast.Add | ast.Sub) and "shape" not in text:
        yield "sign flipped", ast.BinOp(left, ast.Sub() if isinstance(op, ast.Add) else ast.Add(), right)
        if isinstance(right, ast.Constant):
            yield "off by one", left
    elif isinstance(op, ast.Mult) and "shape" not in text:
        yield "factor dropped", left


def _of_keys(node: ast.Assign) -> Iterator[Change]:
    """`a, b, c = jax.random.split(key, 3)` with one key in two places."""
    names, value = node.targets[0], node.value
    if not isinstance(names, ast.Tuple) or not ast.unparse(value).startswith("jax.random.split("):
        return
    for second in range(1, len(names.elts)):
        places = [second - 1 if place == second else place for place in range(len(names.elts))]
        reused = ast.parse(f"[{ast.unparse(value)}[place] for place in {places}]", mode="eval").body
        yield "random key reused", ast.Assign([names], reused)


def _of_call(node: ast.Call) -> Iterator[Change]:
    name, args = ast.unparse(node.func), node.args
    if name in DROPPED and args:
        yield DROPPED[name], args[0]
    if name in RENAMED:
        yield f"{name} -> {RENAMED[name]}", ast.Call(_expression(RENAMED[name]), args, node.keywords)
    if name == "jax.random.split" and len(args) == 2 and not isinstance(args[1], ast.Constant):
        same = f"{ast.unparse(node)}[jax.numpy.zeros({ast.unparse(args[1])}, int)]"
        yield "one random key for all", _expression(same)
    if name == "jnp.where" and len(args) == 3:
        yield "branches swapped", ast.Call(node.func, [args[0], args[2], args[1]], node.keywords)
    elif len(_names(args[:2])) == 2 and name not in SYMMETRIC and not name.startswith("jax.random"):
        yield "arguments swapped", ast.Call(node.func, [args[1], args[0], *args[2:]], node.keywords)
    for index, keyword in enumerate(node.keywords):
        value = keyword.value
        others = [*node.keywords[:index], *node.keywords[index + 1 :]]
        is_flag = isinstance(value, ast.Constant) and isinstance(value.value, bool) and keyword.arg != "strict"
        if keyword.arg == "ddof" or is_flag:
            turned = ast.keyword(keyword.arg, _turned(value))
            yield f"{keyword.arg} turned", ast.Call(node.func, args, [*others, turned])
        elif name.startswith("optax."):
            yield f"{keyword.arg} left out", ast.Call(node.func, args, others)


def _names(args: list[ast.expr]) -> set[str]:
    return {arg.id for arg in args if isinstance(arg, ast.Name)}


def _turned(value: ast.expr) -> ast.expr:
    """False for true, 0 for 1, and the other way round."""
    if isinstance(value, ast.Constant) and isinstance(value.value, bool):
        return ast.Constant(not value.value)
    return _expression(f"1 - {ast.unparse(value)}")


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


class Swap(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST):
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def sites(source: str) -> list[tuple[ast.AST, str, ast.AST]]:
    """The changes that a file offers: a node, what is done to it, and what stands there afterwards."""
    return _sites(ast.parse(source), source)


def _sites(tree: ast.Module, source: str) -> list[tuple[ast.AST, str, ast.AST]]:
    finder = Sites(source.splitlines())
    finder.visit(tree)
    return finder.found


def mutated(source: str, index: int) -> tuple[str, str]:
    """The file with its `index`-th change made, and what was done."""
    tree = ast.parse(source)
    node, what, new = _sites(tree, source)[index]
    done = f"line {getattr(node, 'lineno', 0)}: {what} in `{ast.unparse(node)}`"
    # A copy, since what stands there afterwards is often a part of what stood there.
    tree = Swap(node, copy.deepcopy(new)).visit(tree)
    return ast.unparse(ast.fix_missing_locations(tree)), done


def exempted(source: str) -> list[tuple[int, str, str]]:
    """Lines that are left alone, with their reasons: number, code, reason."""
    lines = source.splitlines()
    marked = [
        (number, line, exemption(lines, number)) for number, line in enumerate(lines, 1) if line.strip()[:1] != "#"
    ]
    return [
        (number, line.partition("#")[0].strip(), ": ".join(filter(None, match.groups())))
        for number, line, match in marked
        if match
    ]
