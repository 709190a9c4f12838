"""The sources of this package, in references.bib, and the citations of them in docstrings and pages.

A text cites a source by its arXiv number (`arXiv:2605.05118`), by first author and year (`Knight, Ruiz and Ucar 2014`), or by its
address, so that everything else about it is written in references.bib only.
"""

import functools
import inspect
import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("references.bib")

ARXIV = r"\d{4}\.\d{4,5}"
"""Form of the number of a preprint on arXiv."""

_NAME = r"[^\W\d_a-z][^\W\d_]+(?:-[^\W\d_]+)*"
_PEOPLE = (
    rf"(?<!\w)(?P<first>{_NAME})(?:,? et al\.|(?:, and |, | and | & | ){_NAME})*,? \(?(?P<year>(?:19|20)\d\d)\b\)?"
)
_CITATION = re.compile(
    rf"{_PEOPLE}(?:,? \(?(?:[^().;]*, )?arXiv:(?P<of_people>{ARXIV}))?|arXiv:(?P<number>{ARXIV})|(?P<url>https?://[^\s,;)>]+)"
)


class Entry(NamedTuple):
    """An entry of references.bib: its text, and the fields by which it is cited (empty if it has none)."""

    key: str
    text: str
    first_author: str
    """Family name of the first author, without accents."""
    year: str
    number: str
    """Number on arXiv."""
    url: str


class Citation(NamedTuple):
    """Words of a text that cite a source, and its entry; None if there is no such entry, or more than one."""

    words: str
    entry: Entry | None


@functools.cache
def entries() -> tuple[Entry, ...]:
    """All entries of references.bib, in the order of the file."""
    found = re.finditer(r"^@\w+\{([^,]+),\n.*?^\}$", FILE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return tuple(_entry(match[1], match[0]) for match in found)


def _entry(key: str, text: str) -> Entry:
    fields: dict[str, str] = dict(re.findall(r"^  (\w+) = \{(.*)\},$", text, re.MULTILINE))
    family = fields["author"].split(" and ")[0].split(", ")[0]
    return Entry(key, text, plain(family), fields.get("year", ""), fields.get("eprint", ""), fields.get("url", ""))


def plain(name: str) -> str:
    """A name without accents, whether these are letters or LaTeX commands: `Peyré` and `Peyr{\\'e}` become `Peyre`."""
    name = re.sub(r"\\([a-zA-Z])(?=\{)|\\[^a-zA-Z]|[{}]", "", name)
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))


def citations(text: str) -> list[Citation]:
    """Sources that a text cites, in order of appearance."""
    found = _CITATION.finditer(" ".join(text.split()))
    return [Citation(match[0] + ")" * (match[0].count("(") - match[0].count(")")), _cited(match)) for match in found]


def _cited(match: re.Match[str]) -> Entry | None:
    number = match["of_people"] or match["number"]
    if number:
        found = [entry for entry in entries() if entry.number == number]
    elif match["url"]:
        found = [entry for entry in entries() if entry.url and entry.url == match["url"].rstrip("/.")]
    else:
        who = plain(match["first"]), match["year"]
        found = [entry for entry in entries() if (entry.first_author, entry.year) == who]
    return found[0] if len(found) == 1 else None


def sources(docstring: str | None) -> list[Citation]:
    """Sources in the paragraph `Source:` of a docstring, which ends at an empty line; empty if there is none."""
    found = re.search(r"\bSources?: (.*?)(?:\n\s*\n|\Z)", inspect.cleandoc(docstring or ""), re.DOTALL)
    return citations(found[1]) if found else []
