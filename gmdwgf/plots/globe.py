"""Plot points of the unit sphere in R^3 as a map of equal areas (Mollweide) and as the two halves of a globe (orthographic)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from numpy.typing import ArrayLike

from gmdwgf.plots.samples import thinned
from gmdwgf.plots.style import INK, PAGE, TARGET, Figure, colour_of, empty_panel, finite, legend_below, points, styled

_LINES = "#dddddd"
_STEP = 30
"""Degrees between the lines of the grid."""
_RIM = 25
"""Degrees on either side of a rim within which points count when the halves of the globe are chosen."""
_MOST_BEHIND = 30_000


def angles_of(cloud: np.ndarray) -> np.ndarray:
    """Longitude and latitude `[n 2]` in radians of points `[n 3]`: (1, 0, 0) has longitude 0, (0, 0, 1) is the north pole."""
    return np.stack([np.arctan2(cloud[:, 1], cloud[:, 0]), np.arctan2(cloud[:, 2], np.hypot(*cloud.T[:2]))], axis=1)


def seen_from(cloud: np.ndarray, longitude: float) -> tuple[np.ndarray, np.ndarray]:
    """Orthographic view `[n 2]` of points `[n 3]` from above the equator at `longitude` (degrees), and which are on this side."""
    turn = np.radians(longitude)
    east = cloud[:, 1] * np.cos(turn) - cloud[:, 0] * np.sin(turn)
    return np.stack([east, cloud[:, 2]], axis=1), cloud[:, 0] * np.cos(turn) + cloud[:, 1] * np.sin(turn) > 0


def front_of(y: ArrayLike) -> float:
    """Longitude (degrees, east) in the middle of the front: with this one the fewest points are near the rim of front and back."""
    longitude = np.degrees(angles_of(finite(points(y)))[:, 0])
    choices = np.arange(-90, 90, 10)
    from_rim = np.abs(
        (longitude[:, None] - choices + 180) % 180 - 90
    )  # of the meridians at choice - 90 and choice + 90
    front = float(choices[np.argmin((from_rim < _RIM).sum(axis=0))])
    ahead = seen_from(finite(points(y)), front)[1].mean()
    return front if ahead >= 0.5 else front - 180.0 if front > 0 else front + 180.0


@styled
def globes_and_maps(
    x: ArrayLike,
    y: ArrayLike,
    title: str | None = None,
    modes: ArrayLike | None = None,
    drift: str = "",
    behind: ArrayLike | None = None,
) -> Figure:
    """Plot equally many target points `y` `[m 3]` (left) and generated samples `x` `[n 3]` (right): a map and both sides of a globe.

    `behind` are training points `[k 3]`, drawn in grey under all panels, by default `y`; `modes` are centres `[k 3]` to mark.
    """
    y, x = finite(points(y)), finite(points(x))
    n = min(len(x), len(y)) or len(y)
    grey = y if behind is None else finite(points(behind))[:_MOST_BEHIND]
    figure = Figure((PAGE, 0.62 * PAGE), layout="constrained")
    grid = figure.add_gridspec(2, 4, height_ratios=[1, 1])
    front, label = front_of(grey), None if behind is None else "training points"
    for column, (name, cloud, colour) in enumerate((("target", y[:n], INK), ("generated", x[:n], colour_of(drift)))):
        axes = figure.add_subplot(grid[0, 2 * column : 2 * column + 2], projection="mollweide")
        map_panel(axes, cloud, grey, colour, name, grey_name=label)
        axes.set_title(f"{name}, {len(cloud):,} points")
        if modes is not None and name == "generated":
            mark_on_map(axes, points(modes))
        for side, longitude in enumerate((front, front + 180)):
            axes = figure.add_subplot(grid[1, 2 * column + side])
            globe_panel(axes, cloud, grey, longitude, colour, name)
            axes.set_title(f"seen from {_named(longitude)}", fontsize=7)
    if title:
        figure.suptitle(title, fontsize=8)
    legend_below(figure)
    return figure


@styled
def map_strip(snapshots: Sequence[tuple[int, ArrayLike]], y: ArrayLike, drift: str = "") -> Figure:
    """Plot maps of samples at increasing steps, `(step, x [n 3])`, over the target `y` `[m 3]`: at most six, as in `sample_strip`."""
    shown = thinned(sorted(snapshots, key=lambda snapshot: snapshot[0]))
    n_columns = min(len(shown), 3)
    n_rows = -(-len(shown) // n_columns)
    figure = Figure((PAGE, PAGE / n_columns * (0.5 * n_rows) + 0.25 * n_rows + 0.25), layout="constrained")
    for place, (step, x) in enumerate(shown):
        axes = figure.add_subplot(n_rows, n_columns, place + 1, projection="mollweide")
        map_panel(axes, finite(points(x)), finite(points(y)), colour_of(drift), "generated", dot=1.2)
        axes.set_title(f"step {step}")
    legend_below(figure)
    return figure


def map_panel(
    axes: Axes, x: np.ndarray, grey: np.ndarray, colour: str, name: str, dot: float = 1.6, grey_name: str | None = None
) -> None:
    """Draw points `x` `[n 3]` over the points `grey` into axes of the projection `mollweide`; `dot` is the area of a point."""
    axes.set_xticks(np.radians(np.arange(-180 + _STEP, 180, _STEP)))
    axes.set_yticks(np.radians(np.arange(-90 + _STEP, 90, _STEP)))
    axes.tick_params(labelbottom=False, labelleft=False, left=False, bottom=False)
    axes.set_longitude_grid_ends(90)  # pyright: ignore[reportAttributeAccessIssue]
    axes.grid(color=_LINES, linewidth=0.4)
    axes.set_axisbelow(True)
    _dots(axes, angles_of(x), angles_of(grey), dot, colour, name, grey_name)
    if not len(x):
        empty_panel(axes)


def mark_on_map(axes: Axes, modes: np.ndarray) -> None:
    """Mark the centres `[k 3]` of modes on a map."""
    axes.scatter(*angles_of(modes).T, marker="+", s=30, linewidths=0.8, color="black", label="modes", zorder=4)


def globe_panel(axes: Axes, x: np.ndarray, grey: np.ndarray, longitude: float, colour: str, name: str) -> None:
    """Draw the points `x` over `grey` `[n 3]` that are seen from above the equator at `longitude` (degrees), with a grid."""
    axes.set(xlim=(-1.03, 1.03), ylim=(-1.03, 1.03), aspect="equal")
    axes.set_axis_off()
    axes.add_patch(Circle((0, 0), 1, facecolor="none", edgecolor=INK, linewidth=0.6, zorder=3))
    around = np.linspace(-np.pi, np.pi, 241)
    for latitude in np.radians(np.arange(-90 + _STEP, 90, _STEP)):
        _line(
            axes,
            np.cos(latitude) * np.cos(around),
            np.cos(latitude) * np.sin(around),
            np.full(241, np.sin(latitude)),
            longitude,
        )
    for meridian in np.radians(np.arange(0, 180, _STEP)):
        _line(axes, np.cos(around) * np.cos(meridian), np.cos(around) * np.sin(meridian), np.sin(around), longitude)
    (flat, shows), (flat_grey, shows_grey) = (seen_from(cloud, longitude) for cloud in (x, grey))
    _dots(axes, flat[shows], flat_grey[shows_grey], 1.6, colour, name)
    if not len(x):
        empty_panel(axes)


def _line(axes: Axes, x: np.ndarray, y: np.ndarray, z: np.ndarray, longitude: float) -> None:
    flat, is_seen = seen_from(np.stack([x, y, z], axis=1), longitude)
    axes.plot(*np.where(is_seen[:, None], flat, np.nan).T, color=_LINES, linewidth=0.4, zorder=0)


def _dots(
    axes: Axes, x: np.ndarray, grey: np.ndarray, dot: float, colour: str, name: str, grey_name: str | None = None
) -> None:
    axes.scatter(*grey.T, s=dot, color=TARGET, alpha=0.35, linewidths=0, rasterized=True, label=grey_name)
    if len(x):
        axes.scatter(*x.T, s=dot, color=colour, alpha=0.8, linewidths=0, rasterized=True, label=name)


def _named(longitude: float) -> str:
    """A longitude in degrees as 70° E or 110° W."""
    east = (longitude + 180) % 360 - 180
    return f"{abs(east):.0f}°" + ("" if east in (0, -180) else " E" if east > 0 else " W")
