"""What reads a clock."""

import re

import pytest

from tests.conftest import ROOT

CLOCK = re.compile(r"time\.(time|monotonic|perf_counter|process_time)(_ns)?\b|from time import|datetime")
WALL_CLOCK = re.compile(r"time\.time\b|from time import|datetime\.(now|today)")


@pytest.mark.parametrize(
    ("folder", "clock"),
    [("tests", CLOCK), ("gmdwgf", WALL_CLOCK)],
    ids=["no test", "no decision of a run, by the wall clock"],
)
def test_a_clock_is_read_by(folder, clock):
    files = [path for path in (ROOT / folder).rglob("*.py") if path.name != "test_clocks.py"]
    assert len(files) > 50
    assert [str(path) for path in files if clock.search(path.read_text())] == []
