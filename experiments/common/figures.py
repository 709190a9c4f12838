"""What the figures of the experiments share."""

from typing import Any

from matplotlib.axes import Axes


def bare(axes: Axes, **properties: Any) -> None:
    """Without the frame's upper and right line; `properties` are those of `Axes.set`."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set(**properties)
