"""Plot generated samples over target samples."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from gmdwgf.plots.style import (
    COLUMN,
    INK,
    PAGE,
    TARGET,
    Figure,
    colour_of,
    empty_panel,
    finite,
    is_unlike,
    legend_below,
    plain,
    points,
    styled,
)
from gmdwgf.view import View as View, view_of as view_of

_MAX_PANELS = 6
_FEW = 5
"""Ratio of samples to targets above which targets are drawn in front."""

MOST_PAIRS = 4
"""Number of columns whose pairs are drawn."""


@styled
def samples_over_target(
    x: ArrayLike,
    y: ArrayLike,
    title: str | None = None,
    modes: ArrayLike | None = None,
    drift: str = "",
    names: Sequence[str] | None = None,
) -> Figure:
    """Plot generated samples `x` `[n d]` over target samples `y` `[m d]`.

    Draws a scatter plot for d = 2, of the first two principal components of `y` for d > 2, and histograms for d = 1. `modes` are
    centres `[k d]` to mark; the name `drift` determines the colour; `names` are those of the coordinates.
    """
    figure = Figure((COLUMN, COLUMN), layout="constrained")
    axes = figure.subplots()
    view = view_of(y)
    panel(axes, x, y, view, drift)
    if modes is not None:
        mark(axes, view(points(modes)))
    label_axes(axes, view, names)
    if title:
        axes.set_title(title)
    legend_below(figure)
    return figure


@styled
def sample_strip(snapshots: Sequence[tuple[int, ArrayLike]], y: ArrayLike, drift: str = "") -> Figure:
    """Plot samples at increasing steps, `(step, x [n d])`, over the target `y` `[m d]`, in at most six panels with the same axes.

    Of more snapshots, the first, the last and some in between are shown, evenly spaced in the logarithm of the step.
    """
    shown = thinned(sorted(snapshots, key=lambda snapshot: snapshot[0]))
    width = PAGE if len(shown) > 3 else COLUMN
    figure = Figure((width, width / max(len(shown), 2) + 0.55), layout="constrained")
    row = figure.subplots(1, len(shown), sharex=True, sharey=True, squeeze=False)[0]
    view = view_of(y)
    for axes, (step, x) in zip(row, shown, strict=True):
        panel(axes, x, y, view, drift, dot=1.2)
        axes.set_title(f"step {step}")
        axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        axes.tick_params(left=axes is row[0])
    legend_below(figure)
    return figure


@styled
def pairs_of_columns(x: ArrayLike, y: ArrayLike, names: Sequence[str] | None = None, drift: str = "") -> Figure:
    """Plot pairs of columns of the samples `x` `[n d]` over those of the target `y` `[m d]`, with histograms on the diagonal.

    Shown are the four columns of largest standard deviation, in their order.
    """
    x, y = points(x), points(y)
    columns = np.sort(np.argsort(-finite(y).std(axis=0), kind="stable")[:MOST_PAIRS])
    labels = [plain(str(names[i])) if names else f"$x_{{{i + 1}}}$" for i in columns.tolist()]
    k = len(columns)
    figure = Figure((PAGE, PAGE), layout="constrained")
    grid = figure.subplots(k, k, squeeze=False)
    for row, i in enumerate(columns):
        for column, j in enumerate(columns):
            axes, chosen = grid[row, column], [j] if i == j else [j, i]
            if column > row:
                axes.set_axis_off()
                continue
            panel(axes, x[:, chosen], y[:, chosen], view_of(y[:, chosen]), drift, dot=1.2)
            axes.set_aspect("auto")
            if row == k - 1:
                axes.set_xlabel(labels[column])
            if column == 0:
                axes.set_ylabel(labels[row])
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.yaxis.set_major_locator(MaxNLocator(3))
    legend_below(figure)
    return figure


def panel(axes: Axes, x: ArrayLike, y: ArrayLike, view: View, drift: str = "", dot: float = 3.0) -> None:
    """Draw `x` over `y` into `axes` with the limits of `view`, and annotate the number of samples outside of them.

    `dot` is the area of a sample in square points.
    """
    seen_x, seen_y = view(finite(points(x))), view(finite(points(y)))
    axes.set_xlim(view.lower[0], view.upper[0])
    if len(view.lower) == 2:
        axes.set(ylim=(view.lower[1], view.upper[1]), aspect="auto" if is_unlike(view.lower, view.upper) else "equal")
    if not len(seen_x):
        empty_panel(axes)
        return
    if len(view.lower) == 2:
        _dots(axes, seen_x, seen_y, dot, colour_of(drift))
    else:
        _histograms(axes, seen_x, seen_y, view, colour_of(drift))
    outside = 1 - np.mean(view.holds(points(x)))
    if outside == 1:
        empty_panel(axes, "all samples\nare outside")
    elif outside >= 0.01:
        note = {"ha": "right", "va": "bottom", "fontsize": 7, "transform": axes.transAxes}
        axes.text(0.97, 0.03, f"{outside:.0%} outside", **note)


def _dots(axes: Axes, x: np.ndarray, y: np.ndarray, dot: float, colour: str) -> None:
    if _FEW * len(y) < len(x):  # few targets are rings in front of the samples, which would cover them
        rings = {"facecolors": "none", "edgecolors": INK, "linewidths": 0.6, "zorder": 3}
        axes.scatter(*y.T, s=5 * dot, label="target", rasterized=True, **rings)
    else:  # Targets are large and pale, so that they remain visible around samples that cover them.
        axes.scatter(*y.T, s=3 * dot, color=TARGET, alpha=0.4, label="target", linewidths=0, rasterized=True)
    axes.scatter(*x.T, s=dot, color=colour, alpha=0.7, label="generated", linewidths=0, rasterized=True)


def _histograms(axes: Axes, x: np.ndarray, y: np.ndarray, view: View, colour: str) -> None:
    n_bins = int(np.clip(2 * np.sqrt(min(len(x), len(y))), 10, 60))
    edges = np.linspace(view.lower[0], view.upper[0], n_bins + 1)
    for cloud, style in ((y, {"fill": True, "color": TARGET, "alpha": 0.6}), (x, {"color": colour, "linewidth": 1.2})):
        density = np.histogram(cloud, edges)[0] / (len(cloud) * (edges[1] - edges[0]))
        axes.stairs(density, edges, label="target" if cloud is y else "generated", **style)


def mark(axes: Axes, centres: np.ndarray) -> None:
    """Mark the centres `[k d]` of modes, in the coordinates of the view."""
    if centres.shape[1] == 1:
        for centre in centres[:, 0]:
            axes.axvline(centre, color="black", linewidth=0.6, linestyle=":", label="modes")
    else:
        axes.scatter(*centres.T, marker="+", s=30, linewidths=0.8, color="black", label="modes")


def label_axes(axes: Axes, view: View, names: Sequence[str] | None = None) -> None:
    """Label the axes of a view, by the names of the coordinates if these are shown and have names."""
    d = len(view.centre)
    if d > 2:
        axes.set(xlabel="first principal component", ylabel="second principal component")
        return
    shown = [plain(name) for name in names] if names else ["$x_1$", "$x_2$"] if d == 2 else ["$x$"]
    axes.set(xlabel=shown[0], ylabel=shown[1] if d == 2 else "density")


def thinned(snapshots: list) -> list:
    """At most six of the snapshots `(step, ...)`, which are sorted by step."""
    if len(snapshots) <= _MAX_PANELS:
        return snapshots
    first, *rest = snapshots
    shown = [first]
    for goal in np.geomspace(rest[0][0], rest[-1][0], _MAX_PANELS - 1):
        nearest = min(rest, key=lambda snapshot: abs(math.log(snapshot[0] / goal)))
        rest.remove(nearest)
        shown.append(nearest)
    return sorted(shown, key=lambda snapshot: snapshot[0])
