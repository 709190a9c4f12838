"""The figures of one finished run."""

from pathlib import Path

import jax
import numpy as np

from gmdwgf.plots import grid_over, metric_curves, sample_strip, samples_over_target, save, velocity_on_grid
from gmdwgf.tracking import jsonl
from gmdwgf.training.loop import Outcome, Run, velocity_field


def draw_run(run: Run, outcome: Outcome, drift: str, title: str) -> list[Path]:
    """Samples over target, curves against the floor, the strip of growing steps, and in 2-D the velocity field."""
    with np.load(run.folder.samples) as kept:
        y, steps, x = kept["y"], kept["steps"], kept["x"]
    modes = outcome.reference.modes
    records = jsonl.read(run.folder.metrics)
    figures = {
        "samples": samples_over_target(x[-1], y, title, None if modes is None else modes.centres, drift),
        "curves": metric_curves(records, outcome.reference.floor, drift),
        "strip": sample_strip(list(zip(steps.tolist(), x, strict=True)), y, drift),
    }
    if y.shape[1] == 2:
        grid = grid_over(y)
        v = jax.jit(velocity_field)(run.problem, outcome.state, grid.astype(y.dtype))
        figures["velocity"] = velocity_on_grid(grid, v, x[-1], y, title)
    paths = [run.folder.figures / f"{name}.png" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        save(figure, path)
    return paths
