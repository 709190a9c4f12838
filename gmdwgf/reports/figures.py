"""Draw the figures of a sweep from its run folders, as PDF, SVG and PNG."""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from gmdwgf.analysis.cells import Cell, cells, varied
from gmdwgf.metrics.table import METRICS, headline
from gmdwgf.plots import comparison
from gmdwgf.plots.comparison import Final, Row, Samples
from gmdwgf.plots.style import drift_styles
from gmdwgf.reports.findings import Score, best, number_of, score
from gmdwgf.reports.rows import labels_of, rows_of
from gmdwgf.runs.records import RunFiles

CURVES = ("mmd2", "gap")
"""Metrics whose curves are drawn."""


def draw_figures(runs: Sequence[RunFiles], folder: Path) -> Iterator[Path]:
    """Draw three figures for each target, `curves_`, `settings_` and `samples_`; yields the files as they are written."""
    scores = [score(cell) for cell in cells(runs, varied(runs))]
    by_target = {
        dataset: rows_of([s for s in scores if s.cell.dataset == dataset])
        for dataset in sorted({run.dataset for run in runs})
    }
    styles = drift_styles(sorted({name for rows in by_target.values() for name in rows}))
    for dataset, rows in by_target.items():
        name = re.sub(r"[^\w.-]", "_", dataset)  # read from a run folder of unknown origin
        figure = comparison.curves_by_drift(_panels(runs, dataset, rows), styles)
        yield from comparison.write_formats(figure, folder / f"curves_{name}")
        metric = headline(run.ending for run in runs if run.dataset == dataset and run.state == "done")
        finals = {row: _row(found, [_final(s, metric) for s in found]) for row, found in rows.items()}
        figure = comparison.finals_by_setting(finals, floor_of(runs, dataset, metric), styles, METRICS[metric].label)
        yield from comparison.write_formats(figure, folder / f"settings_{name}")
        y = next((kept["y"] for run in runs if run.dataset == dataset and (kept := run.read_samples())), None)
        if y is not None:
            grid = {row: _row(found, [_samples(s) for s in found]) for row, found in rows.items()}
            yield from comparison.write_formats(comparison.sample_grid(grid, y), folder / f"samples_{name}")


def floor_of(runs: Sequence[RunFiles], dataset: str, metric: str = "mmd2") -> tuple[float, float] | None:
    """Lowest and highest edge of the floor, mean -+ 2 sd, over the runs of a target."""
    pairs = [run.floor(metric) for run in runs if run.dataset == dataset]
    edges = [(mean - 2 * sd, mean + 2 * sd) for mean, sd in pairs if math.isfinite(mean + sd)]
    return (min(low for low, _ in edges), max(high for _, high in edges)) if edges else None


def seed_curve(cell: Cell, metric: str = "mmd2") -> comparison.Curve:
    """Values of all seeds by step; a diverged run has none from then on."""
    by_step: dict[int, list[float]] = {}
    for run in cell.runs:
        for record in run.metrics:
            value = record.get(metric, math.nan)
            if math.isfinite(value) and record["step"] < run.ending.get("diverged_step", math.inf):
                by_step.setdefault(record["step"], []).append(value)
    return sorted(by_step.items())


def _panels(
    runs: Sequence[RunFiles], dataset: str, rows: dict[str, list[Score]]
) -> dict[str, tuple[dict[str, comparison.Curve], comparison.Floor]]:
    """Curves of the best setting of each row with their floor, by label of the metric; MMD^2, and others that are recorded."""
    found = {}
    for metric in CURVES:
        curves = {name: seed_curve(best(scores).cell, metric) for name, scores in rows.items()}
        curves = {name: curve for name, curve in curves.items() if curve}
        if curves or metric == "mmd2":
            found[METRICS[metric].label] = curves, floor_of(runs, dataset, metric)
    return found


def _row(scores: Sequence[Score], results: list) -> Row:
    key, values = labels_of(scores)
    return Row(key, list(zip(values, results, strict=True)))


def _final(s: Score, metric: str) -> Final:
    values = [number_of(run.last.get(metric), math.nan) for run in s.cell.runs if run.state == "done"]
    return Final(values, s.count("diverged") + s.count("failed"))


def _samples(s: Score) -> Samples:
    run = s.cell.runs[0]
    if run.state in ("diverged", "failed"):
        return Samples(None, run.state)
    kept = run.read_samples()
    return Samples(None, "no samples") if kept is None else Samples(kept["x"][-1])
