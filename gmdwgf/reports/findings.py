"""Summarise the results of a sweep in words: how close each drift comes to the data, and where it fails."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from gmdwgf.analysis.cells import Cell, caption, settings_of, show
from gmdwgf.analysis.collect import summaries
from gmdwgf.metrics.table import headline
from gmdwgf.runs.records import RunFiles

NEAR = 3.0
"""Multiple of the floor's upper edge up to which a cell counts as close (ours)."""

VERDICTS = {
    "floor": "at the floor: the gap is within that of fresh data",
    "close": f"close: the gap is within {NEAR:.0f} times the floor",
    "far": "far: the gap is above that",
    "diverged": "diverged: no seed reached the end near the data",
    "failed": "failed: every seed crashed",
    "unfinished": "unfinished",
}
"""Verdicts from best to worst."""


class Score(NamedTuple):
    """A cell with its mean gap over the seeds that reached the end (MMD^2 for runs that have no gap)."""

    cell: Cell
    verdict: str
    mean: float
    sd: float
    ratio: float
    """Ratio to the floor's upper edge, mean + 2 sd."""

    def count(self, state: str) -> int:
        """Number of runs of the cell in a state."""
        return sum(run.state == state for run in self.cell.runs)


def number_of(value: Any, other: Any = None) -> Any:
    """`value` if it is a number, otherwise `other`, since files can contain values of any type."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else other


def score(cell: Cell) -> Score:
    """Score a cell."""
    done = [run for run in cell.runs if run.state == "done"]
    if not done:
        states = {run.state for run in cell.runs}
        verdict = "diverged" if "diverged" in states else "failed" if states == {"failed"} else "unfinished"
        return Score(cell, verdict, math.nan, math.nan, math.nan)
    name = headline(run.ending for run in done)
    numbers = summaries([{name: number_of(run.ending.get(name), math.nan)} for run in done], [name])
    edge = max((mean + 2 * sd for mean, sd in (run.floor(name) for run in done)), default=math.nan)
    ratio = numbers[name] / edge if edge > 0 else math.nan
    verdict = "floor" if ratio <= 1 else "close" if ratio <= NEAR else "far"
    return Score(cell, verdict, numbers[name], numbers[f"{name}_sd"], ratio)


def best(scores: Sequence[Score]) -> Score:
    """The cell with the lowest mean; cells without lost seeds are preferred."""
    return min(scores, key=lambda s: (math.isnan(s.mean), s.count("diverged") + s.count("failed") > 0, s.mean))


def sentence(scores: Sequence[Score]) -> str:
    """Summary sentence about the cells of one drift."""
    datasets = sorted({s.cell.dataset for s in scores})
    bests = [best([s for s in scores if s.cell.dataset == dataset]) for dataset in datasets]
    parts = []
    for verdict, words in (("floor", "at the floor on"), ("close", "close on"), ("far", "far from the data on")):
        found = [_where(s) for s in bests if s.verdict == verdict]
        if found:
            parts.append(f"{words} {_and(found)}")
    never = [s.cell.dataset for s in bests if s.verdict not in ("floor", "close", "far")]
    if never:
        parts.append(f"no run reached the end on {_and(never)}")
    text = "At its best setting " + "; ".join(parts) + "."
    return " ".join([text, *_picky(scores, datasets), *_lost(scores)])


def _where(s: Score) -> str:
    how_far = "" if s.verdict == "floor" else f", {times(s.ratio)}"
    return f"{s.cell.dataset} ({caption(s.cell.settings)}{how_far})"


def times(ratio: float) -> str:
    """`3.1x floor`."""
    return "no floor known" if math.isnan(ratio) else f"{ratio:.1f}x floor" if ratio < 10 else f"{ratio:.0f}x floor"


def _picky(scores: Sequence[Score], datasets: Sequence[str]) -> list[str]:
    """Number of settings that come close, if not all do."""
    told = []
    for dataset in datasets:
        here = [s for s in scores if s.cell.dataset == dataset]
        good = sum(s.verdict in ("floor", "close") for s in here)
        if 0 < good < len(here):
            told.append(f"{good} of {len(here)} on {dataset}")
    return [f"Settings that come close: {_and(told)}."] if told else []


def _lost(scores: Sequence[Score]) -> list[str]:
    """Number of runs that diverged or crashed, and settings with which all runs did."""
    runs = [run for s in scores for run in s.cell.runs]
    told = []
    for state, word in (("diverged", "diverged"), ("failed", "failed")):
        lost = [run for run in runs if run.state == state]
        if not lost:
            continue
        pairs = {pair: True for s in scores for pair in ((key, show(value)) for key, value in s.cell.settings)}
        names = [key for key, _ in pairs]
        always = [
            caption(((key, value),))
            for key, value in pairs
            if all(run.state == state for run in runs if (key, value) in _shown(run, names))
        ]
        told.append(f"{len(lost)} of {len(runs)} runs {word}{f' (all with {_and(always)})' if always else ''}.")
    return [line[:1].upper() + line[1:] for line in told]


def _shown(run: RunFiles, keys: Sequence[str]) -> set[tuple[str, str]]:
    return {(key, show(value)) for key, value in settings_of(run, dict.fromkeys(keys))}


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
