"""Draw the figures of a sweep from its run folders, as PDF, SVG and PNG."""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gmdwgf.analysis.cells import Cell, caption, cells, varied
from gmdwgf.metrics.table import METRICS, headline
from gmdwgf.plots import comparison
from gmdwgf.plots.style import drift_styles
from gmdwgf.reports.findings import Score, best, number_of, score
from gmdwgf.runs.records import RunFiles


def draw_figures(runs: Sequence[RunFiles], folder: Path) -> Iterator[Path]:
    """Draw three figures for each target, `curves_`, `settings_` and `samples_`; yields the files as they are written."""
    styles = drift_styles(sorted({run.drift for run in runs}))
    scores = [score(cell) for cell in cells(runs, varied(runs))]
    for dataset in sorted({run.dataset for run in runs}):
        name = re.sub(r"[^\w.-]", "_", dataset)  # read from a run folder of unknown origin
        here = {drift: [s for s in scores if s.cell[:2] == (dataset, drift)] for drift in styles}
        here = {drift: found for drift, found in here.items() if found}
        metric = headline(run.ending for run in runs if run.dataset == dataset and run.state == "done")
        floor = floor_of(runs, dataset)
        bests = {drift: seed_curve(best(found).cell) for drift, found in here.items()}
        figure = comparison.curves_by_drift({drift: curve for drift, curve in bests.items() if curve}, floor, styles)
        yield from comparison.write_formats(figure, folder / f"curves_{name}")
        finals = {drift: [_final(s, metric) for s in found] for drift, found in here.items()}
        figure = comparison.finals_by_setting(finals, floor_of(runs, dataset, metric), styles, METRICS[metric].label)
        yield from comparison.write_formats(figure, folder / f"settings_{name}")
        y = next((kept["y"] for run in runs if run.dataset == dataset and (kept := run.read_samples())), None)
        if y is not None:
            grid = {drift: [_panel(s) for s in found] for drift, found in here.items()}
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


def _final(s: Score, metric: str) -> tuple[str, list[float], int]:
    values = [number_of(run.last.get(metric), math.nan) for run in s.cell.runs if run.state == "done"]
    return caption(s.cell.settings), values, s.count("diverged") + s.count("failed")


def _panel(s: Score) -> tuple[str, np.ndarray | None, str]:
    run = s.cell.runs[0]
    if run.state in ("diverged", "failed"):
        return caption(s.cell.settings), None, run.state
    kept = run.read_samples()
    return caption(s.cell.settings), None if kept is None else kept["x"][-1], "no samples"
