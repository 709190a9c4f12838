"""The part of space that panels show, computed from the data alone, and the rule by which samples have left the data (ours).

A run has *left the data* if at its end every sample is outside of the view and farther from the data than at its start (in the
median). It then ends as diverged, like a run whose numbers are not finite or beyond `training.divergence_radius`; it does so
from the step on from which this held at all evaluations. Reports, figures and tables read this from the run. A run whose samples
start outside and approach the data is not diverged, however far it has come.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

MARGIN = 0.15
"""Room around the data, as a fraction of their extent (ours)."""

_UNLIKE_COLUMNS = 30
"""Ratio of the standard deviations of two columns above which principal components are those of scaled columns."""

_UNLIKE_EXTENTS = 5
"""Ratio of the extents of two coordinates above which their axes are not equal."""


class View(NamedTuple):
    """Projection and limits for plotting points `[n d]`, computed from the target only, and hence the same in all panels."""

    centre: np.ndarray
    directions: np.ndarray
    """`[k d]`, k = 1 or 2: the coordinates if d <= 2, otherwise the first two principal components of the target.

    If columns have unlike spreads, each is divided by its standard deviation first.
    """
    lower: np.ndarray
    upper: np.ndarray

    def __call__(self, cloud: np.ndarray) -> np.ndarray:
        return (cloud - self.centre) @ self.directions.T

    def holds(self, cloud: np.ndarray) -> np.ndarray:
        """Which points `[n d]` are within the limits, `[n]`; those that are not finite are not."""
        with np.errstate(invalid="ignore", over="ignore"):
            seen = self(cloud)
            return np.all((seen >= self.lower) & (seen <= self.upper), axis=1)


def view_of(y: ArrayLike) -> View:
    """Make the view in which the target points `y` `[m d]` fill a panel."""
    y = points(y)
    d = y.shape[1]
    centre, directions = np.zeros(d), np.eye(d)
    if d > 2:
        inside = finite(y)
        centre = inside.mean(axis=0)
        spread = inside.std(axis=0)
        varying = spread[spread > 0]
        unlike = len(varying) > 0 and varying.max() > _UNLIKE_COLUMNS * varying.min()
        per_column = np.where(spread > 0, spread, 1.0) if unlike else np.ones(d)
        directions = np.linalg.svd((inside - centre) / per_column, full_matrices=False)[2][:2]
        largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
        # Without the sign the figure could be mirrored on another machine.
        directions = directions * np.sign(largest) / per_column
    return View(centre, directions, *box((y - centre) @ directions.T, MARGIN))


def left_since(steps: Sequence[int], x: Sequence[ArrayLike] | np.ndarray, y: ArrayLike) -> int | None:
    """Step from which on samples have left the data; None if those of the last step have not.

    `x` are the samples `[n d]` at each of the increasing `steps`, and `y` `[m d]` targets.
    """
    middle = np.median(finite(points(y)), axis=0)
    far = [_median_distance(points(cloud), middle) for cloud in x]
    if not far[-1] > far[0]:
        return None
    view, since = view_of(y), None
    for step, cloud, distance in reversed(list(zip(steps, x, far, strict=True))):
        if distance <= far[0] or view.holds(points(cloud)).any():
            break
        since = int(step)
    return since


def _median_distance(cloud: np.ndarray, middle: np.ndarray) -> float:
    """Median distance of points from `middle`; infinite if most of them are not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        distances = np.linalg.norm(cloud - middle, axis=1)
    return float(np.median(np.where(np.isnan(distances), np.inf, distances)))


def points(cloud: ArrayLike) -> np.ndarray:
    """Convert a cloud to a float64 NumPy array `[n d]`; one-dimensional points can have shape `[n]`."""
    array = np.asarray(cloud, float)
    return array[:, None] if array.ndim == 1 else array


def finite(cloud: np.ndarray) -> np.ndarray:
    """Rows of `cloud` `[n d]` with only finite entries."""
    return cloud[np.isfinite(cloud).all(axis=1)]


def box(y: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper limits `[d]` around nearly all of `y` `[m d]`, extended by `margin` times the extent.

    The extent is that of the central 99 % in each coordinate, which ignores a few outliers.
    """
    inside = finite(y)
    if not len(inside):
        return np.full(y.shape[1], -1.0), np.full(y.shape[1], 1.0)
    lower, upper = np.quantile(inside, [0.005, 0.995], axis=0)
    extent = upper - lower
    largest = np.max(extent)
    # Coordinates of unlike extents have axes of their own, and a constant one has the room of the largest.
    extent = np.where(extent > 0, extent, largest) if is_unlike(lower, upper) else largest
    room = margin * extent if largest > 0 else 1.0
    return lower - room, upper + room


def is_unlike(lower: np.ndarray, upper: np.ndarray) -> bool:
    """Whether the extents of two coordinates differ so much that equal axes would hide one of them."""
    extent = upper - lower
    return bool(np.max(extent) > _UNLIKE_EXTENTS * np.min(extent))
