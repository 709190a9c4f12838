"""What the packaging files say of each other."""

import re
import tomllib

import pytest

from gmdwgf.bibliography import entries
from tests.conftest import ROOT

yaml = pytest.importorskip("yaml")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_constraints_of_the_oldest_dependencies_are_the_lower_bounds():
    bounds = dict(re.match(r"([\w-]+)>=([\d.]+)", line).groups() for line in PROJECT["dependencies"])
    lines = [line for line in (ROOT / ".github/oldest.txt").read_text().splitlines() if not line.startswith("#")]
    held = {name: version.removesuffix(".*") for name, version in (line.split("==") for line in lines)}
    assert held == bounds


def test_citation_names_the_present_version():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == PROJECT["version"]


def test_the_citation_file_is_valid_and_agrees_with_project_and_bibliography():
    """What the schema of CFF 1.2.0 requires of the keys used here."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    known = "abstract authors cff-version keywords license message references title type version"
    assert set(citation) == set(known.split())
    assert (citation["cff-version"], citation["type"]) == ("1.2.0", "software")
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    assert all(isinstance(citation[key], str) and citation[key] for key in ("message", "title", "abstract", "version"))
    assert len(set(citation["keywords"])) == len(citation["keywords"])
    by_number = {entry.number: entry.text for entry in entries()}
    for paper in citation["references"]:
        assert set(paper) == {"authors", "notes", "title", "type", "url", "year"}
        assert paper["type"] == "article"
        number = paper["notes"].removeprefix("arXiv:")
        assert paper["url"] == f"https://arxiv.org/abs/{number}"
        fields = dict(re.findall(r"^  (\w+) = \{(.*)\},$", by_number[number], re.M))
        authors = " and ".join(f"{who['family-names']}, {who['given-names']}" for who in paper["authors"])
        assert (authors, paper["title"], str(paper["year"])) == (
            fields["author"], re.sub("[{}]", "", fields["title"]), fields["year"]
        )  # fmt: skip


def test_the_workflow_calls_what_ci_calls():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    assert "bash .ci/run" in [step.get("run") for step in jobs["test"]["steps"]]
    pythons = jobs["test"]["strategy"]["matrix"]["python"]
    assert pythons[0] == PROJECT["requires-python"].removeprefix(">=")


def test_hooks_before_a_commit_are_those_of_make_lint():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    tools = {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in hooks}
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M).group(1)
    assert tools == set(re.findall(r"\$\(BIN\)/(\w+)", lint))
