"""What a sweep says of its drifts, in words: how near each comes to the data, where it fails, and with what."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from gmdwgf.analysis.cells import Cell, caption, settings_of, show
from gmdwgf.analysis.collect import summaries

NEAR = 3.0
"""Up to so many times the floor's edge a cell counts as close (ours)."""

VERDICTS = {
    "floor": "at the floor: no further from the data than fresh data may be",
    "close": f"close: within {NEAR:.0f} times that distance",
    "far": "far: beyond it",
    "diverged": "diverged: no seed reached the end",
    "failed": "failed: every seed crashed",
    "unfinished": "unfinished",
}
"""From best to worst."""


class Score(NamedTuple):
    """A cell with its MMD^2 over the seeds that reached the end."""

    cell: Cell
    verdict: str
    mean: float
    sd: float
    ratio: float
    """Times the floor's edge, mean + 2 sd of data against data."""

    def count(self, state: str) -> int:
        """Runs of the cell in a state."""
        return sum(run.state == state for run in self.cell.runs)


def number_of(value: Any, other: Any = None) -> Any:
    """`value` where it is a number, else `other`: a report computes with numbers, and a file may hold anything."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else other


def score(cell: Cell) -> Score:
    """The verdict on a cell."""
    done = [run for run in cell.runs if run.state == "done"]
    if not done:
        states = {run.state for run in cell.runs}
        verdict = "diverged" if "diverged" in states else "failed" if states == {"failed"} else "unfinished"
        return Score(cell, verdict, math.nan, math.nan, math.nan)
    numbers = summaries([{"mmd2": number_of(run.ending.get("mmd2"), math.nan)} for run in done], ["mmd2"])
    edge = max((mean + 2 * sd for mean, sd in (run.floor() for run in done)), default=math.nan)
    ratio = numbers["mmd2"] / edge if edge > 0 else math.nan
    verdict = "floor" if ratio <= 1 else "close" if ratio <= NEAR else "far"
    return Score(cell, verdict, numbers["mmd2"], numbers["mmd2_sd"], ratio)


def best(scores: Sequence[Score]) -> Score:
    """The cell of lowest MMD^2; one in which a seed was lost loses to one in which none was."""
    return min(scores, key=lambda s: (math.isnan(s.mean), s.count("diverged") + s.count("failed") > 0, s.mean))


def sentence(scores: Sequence[Score]) -> str:
    """What the cells of one drift say of it."""
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
    """How many settings do, where not all of them."""
    told = []
    for dataset in datasets:
        here = [s for s in scores if s.cell.dataset == dataset]
        good = sum(s.verdict in ("floor", "close") for s in here)
        if 0 < good < len(here):
            told.append(f"{good} of {len(here)} on {dataset}")
    return [f"Settings that come close: {_and(told)}."] if told else []


def _lost(scores: Sequence[Score]) -> list[str]:
    """How many runs diverged or crashed, and which setting they share if all runs with it did."""
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


def _shown(run: Any, keys: Sequence[str]) -> set[tuple[str, str]]:
    return {(key, show(value)) for key, value in settings_of(run, dict.fromkeys(keys))}


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
