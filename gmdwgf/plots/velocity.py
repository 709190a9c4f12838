"""Plot the velocity field of a drift in the plane."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.quiver import Quiver
from numpy.typing import ArrayLike

from gmdwgf.plots.style import (
    COLUMN,
    INK,
    TARGET,
    Figure,
    box,
    empty_panel,
    finite,
    is_unlike,
    legend_below,
    plain,
    points,
    styled,
)

_DECADES = 3
"""Range of speeds that are distinguished, in powers of ten below the largest."""


def grid_over(y: ArrayLike, n: int = 25, margin: float = 0.25) -> np.ndarray:
    """Make a grid `[n*n 2]` over nearly all of `y` `[m 2]`, extended by `margin` times its extent."""
    y = points(y)
    if y.shape[1] != 2:
        raise ValueError(f"a grid lies in the plane, and these points have {y.shape[1]} coordinates")
    lower, upper = box(y, margin)
    return np.stack(np.meshgrid(*np.linspace(lower, upper, n).T), axis=-1).reshape(-1, 2)


@styled
def velocity_on_grid(
    grid: ArrayLike,
    v: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    title: str | None = None,
    names: Sequence[str] | None = None,
) -> Figure:
    """Plot velocities `v` `[k 2]` at `grid` `[k 2]` over the particles `x` `[n 2]` and the targets `y` `[m 2]`.

    Colour shows the speed; arrow lengths increase with the logarithm of the speed, so that slow regions show directions too.
    """
    grid, v, x, y = points(grid), points(v), points(x), points(y)
    figure = Figure((COLUMN, 0.95 * COLUMN), layout="constrained")
    axes = figure.subplots()
    lower, upper = grid.min(axis=0), grid.max(axis=0)
    spacing = np.sqrt(np.prod(upper - lower) / len(grid))
    first, second = map(plain, names) if names else ("$x_1$", "$x_2$")
    axes.set(aspect="auto" if is_unlike(lower, upper) else "equal", xlabel=first, ylabel=second, title=title)
    axes.set(xlim=(lower[0] - spacing, upper[0] + spacing), ylim=(lower[1] - spacing, upper[1] + spacing))
    speed = np.linalg.norm(v, axis=1)
    moving = np.isfinite(speed) & (speed > 0)
    if not moving.any():
        empty_panel(axes, "at rest" if np.isfinite(speed).all() else "diverged")
        return figure
    axes.scatter(*finite(y).T, s=8.0, color=TARGET, alpha=0.3, label="target", linewidths=0, rasterized=True)
    axes.scatter(*finite(x).T, s=1.5, color=INK, alpha=0.6, label="particles", linewidths=0, rasterized=True)
    arrows = _quiver(axes, grid[moving], v[moving], speed[moving], spacing)
    figure.colorbar(arrows, ax=axes, label="speed $|v|$", shrink=0.8, pad=0.02)
    legend_below(figure)
    return figure


def _quiver(axes: Axes, grid: np.ndarray, v: np.ndarray, speed: np.ndarray, spacing: float) -> Quiver:
    norm = LogNorm(max(speed.min(), speed.max() / 10**_DECADES), speed.max() * 1.001, clip=True)
    length = spacing * (0.45 + 0.5 * norm(speed))
    dark = ListedColormap(
        colormaps["viridis"](np.linspace(0, 0.85, 256))
    )  # without yellow, which is too faint on white
    head = {"width": 0.004, "headwidth": 3.2, "headlength": 3.5, "headaxislength": 3.2}
    place = {"angles": "xy", "scale_units": "xy", "scale": 1, "pivot": "mid"}
    return axes.quiver(*grid.T, *(v * (length / speed)[:, None]).T, speed, norm=norm, cmap=dark, **head, **place)
