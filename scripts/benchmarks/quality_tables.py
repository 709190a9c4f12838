"""The tables of time_to_quality.py, from its stored runs."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from common import PAGE, SHORT, replace_between, table
from quality_results import Run, deviations, is_as_good, score_after, seconds_until

from gmdwgf.metrics.floors import Floor

NEAR = (0.94, 0.96)
"""Shares of samples near a mode that are asked for."""
SDS = (10.0, 3.0, 1.0)
"""Distances above the floor that are asked for, in standard deviations of it."""
NAMES = {"eight_gaussians": "8 Gaussians", "swiss_roll": "Swiss roll", "checkerboard": "Checkerboard"}


class Row(NamedTuple):
    """All seeds of a method with one way to sample."""

    label: str
    sampler: str
    runs: list[Run]

    def until(self, name: str, limit: float) -> float:
        """Median over seeds of the seconds until a score; infinite if less than half of the seeds reach it."""
        return float(np.median([seconds_until(run.evaluations[self.sampler], name, limit) for run in self.runs]))

    def last(self, name: str) -> float:
        return float(np.median([run.evaluations[self.sampler][name][-1] for run in self.runs]))

    def after(self, name: str, others: "Row", factor: float) -> float:
        """Median score at `factor` times the training time of `others`, seed by seed."""
        pairs = [(run, other) for run in self.runs for other in others.runs if run.seed == other.seed]
        at = [factor * other.evaluations[others.sampler]["seconds"][-1] for _, other in pairs]
        found = [
            score_after(run.evaluations[self.sampler], name, seconds)
            for (run, _), seconds in zip(pairs, at, strict=True)
        ]
        return float(np.median(found)) if found else math.nan


def rows_of(runs: Sequence[Run], target: str) -> list[Row]:
    """A row for each method and way to sample, in the order of the first runs."""
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        for sampler in run.evaluations if run.target == target else ():
            found.setdefault((run.method, sampler), []).append(run)
    return [Row(method, sampler, seeds) for (method, sampler), seeds in found.items()]


def limits(floors: dict[str, Floor]) -> list[tuple[str, float, str]]:
    """Scores that are asked for: name, limit, words."""
    near = [("near", share, f"near ≥ {share:.2f}") for share in NEAR if "near" in floors]
    floor = floors["mmd2"]
    return near + [("mmd2", floor.mean + k * floor.sd, f"MMD² ≤ floor + {k:.0f} sd") for k in SDS]


def seconds(value: float) -> str:
    return "not reached" if math.isinf(value) else f"{value:.3g} s"


def times(floors: dict[str, Floor], rows: list[Row]) -> list[str]:
    """Seconds until each score, the last scores, and what training, start and sampling take."""
    asked = limits(floors)
    header = ["method", "sampled by", *(words for _, _, words in asked)]
    header += [*(["near at the end"] if "near" in floors else []), "MMD² at the end", "energy distance", "W2"]
    header += ["trained in", "start and compilation", "10,000 samples"]
    lines = []
    for row in rows:
        cells = [row.label, row.sampler, *(seconds(row.until(name, limit)) for name, limit, _ in asked)]
        cells += [f"{row.last('near'):.3f}"] if "near" in floors else []
        cells += [f"{row.last('mmd2'):.1e} ({deviations(floors, 'mmd2', row.last('mmd2'))} sd)"]
        cells += [f"{deviations(floors, name, row.last(name))} sd" for name in ("energy_distance", "w2")]
        cells += [f"{row.last('seconds'):.3g} s", f"{np.median([run.start_seconds for run in row.runs]):.2g} s"]
        sampling = np.median([run.sampling_seconds[row.sampler] for run in row.runs])
        lines.append([*cells, f"{1e3 * sampling:.3g} ms"])
    return table(header, lines)


GOALS = (("flow matching", "100 evaluations", 1.0), ("flow matching", "10 evaluations", 3.0))
LOOPS = ("notebook", "driftax")


def rivals(rows: list[Row], is_ours: dict[str, bool]) -> list[tuple[Row, float]]:
    """Whom our one step is compared with, and after how many times its training time."""
    others = [row for row in rows if not is_ours[row.label]]
    found = [
        (row, factor)
        for word, sampler, factor in GOALS
        for row in others
        if row.label.startswith(word) and row.sampler == sampler
    ]
    return found + [(row, 3.0) for row in others if row.label.startswith(LOOPS)]


def comparison(
    floors: dict[str, Floor], rows: list[Row], is_ours: dict[str, bool], name: str
) -> tuple[list[str], list[str]]:
    """Our score at the end of each run beside those of the others after as long or three times as long; and who keeps up."""
    against = rivals(rows, is_ours)
    shown = (
        (lambda value: f"{value:.3f}") if name == "near" else (lambda value: f"{deviations(floors, name, value)} sd")
    )
    told = "near a mode" if name == "near" else "MMD² above the floor"
    header = ["ours", "trained in", told]
    header += [
        f"{row.label}, {row.sampler}, {'as long' if factor == 1 else f'{factor:.0f}x as long'}"
        for row, factor in against
    ]
    lines, kept_up = [], {column: [] for column in header[3:]}
    for row in (row for row in rows if is_ours[row.label]):
        value, cells = row.last(name), []
        for (other, factor), column in zip(against, header[3:], strict=True):
            theirs = other.after(name, row, factor)
            slack = floors[name].sd if name != "near" else -floors[name].sd
            reached = math.isfinite(theirs) and is_as_good(name, value, theirs + slack)
            cells.append("too early" if math.isnan(theirs) else f"{shown(theirs)}{': reached' if reached else ''}")
            kept_up[column] += [row.label] if reached else []
        lines.append([row.label, seconds(row.last("seconds")), shown(value), *cells])
    said = [
        f"- {column}: {'reached by ' + ', '.join(names) if names else 'reached by none'}."
        for column, names in kept_up.items()
    ]
    return table(header, lines), said


def short_row(target: str, floors: dict[str, Floor], rows: list[Row], is_ours: dict[str, bool]) -> list[str]:
    """Seconds until a score: the fastest of ours, flow matching at its best sampling, and the other loops.

    The score is an MMD², since a model that has lost modes can have all its samples near the others.
    """
    name, limit, words = next(limit for limit in limits(floors) if limit[0] == "mmd2")
    until = [(row, row.until(name, limit)) for row in rows]
    best, least = min(((row, value) for row, value in until if is_ours[row.label]), key=lambda pair: pair[1])
    shown = [(row, value) for row, value in until if row.label.startswith(LOOPS) or row.sampler == GOALS[0][1]]
    others = [f"{row.label} with {row.sampler}: {seconds(value)}" for row, value in shown]
    fastest = f"{best.label}: {seconds(least)}" if math.isfinite(least) else "ours: not reached"
    return [f"training until {words}, {NAMES[target]}", "; ".join([fastest, *others])]


def write(floors: dict[str, dict[str, Floor]], runs: Sequence[Run], is_ours: dict[str, bool], keep: bool) -> None:
    """Print the tables, and keep them in docs/benchmarks.md if asked to."""
    if not runs:
        return print("no runs are stored")
    lines, short = [], []
    for target in (target for target in NAMES if any(run.target == target for run in runs)):
        rows, floor = rows_of(runs, target), floors[target]
        n_seeds = " or ".join(map(str, sorted({len(row.runs) for row in rows})))
        lines += ["", f"**{NAMES[target]}**, median over seeds ({n_seeds}):", "", *times(floor, rows)]
        for name in ("near", "mmd2") if "near" in floor else ("mmd2",):
            found, said = comparison(floor, rows, is_ours, name)
            lines += ["", *found, "", *said]
        short += [short_row(target, floor, rows, is_ours)] if any(is_ours[row.label] for row in rows) else []
    where = sorted({run.circumstances for run in runs}, key=lambda told: (-len(told), told))
    lines = [*table(SHORT, short), *lines, "", *where]
    print("\n".join(lines))
    if keep:
        replace_between(PAGE, "time-to-quality", lines)
