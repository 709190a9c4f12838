"""Plot metrics against the step, with their floors."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from gmdwgf.mappings import Record
from gmdwgf.plots.style import COLUMN, TARGET, Figure, colour_of, empty_panel, legend_below, styled

PANELS = {"gap": "gap", "mmd2": "MMD²", "v_rms": "rms $|v|$"}
"""Metrics to plot, with their labels; panels without records are omitted."""

_RATIO = 20
"""Ratio of largest to smallest absolute value above which a panel is logarithmic."""


@styled
def metric_curves(records: Sequence[Record], floor: Mapping[str, tuple[float, float]], drift: str = "") -> Figure:
    """Plot the gap, MMD^2 and the RMS velocity against the step.

    `records` are those of metrics.jsonl; `floor` contains mean and standard deviation of each metric for fresh data, drawn as the
    band mean +- 2 sd. Values of different orders of magnitude are on a logarithmic axis, which is linear around 0 if some are
    negative, as for unbiased estimators near 0. The first step with a value that is not finite is marked.
    """
    names = [name for name in PANELS if any(name in record for record in records)] or ["mmd2"]
    figure = Figure((COLUMN, 0.75 + 1.3 * len(names)), layout="constrained")
    for axes, name in zip(figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0], names, strict=True):
        metric_panel(axes, records, name, floor, drift)
    step_axis(axes, records)
    figure.align_ylabels()
    legend_below(figure)
    return figure


def metric_panel(
    axes: Axes, records: Sequence[Record], name: str, floor: Mapping[str, tuple[float, float]], drift: str
) -> None:
    """Draw one metric of `PANELS` against the step into `axes`, with its floor."""
    rows = [(record["step"], record[name]) for record in records if name in record]
    steps, values = np.array(rows, float).reshape(-1, 2).T
    _curve(axes, steps, values, floor.get(name), colour_of(drift))
    axes.set_ylabel(PANELS[name])
    axes.spines[["top", "right"]].set_visible(False)


def step_axis(axes: Axes, records: Sequence[Record]) -> None:
    """Set ticks and limits of the horizontal axis, the steps."""
    last = max((record["step"] for record in records), default=1)
    axes.set(xlabel="step", xlim=(-0.02 * last, 1.02 * max(last, 1)))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))


def _curve(axes: Axes, steps: np.ndarray, values: np.ndarray, floor: tuple[float, float] | None, colour: str) -> None:
    good = np.isfinite(values)
    if not good.any():
        axes.set_yticks([])
        empty_panel(axes, "diverged" if len(values) else "no record")
        return
    mean, sd = floor or (np.nan, np.nan)
    band = (mean - 2 * sd, mean + 2 * sd) if np.isfinite([mean, sd]).all() else ()
    scale(axes, values[good], band)
    if band:
        axes.axhspan(*np.clip(band, *axes.get_ylim()), color=TARGET, alpha=0.5, linewidth=0, label="data vs data")
    axes.plot(steps[good], values[good], color=colour, marker="o" if good.sum() < 20 else "", markersize=2.5)
    if not good.all():
        axes.axvline(steps[~good][0], color="black", linestyle=":", linewidth=0.8, label="diverged")


def scale(axes: Axes, values: np.ndarray, band: tuple[float, ...]) -> None:
    """Set limits, scale and ticks: linear, logarithmic, or logarithmic beyond `small` and linear around 0."""
    edges = np.array([*values, *band])
    lowest, highest = edges.min(), edges.max()
    small = edges[edges > 0].min(initial=np.inf) if values.min() > 0 else np.abs([values.min(), *band]).max()
    if small == 0 or highest <= _RATIO * small:
        room = 0.05 * (highest - lowest) or 0.5 * abs(highest) or 1.0
        axes.set_ylim(lowest - room, highest + room)
        return
    if values.min() > 0:
        axes.set_yscale("log")
        axes.set_ylim(small / 1.5, highest * 1.5)
    else:
        axes.set_yscale("symlog", linthresh=small, linscale=0.6)
        axes.set_ylim(lowest * 1.5, highest * 1.5)
    _set_ticks(axes, small, highest, [] if values.min() > 0 else [0.0])


def _set_ticks(axes: Axes, lower: float, upper: float, ticks: list[float]) -> None:
    """Add at most five powers of ten between the limits to `ticks`, and if there are few, also three times these."""
    first, last = math.floor(math.log10(lower)), math.floor(math.log10(upper))
    powers = [10.0**k for k in range(first, last + 1, math.ceil((last - first) / 5))]
    if last - first <= 2:
        powers += [3 * power for power in powers]
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_locator(FixedLocator(ticks + [power for power in powers if power >= lower]))
    axes.yaxis.set_minor_locator(NullLocator())
