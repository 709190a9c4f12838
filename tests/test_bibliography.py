"""Every source has one entry in gmdwgf/references.bib, and every entry is cited."""

import ast
import importlib
import inspect
import re

import pytest

import gmdwgf
from gmdwgf.bibliography import ARXIV, FILE, Citation, citations, entries, plain, sources
from gmdwgf.config.build import ConfigError, load_node, options
from gmdwgf.drifts import MMDDrift, SumDrift
from tests.conftest import ROOT

BY_NUMBER = {entry.number: entry for entry in entries() if entry.number}


def texts():
    """Every source file and page that can cite something, by its path; docs/drifts.md is written from the docstrings among them."""
    places = [ROOT / "gmdwgf", ROOT / "docs", ROOT / "experiments", ROOT / "configs", ROOT / "scripts"]
    files = [path for place in places for suffix in ("py", "md", "html", "yaml") for path in place.rglob(f"*.{suffix}")]
    files += [ROOT / name for name in ("README.md", "CITATION.cff", "CONTRIBUTING.md")]
    found = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in files}
    return {path: text for path, text in found.items() if path != "docs/drifts.md"}


TEXTS = texts()


def docstrings():
    """Docstrings of modules, classes and functions, and the strings below constants, by place."""
    for path, text in TEXTS.items():
        if path.startswith("gmdwgf/") and path.endswith(".py"):
            for node in ast.walk(ast.parse(text)):
                if (
                    isinstance(node, ast.Expr)
                    and isinstance(node.value, ast.Constant)
                    and isinstance(node.value.value, str)
                ):
                    yield f"{path}:{node.lineno}", node.value.value


def test_the_page_of_references_is_the_file_of_the_package():
    assert (ROOT / "docs" / "references.bib").read_bytes() == FILE.read_bytes()


def test_entries_are_complete_and_in_order():
    found = entries()
    assert len(found) == len(re.findall(r"^@", FILE.read_text(encoding="utf-8"), re.MULTILINE))
    assert [entry.key for entry in found] == sorted({entry.key for entry in found})
    assert len(BY_NUMBER) == sum(bool(entry.number) for entry in found)
    for entry in found:
        fields = dict(re.findall(r"^  (\w+) = \{(.+)\},$", entry.text, re.MULTILINE))
        assert {"author", "title"} <= set(fields), entry.key
        assert "year" in fields or "url" in fields, entry.key
        assert not entry.number or fields["archiveprefix"] == "arXiv", entry.key
        assert entry.text.count("{") == entry.text.count("}"), entry.key
        assert entry.text.isascii(), f"{entry.key}: accents as LaTeX commands, for every BibTeX"
        assert entry.key.startswith(plain(entry.first_author).lower().replace("-", "").replace("muller", "mueller"))
        assert entry.year in entry.key


def test_every_number_on_arxiv_has_an_entry():
    cited = {number: path for path, text in TEXTS.items() for number in re.findall(rf"\b{ARXIV}\b", text)}
    assert not {number: path for number, path in cited.items() if number not in BY_NUMBER}


def test_every_name_with_a_year_has_an_entry():
    missing = [
        f"{path}: {citation.words}"
        for path, text in TEXTS.items()
        for citation in citations(" ".join(re.findall(r"[^\W\d_]+ et al\.,? \(?\d{4}[^\n]*\n?[^\n]*", text)))
        if "et al." in citation.words and citation.entry is None
    ]
    assert not missing, "\n".join(missing)


def test_names_and_years_beside_a_number_are_those_of_its_entry():
    wrong = []
    for path, text in TEXTS.items():
        for citation in citations(text):
            names = re.match(r"(\S+?),?\s.*?\b((?:19|20)\d\d)\b.*arXiv:", citation.words)
            entry = citation.entry
            if names and entry and (plain(names[1]), names[2]) != (entry.first_author, entry.year):
                wrong.append(f"{path}: {citation.words} ({entry.key})")
    assert not wrong, "\n".join(wrong)


def test_every_source_of_a_docstring_has_an_entry():
    n = 0
    for place, text in docstrings():
        if re.search(r"\bSources?: ", text):
            found = sources(text)
            n += 1
            assert found, place
            assert all(citation.entry for citation in found), (place, found)
    assert n > 30


def test_every_entry_is_cited():
    everything = "\n".join(TEXTS.values())
    cited = {citation.entry.key for citation in citations(everything) if citation.entry}
    cited |= {BY_NUMBER[number].key for number in re.findall(rf"\b{ARXIV}\b", everything) if number in BY_NUMBER}
    assert {entry.key for entry in entries()} == cited


@pytest.mark.parametrize("name", options("drift"))
def test_every_drift_has_sources(name):
    text = gmdwgf.cite(name)
    assert "%" not in text
    assert re.search(r"^@\w+\{", text)
    module, _, kind = str(load_node("drift", name, {})["_target_"]).rpartition(".")
    if name != "sum":
        assert gmdwgf.cite(getattr(importlib.import_module(module), kind)) == text


def test_a_drift_is_cited_with_what_its_docstring_names_once_and_in_this_order():
    keys = re.findall(r"^@\w+\{([^,]+),", gmdwgf.cite(gmdwgf.load_drift("sinkhorn")), re.MULTILINE)
    wanted = ["feydy2019interpolating", "sejourne2019unbalanced", "he2026sinkhorn", "gretton2026wasserstein"]
    assert keys == wanted


def test_a_sum_is_cited_with_its_parts():
    of_parts = [gmdwgf.cite("mmd"), gmdwgf.cite("kl")]
    both = re.findall(r"^@\w+\{([^,]+),", gmdwgf.cite("sum"), re.MULTILINE)
    assert set(both) == {key for text in of_parts for key in re.findall(r"^@\w+\{([^,]+),", text, re.MULTILINE)}
    assert len(both) == len(set(both))


class Unsourced(MMDDrift):
    """A drift of one's own."""


class Unlisted(MMDDrift):
    """A drift of one's own.

    Source: Nobody et al. 2030 (arXiv:3001.00001); Arbel et al. 2019 (arXiv:1906.04370).
    """


def test_what_is_not_in_the_bibliography_is_said_in_a_line_that_bibtex_skips():
    assert gmdwgf.cite(Unsourced) == "% Unsourced names no source (a paragraph `Source:` in its docstring)\n"
    first, _, rest = gmdwgf.cite(Unlisted).partition("\n\n")
    assert first == "% Unlisted cites Nobody et al. 2030 (arXiv:3001.00001): no entry"
    assert rest.startswith("@inproceedings{arbel2019mmd,")
    assert gmdwgf.cite(SumDrift).startswith("% SumDrift names no source")


def test_an_unknown_drift_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="did you mean deng"):
        gmdwgf.cite("dang")
    with pytest.raises(ConfigError, match="must be a name"):
        inspect.unwrap(gmdwgf.cite)(3)  # without the type checks of the tests


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Székely and Rizzo 2013", "szekely2013energy"),
        ("Galashov, De Bortoli and Gretton 2025", "galashov2025deep"),
        ("(Peebles & Xie 2023, arXiv:2212.09748)", "peebles2023scalable"),
        ("Chen et al. 2025 (JMLR 26, arXiv:2409.14980)", "chen2025deregularized"),
        ("Lopez-Paz and Oquab\n    2017", "lopezpaz2017revisiting"),
        ("https://arxiv.org/abs/2605.05118", None),
        ("GeoNames (https://www.geonames.org), CC BY 4.0", "geonames"),
        ("Zhang et al. 2026", None),  # three entries
        ("Zhang et al. 2026 (arXiv:2605.04060)", "zhang2026lookahead"),
    ],
)
def test_a_citation_is_a_number_or_names_with_a_year_or_an_address(text, key):
    (found,) = citations(text)
    assert isinstance(found, Citation)
    assert (found.entry and found.entry.key) == key
