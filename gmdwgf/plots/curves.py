"""Distances to the target against the step, beside what fresh data would score."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from gmdwgf.plots.style import COLUMN, TARGET, colour_of, empty_panel, legend_below, styled

PANELS = {"mmd2": "MMD²", "drift/v_rms": "rms $|v|$"}
"""Metrics shown, with their labels; a panel without a record is left out."""


@styled
def metric_curves(
    records: Sequence[Mapping[str, Any]], floor: Mapping[str, tuple[float, float]], drift: str = ""
) -> Figure:
    """MMD^2 and the rms velocity against the step.

    `records` are those of metrics.jsonl, `floor` holds mean and standard deviation of a metric between data and data: the
    band is mean +- 2 sd. Values over two decades or more are on a logarithmic axis; where some are negative, as those of
    an unbiased estimator are near 0, it is linear around 0. The first step with a value that is not finite is marked.
    """
    names = [name for name in PANELS if any(name in record for record in records)] or ["mmd2"]
    figure = Figure((COLUMN, 0.75 + 1.3 * len(names)), layout="constrained")
    for axes, name in zip(figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0], names, strict=True):
        rows = [(record["step"], record[name]) for record in records if name in record]
        _curve(axes, *np.array(rows, float).reshape(-1, 2).T, floor.get(name), colour_of(drift))
        axes.set_ylabel(PANELS[name])
        axes.spines[["top", "right"]].set_visible(False)
    last = max((record["step"] for record in records), default=1)
    axes.set(xlabel="step", xlim=(-0.02 * last, 1.02 * last) if last else (-0.5, 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    figure.align_ylabels()
    legend_below(figure)
    return figure


def _curve(axes: Axes, steps: np.ndarray, values: np.ndarray, floor: tuple[float, float] | None, colour: str) -> None:
    good = np.isfinite(values)
    if not good.any():
        axes.set_yticks([])
        empty_panel(axes)
        return
    band = () if floor is None else (floor[0] - 2 * floor[1], floor[0] + 2 * floor[1])
    _scale(axes, values[good], band)
    if band:
        axes.axhspan(*np.clip(band, *axes.get_ylim()), color=TARGET, alpha=0.35, linewidth=0, label="data vs data")
    axes.plot(steps[good], values[good], color=colour, marker="o" if good.sum() < 20 else "", markersize=2.5)
    if not good.all():
        axes.axvline(steps[~good][0], color="black", linestyle=":", linewidth=0.8, label="diverged")


def _scale(axes: Axes, values: np.ndarray, band: tuple[float, ...]) -> None:
    edges = np.array([*values, *band])
    linear = np.abs([min(values.min(), 0.0), *band]).max() if values.min() <= 0 else edges[edges > 0].min()
    if linear == 0 or edges.max() < 100 * linear:
        axes.set_ylim(*(edges.min() - 0.05 * np.ptp(edges), edges.max() + 0.05 * np.ptp(edges)))
        axes.ticklabel_format(axis="y", scilimits=(-2, 3))
        return
    if values.min() > 0:
        lower, upper = linear / 1.5, edges.max() * 1.5
        axes.set_yscale("log")
        ticks = _decades(lower, upper)
    else:
        lower, upper = edges.min() * 1.5, edges.max() * 1.5
        axes.set_yscale("symlog", linthresh=linear, linscale=0.6)
        ticks = [0.0, *_decades(linear, upper)]
    axes.set_ylim(lower, upper)
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())


def _decades(lower: float, upper: float) -> list[float]:
    """Powers of ten between the limits, at most five."""
    first, last = math.ceil(math.log10(lower)), math.floor(math.log10(upper))
    return [10.0**k for k in range(first, last + 1, max(1, math.ceil((last - first + 1) / 5)))]
