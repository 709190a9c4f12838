"""What the packaging files say of each other."""

import re
import tomllib

import pytest

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
