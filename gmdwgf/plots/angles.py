"""Plot points of a flat torus by pairs of angles in degrees, as in a Ramachandran plot."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from gmdwgf.plots.samples import mark, thinned
from gmdwgf.plots.style import (
    COLUMN,
    INK,
    PAGE,
    TARGET,
    Figure,
    colour_of,
    empty_panel,
    finite,
    legend_below,
    plain,
    points,
    styled,
)

MOST_PAIRS = 6
"""Number of pairs of angles that are drawn."""


@styled
def angles_over_target(
    x: ArrayLike,
    y: ArrayLike,
    title: str | None = None,
    modes: ArrayLike | None = None,
    drift: str = "",
    names: Sequence[str] | None = None,
) -> Figure:
    """Plot equally many target points `y` `[m d]` (left) and generated samples `x` `[n d]` (right), a row for each pair of angles.

    Of more than four angles only the first six pairs are drawn. `modes` are centres `[k d]` to mark, all in radians.
    """
    x, y = finite(points(x)), finite(points(y))
    n = min(len(x), len(y)) or len(y)
    d = y.shape[1]
    pairs = list(itertools.combinations(range(d), 2))[:MOST_PAIRS] or [(0, 0)]
    figure = Figure((PAGE, len(pairs) * PAGE / 2 + 0.4), layout="constrained")
    grid = figure.subplots(len(pairs), 2, squeeze=False)
    for row, (i, j) in zip(grid, pairs, strict=True):
        for axes, name, cloud, colour in zip(
            row, ("target", "generated"), (y[:n], x[:n]), (INK, colour_of(drift)), strict=True
        ):
            angle_panel(axes, cloud[:, [i, j]], y[:, [i, j]], colour, name)
            if modes is not None and name == "generated":
                mark(axes, in_degrees(points(modes)[:, [i, j]]))
            axes.set(xlabel=_named(i, names), ylabel=_named(j, names))
    for axes, name, cloud in zip(grid[0], ("target", "generated"), (y[:n], x[:n]), strict=True):
        axes.set_title(f"{name}, {len(cloud):,} points")
    if title:
        figure.suptitle(title, fontsize=8)
    legend_below(figure)
    return figure


@styled
def angle_strip(snapshots: Sequence[tuple[int, ArrayLike]], y: ArrayLike, drift: str = "") -> Figure:
    """Plot the first two angles of samples at increasing steps, `(step, x [n d])`, over the target `y` `[m d]`; at most six."""
    shown = thinned(sorted(snapshots, key=lambda snapshot: snapshot[0]))
    width = PAGE if len(shown) > 3 else COLUMN
    figure = Figure((width, width / max(len(shown), 2) + 0.55), layout="constrained")
    row = figure.subplots(1, len(shown), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (step, x) in zip(row, shown, strict=True):
        angle_panel(axes, finite(points(x))[:, :2], finite(points(y))[:, :2], colour_of(drift), "generated", dot=1.2)
        axes.set_title(f"step {step}")
        axes.tick_params(left=axes is row[0])
    legend_below(figure)
    return figure


def angle_panel(
    axes: Axes, x: np.ndarray, grey: np.ndarray, colour: str, name: str, dot: float = 2.5, grey_name: str | None = None
) -> None:
    """Draw pairs of angles `x` `[n 2]` (radians) over the pairs `grey` on the square from -180 to 180 degrees."""
    axes.set(
        xlim=(-180, 180),
        ylim=(-180, 180),
        aspect="equal",
        xticks=(-180, -90, 0, 90, 180),
        yticks=(-180, -90, 0, 90, 180),
    )
    axes.scatter(*in_degrees(grey).T, s=dot, color=TARGET, alpha=0.35, linewidths=0, rasterized=True, label=grey_name)
    if len(x):
        axes.scatter(*in_degrees(x).T, s=dot, color=colour, alpha=0.7, linewidths=0, rasterized=True, label=name)
    else:
        empty_panel(axes)


def in_degrees(angles: np.ndarray) -> np.ndarray:
    """Angles in radians as degrees in [-180, 180)."""
    return (np.degrees(angles) + 180) % 360 - 180


def _named(i: int, names: Sequence[str] | None) -> str:
    return f"{plain(names[i])} (degrees)" if names else f"$x_{{{i + 1}}}$ (degrees)"
