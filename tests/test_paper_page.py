"""What docs/paper.md tells to type is there to be typed."""

import re
import shlex

import pytest

from gmdwgf import report
from gmdwgf.runs import __main__ as runs
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"python -m [^`#\n]+", TEXT)


def test_every_module_that_is_run_exists():
    modules = {command.split()[2] for command in COMMANDS}
    assert {"gmdwgf.train", "gmdwgf.runs", "gmdwgf.report", "experiments.toys.run"} <= modules
    for module in modules:
        path = ROOT.joinpath(*module.split("."))
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


def test_every_option_of_a_table_or_page_exists():
    for command in COMMANDS:
        _, _, module, *words = shlex.split(command)
        if module in ("gmdwgf.runs", "gmdwgf.report"):
            (runs if module == "gmdwgf.runs" else report).parser().parse_args(words)


def test_every_claim_that_is_named_is_checked():
    checked = {
        int(number)
        for path in (ROOT / "experiments" / "claims").glob("*.py")
        for number in re.findall(r"@claim\(\s*(\d+)", path.read_text(encoding="utf-8"))
    }
    named = [command.split()[3:] for command in COMMANDS if "experiments.claims.run" in command]
    assert named
    assert {int(number) for numbers in named for number in numbers} <= checked


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]+)\)", TEXT))))
def test_every_link_leads_to_a_file(link):
    assert link.startswith("https://") or (ROOT / "docs" / link).is_file()


def test_every_figure_of_the_paper_has_a_row():
    rows = re.findall(r"^\| (\d) \| .*`(python -m experiments\.\w+\.run)`.*\.png\)", TEXT, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 8))
