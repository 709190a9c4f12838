"""Hold every comparative sentence of the pages against the numbers: `python -m experiments.sentences [PAGE ...]`.

A sentence that compares is followed by what it says, as an expression over `results.json`, in a comment that no reader sees:

    At h = 0.1 the flow ends nearer than the generator. <!-- check: below("flow, kl h=0.1 w1", "generator, kl h=0.1 w1") -->

`v(name)`, `low(name)` and `high(name)` are a number and its bounds, `below(a, b)` says that the bounds of a end below those of b,
`overlap(a, b)` that they meet, `names("flow, kl *")` lists the numbers of a pattern, which must not be none. Numbers are those of
the page's own experiment; `of="claims"` names another one. Arithmetic, comparisons, comprehensions and the functions of SAFE may
be used, nothing else.

Exits with 1 if a check is false or cannot be evaluated, or if a sentence with a word of COMPARATIVE has none. What is said before
a measurement is no finding: sections named in EXEMPT are left out, as are headings, code, tables, captions and generated blocks.
A sentence elsewhere that compares but reports no result is marked `<!-- not a result -->`.
"""

import argparse
import ast
import difflib
import fnmatch
import functools
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "experiments/*/README.md", "experiments/gallery/sections/*.html")
COMPARATIVE = re.compile(
    r"\b((large|small|high|low|near|close|fast|slow|few|long|short|wide|narrow|strong|weak|sharp|cheap|great|clear)(r|er|st|est)"
    r"|bigg(er|est)|nois(ier|iest)|f[au]rthe(r|st)|better|best|worse|worst|least|most|commoner|ahead of|beats?|wins?|leaders?"
    r"|(more|less)\b(?=.*\bthan\b)|as (good|near|large|small|wide|fast|far|many|few|long) as|outperforms?|improves?|profits?"
    r"|twice|half as|times (as|that)|orders? of magnitude|only (at|for|with)|(at|for|by|than) (any|every|all|no)\b(?! step))\b",
    re.IGNORECASE,
)
"""Words by which a sentence compares: comparatives, superlatives, verbs of rank, multiples, and what holds for all or for none."""
EXEMPT = re.compile(
    r"(Question|Command|Cost|Setting|Protocol|Expected|What is (expected|done|measured)|How it is written|Limits|Not trained by us"
    r"|The generator|Optimality conditions side by side|Why several grids|What is( the papers?'?s?( and what is)?)? ours)\.?"
)
"""Headings, or bold first words, of sections on what is asked, done and expected, and on what is whose."""
GENERATED = re.compile(
    r"<!-- numbers: written by run\.py -->.*?<!-- end of numbers -->|<!-- (\w+):begin -->.*?<!-- \1:end -->|```.*?```",
    re.DOTALL,
)
MARK = re.compile(r"<!--\s+(?:check:\s(.*?)|not a result)\s+-->", re.DOTALL)
END = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<! al\.)[)\"'”*_]*\s+")
SAFE = {function.__name__: function for function in (all, any, min, max, sorted, abs, round, len, sum)}


class Wrong(Exception):
    """An expression that cannot be evaluated, and why."""


class Sentence(NamedTuple):
    """A sentence, the line in which its paragraph begins, and the expressions that follow it; None for `not a result`."""

    text: str
    line: int
    checks: list[str | None]


def sentences(page: str, text: str) -> Iterator[Sentence]:
    """The sentences of a page that may report a result."""
    for line, block in _html(text) if page.endswith(".html") else _markdown(text):
        place, found = 0, []
        for mark in [*MARK.finditer(block), None]:
            piece = re.sub(r"<!--.*?-->|</?[a-z][^<>]*>", "", block[place : mark.start() if mark else None])
            found += [Sentence(" ".join(part.split()), line, []) for part in END.split(piece) if part.strip()]
            if mark:
                found = found or [Sentence("", line, [])]
                found[-1].checks.append(mark[1])
                place = mark.end()
        yield from found


def _markdown(text: str) -> Iterator[tuple[int, str]]:
    section = ""
    for line, block in _blocks(GENERATED.sub(_lines, text), r"(?m)^ *(?:[-*] |\d+\. |#|\||$)"):
        lead = re.match(r"#+ (.+)|\*\*(.+?)\*\*", block)
        section = lead[1] or lead[2] if lead else section
        left_out = block.startswith(("#", "|", "![")) or re.match(r"\*[^* ]", block)
        if not left_out and not EXEMPT.fullmatch(section):
            yield line, block


def _html(text: str) -> Iterator[tuple[int, str]]:
    text = re.sub(r"\[\[figure (?:\[\[[^\]]*\]\]|[^\[\]])*\]\]|<(h\d).*?</\1>", _lines, text, flags=re.DOTALL)
    return _blocks(re.sub(r"\[\[[^\[\]]*\]\]", lambda found: "0" + _lines(found), text), r"<p\b")


def _blocks(text: str, start: str) -> Iterator[tuple[int, str]]:
    """Pieces of the text and the lines in which they begin; one begins wherever `start` matches."""
    places = sorted({0, len(text), *(found.start() for found in re.finditer(start, text))})
    for begin, end in zip(places[:-1], places[1:], strict=True):
        piece = text[begin:end]
        yield 1 + text.count("\n", 0, end - len(piece.lstrip())), piece.strip()


def _lines(found: re.Match[str]) -> str:
    """As many empty lines as were found."""
    return "\n" * found[0].count("\n")


@functools.cache
def _results(path: Path) -> dict[str, list[float]]:
    return json.loads(path.read_text())


class Numbers:
    """What expressions may ask for: the numbers of experiments; `asked` are those that were."""

    def __init__(self, experiments: Path, own: str):
        self.experiments, self.own = experiments, own
        self.asked: dict[str, list[float]] = {}

    def number(self, name: str, of: str = "") -> list[float]:
        found = self._all(of)
        if name not in found:
            near = difflib.get_close_matches(name, found, 1, 0.4)
            raise Wrong(f"{of or self.own} has no number {name!r}" + (f"; is it {near[0]!r}?" if near else ""))
        self.asked[name] = found[name]
        return found[name]

    def v(self, name: str, of: str = "") -> float:
        return self.number(name, of)[0]

    def low(self, name: str, of: str = "") -> float:
        return self.number(name, of)[1]

    def high(self, name: str, of: str = "") -> float:
        return self.number(name, of)[2]

    def below(self, a: str, b: str, of: str = "") -> bool:
        return self.high(a, of) < self.low(b, of)

    def overlap(self, a: str, b: str, of: str = "") -> bool:
        return not (self.below(a, b, of) or self.below(b, a, of))

    def names(self, pattern: str, of: str = "") -> list[str]:
        found = [name for name in self._all(of) if fnmatch.fnmatchcase(name, pattern)]
        if not found:
            raise Wrong(f"{of or self.own} has no number like {pattern!r}")
        return found

    def _all(self, of: str) -> dict[str, list[float]]:
        path = self.experiments / (of or self.own) / "results.json"
        if not (of or self.own) or not path.is_file():
            raise Wrong(f"no results.json of {of or self.own!r}: name an experiment, as in v(name, of='claims')")
        return _results(path)

    def hold(self, expression: str) -> bool:
        """Whether the expression is true; raises Wrong if it cannot be said."""
        names = {name: getattr(self, name) for name in ("v", "low", "high", "below", "overlap", "names")} | SAFE
        try:
            tree = ast.parse(f"({expression.strip()})", mode="eval")
            if any(isinstance(node, ast.Attribute) for node in ast.walk(tree)):
                raise Wrong("it may not use attributes")
            answer = eval(compile(tree, "check", "eval"), {"__builtins__": {}, **names})
        except (SyntaxError, TypeError, ValueError, NameError, ArithmeticError, LookupError) as error:
            raise Wrong(str(error)) from error
        if not isinstance(answer, bool):
            raise Wrong("it is neither true nor false")
        return answer


def judged(path: Path, root: Path) -> tuple[int, list[str]]:
    """How many checks of a page are true, and a line or more for each that is not and each comparison that has none."""
    page, text = path.relative_to(root).as_posix(), path.read_text()
    owner = re.match(r"<!-- of (\w+) -->", text)
    own = owner[1] if owner else path.parent.name if path.parent.parent.name == "experiments" else ""
    n_read, n_true, wrong = 0, 0, []
    for sentence in sentences(page, text):
        checks = [check for check in sentence.checks if check]
        n_read += len(checks)
        words = COMPARATIVE.search(re.sub(r"`[^`]*`|\]\([^)]*\)", " ", sentence.text))
        found = [f"no check of {words[0]!r}: {sentence.text}"] if words and not sentence.checks else []
        for check in checks:
            numbers = Numbers(root / "experiments", own)
            try:
                why = None if numbers.hold(check) else "FALSE"
            except Wrong as error:
                why = str(error)
            n_true += why is None
            values = [f"{name} = {v:g} ({low:g} to {high:g})" for name, (v, low, high) in numbers.asked.items()]
            found += ["\n    ".join([f"{why}: {sentence.text}", " ".join(check.split()), *values])] if why else []
        wrong += [f"{page}:{sentence.line}: {line}" for line in found]
    if n_read < len(re.findall(r"<!--\s+check\b", text)):
        wrong.append(
            f"{page}: a check is not read: it is in a section that is left out, or a line in it begins a paragraph or a list"
        )
    for mark in MARK.finditer(text) if path.suffix == ".md" else []:
        if re.search(r"\n *$", text[: mark.start()]) or re.search(r"\n *([->+*#|]( |#)|\d+[.)] )", mark[0]):
            line = 1 + text.count("\n", 0, mark.start())
            wrong.append(
                f"{page}:{line}: a line that begins with the comment, or in it with a mark of Markdown, ends the paragraph"
            )
    return n_true, wrong


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m experiments.sentences", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", type=Path, help="pages; all of them where none is named")
    paths = [path.resolve() for path in parser.parse_args().pages]
    n_wrong = 0
    for path in paths or [path for pattern in PAGES for path in sorted(ROOT.glob(pattern))]:
        n_true, wrong = judged(path, ROOT)
        n_wrong += len(wrong)
        if n_true or wrong:
            print(
                f"{path.relative_to(ROOT).as_posix()}: {n_true} checks hold, {len(wrong)} sentences are wrong or unchecked"
            )
        print(*(f"  {line}\n" for line in wrong), sep="", end="")
    return 1 if n_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
