"""Compress clouds of points for the page: two coordinates of 16 bits each, at a few steps."""

import base64
from typing import Any, NamedTuple

import numpy as np

from gmdwgf.plots.samples import View, view_of
from gmdwgf.plots.style import points

BUDGET = 6_000_000
"""Total size in bytes of all samples of a page, before base64 adds a third."""

MAX_FRAMES, MAX_POINTS, MIN_POINTS, MAX_TARGETS = 9, 512, 96, 1000

VISIBLE = 16383
"""Integer coordinate at the edge of a panel; coordinates up to twice as large are stored, and -32768 encodes non-finite ones."""


class PlotWindow(NamedTuple):
    """The square that panels of a target show."""

    view: View
    centre: np.ndarray
    half: float

    def pack(self, cloud: np.ndarray) -> str:
        """Encode points `[n d]`, or frames of points `[k n d]`, as base64 of little-endian 16-bit integers `[... 2]`."""
        with np.errstate(invalid="ignore"):
            shown = self.view(points(cloud.reshape(-1, cloud.shape[-1])))
        if shown.shape[1] == 1:  # one-dimensional data: use the rank as second coordinate, so that dots do not overlap
            heights = np.tile(np.linspace(-0.9, 0.9, cloud.shape[-2]) * self.half, len(shown) // cloud.shape[-2])
            shown = np.column_stack([shown[:, 0], heights])
        with np.errstate(invalid="ignore"):
            scaled = np.clip(np.round((shown - self.centre) / self.half * VISIBLE), -32767, 32767)
        scaled[~np.isfinite(scaled).all(axis=1)] = -32768
        return base64.b64encode(scaled.astype("<i2").tobytes()).decode()


def window_of(y: np.ndarray) -> PlotWindow:
    """The window in which targets `[m d]` fill a panel, in the plane of their first two principal components."""
    view = view_of(y)
    lower, upper = (np.append(edge, [0.0] * (2 - len(edge))) for edge in (view.lower, view.upper))
    return PlotWindow(view, (lower + upper) / 2, float(np.max(upper - lower)) / 2 or 1.0)


def size(n_runs: int, n_frames: int) -> tuple[int, int]:
    """Number of frames and points of each run that fit the budget."""
    room = BUDGET // (4 * max(n_runs, 1))
    n_frames = max(min(n_frames, MAX_FRAMES, room // MIN_POINTS), 2)
    return n_frames, max(min(MAX_POINTS, room // n_frames), 1)


def spread_out(steps: np.ndarray, n: int) -> list[int]:
    """At most `n` indices of `steps`, including the first and last, evenly spaced in the logarithm of the step."""
    if len(steps) <= n:
        return list(range(len(steps)))
    goals = np.geomspace(max(steps[1], 1), max(steps[-1], 1), n - 1)
    return sorted({0, len(steps) - 1, *(int(np.abs(np.asarray(steps) - goal).argmin()) for goal in goals)})


def frames(kept: dict[str, np.ndarray], window: PlotWindow, n_runs: int) -> dict[str, Any]:
    """Samples of a run for the page."""
    n_frames, n_points = size(n_runs, len(kept["steps"]))
    chosen = spread_out(kept["steps"], n_frames)
    x = kept["x"][chosen, :n_points]
    return {"steps": kept["steps"][chosen].tolist(), "n": x.shape[1], "x": window.pack(x)}
