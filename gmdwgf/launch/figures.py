"""Draw the figures of a finished run."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.engine.loop import LoopResult, RunContext, velocity_field
from gmdwgf.metrics.pictures import answers, class_shares
from gmdwgf.plots import grid_over, metric_curves, save, velocity_on_grid
from gmdwgf.plots.charts import chart_of, sample_figures
from gmdwgf.plots.pictures import (
    class_histogram,
    interpolations,
    nearest,
    nearest_training,
    picture_grid,
    picture_strip,
)
from gmdwgf.plots.style import Figure
from gmdwgf.tracking import jsonl
from gmdwgf.training import ema

_N_COMPARED = 10_000
"""Maximum number of training rows for the search of nearest neighbours."""


def draw_run(run: RunContext, result: LoopResult, drift: str, title: str) -> list[Path]:
    """Draw samples over the target, curves with the floor, the strip of samples at increasing steps, and in 2-D the velocity field.

    Samples on the sphere are drawn on a globe and as a map, those on a torus by their angles.
    For image targets, draw images, their nearest training images, and interpolations.
    """
    with np.load(run.folder.samples) as kept:
        y, steps, x = kept["y"], kept["steps"], kept["x"]
    modes = result.reference.modes
    records = jsonl.read_records(run.folder.metrics)
    snapshots = list(zip(steps.tolist(), x, strict=True))
    figures = {"curves": metric_curves(records, result.reference.floor, drift)}
    if run.problem.target.pictures(jnp.asarray(y[:1])) is not None:
        figures |= _pictures(run, result, snapshots, title, drift)
    else:
        target, centres = run.problem.target, None if modes is None else modes.centres
        chart = chart_of(run.problem.manifold.name, y.shape[1])
        training = target.training_rows() if chart == "globe" else None
        figures |= sample_figures(snapshots, y, chart, title, centres, drift, target.column_names, training)
    if y.shape[1] == 2 and run.problem.condition is None:
        grid, to_data = grid_over(y), run.problem.target.standardisation
        places = grid if to_data is None else to_data.apply(grid)
        v = jax.jit(velocity_field)(run.problem, result.state, places.astype(y.dtype))
        v = v if to_data is None else to_data.undo_difference(v)
        figures["velocity"] = velocity_on_grid(grid, v, x[-1], y, title, run.problem.target.column_names)
    paths = [run.folder.figures / f"{name}.png" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        save(figure, path)
    return paths


def _pictures(run: RunContext, result: LoopResult, snapshots: list, title: str, drift: str) -> dict[str, Figure]:
    """Draw a grid of images (one class per row if conditional), strip, classes, nearest training images and interpolations."""
    target, params = run.problem.target, ema.of(run.problem.ema_decay, result.state.ema_params)
    generator: Any = run.problem.generator
    show = jax.jit(lambda target, points: target.pictures(points))
    x = snapshots[-1][1]
    asked = run.problem.evaluation(len(x[:100]))
    figures = {
        "samples": picture_grid(
            show(target, x[:100]), title, None if asked is None else asked.label, class_names=target.class_names
        ),
        "strip": picture_strip([(step, show(target, points[:16])) for step, points in snapshots]),
    }
    training, classifier, judged = target.training_rows(), target.classifier(), result.reference.judged
    if judged is not None and np.isfinite(x).all():
        figures["classes"] = class_histogram(class_shares(answers(classifier, x)[1]), judged.shares, drift)
    if training is not None and np.isfinite(x[:12]).all():
        some, all_pictures = x[:12], show(target, target.in_data_units(training[:_N_COMPARED]))
        found = {"pixels": nearest(show(target, some), all_pictures)}
        if classifier is not None:
            found["features"] = nearest(*(answers(classifier, points)[0] for points in (some, training[:_N_COMPARED])))
        figures["nearest"] = nearest_training(show(target, some), all_pictures, found)
    if hasattr(generator, "noise_dim") and run.problem.condition is None:
        z = np.random.default_rng(0).normal(size=(16, generator.noise_dim)).astype(x.dtype)
        figures["between"] = interpolations(lambda z: show(target, target.in_data_units(generator.apply(params, z))), z)
    return figures
