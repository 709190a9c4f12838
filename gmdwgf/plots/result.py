"""Plot the samples and the training curve of a run in one figure."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from gmdwgf.mappings import Record
from gmdwgf.plots.angles import angle_panel, in_degrees
from gmdwgf.plots.charts import Chart
from gmdwgf.plots.curves import metric_panel, step_axis
from gmdwgf.plots.globe import map_panel, mark_on_map
from gmdwgf.plots.samples import label_axes, mark, panel, view_of
from gmdwgf.plots.style import COLUMN, PAGE, Figure, colour_of, finite, legend_below, points, styled


@styled
def samples_and_curve(
    x: ArrayLike,
    y: ArrayLike,
    records: Sequence[Record],
    floor: Mapping[str, tuple[float, float]],
    title: str | None = None,
    modes: ArrayLike | None = None,
    drift: str = "",
    names: Sequence[str] | None = None,
    chart: Chart = "plane",
) -> Figure:
    """Plot the samples `x` `[n d]` over the target `y` `[m d]`, and MMD^2 against the step with its floor.

    The panels are those of `samples_over_target` and `metric_curves`.
    """
    figure = Figure((PAGE, COLUMN), layout="constrained")
    left = figure.add_subplot(1, 2, 1, projection="mollweide" if chart == "globe" else None)
    right = figure.add_subplot(1, 2, 2)
    _draw_samples(left, points(x), points(y), chart, None if modes is None else points(modes), drift, names)
    metric_panel(right, records, "mmd2", floor, drift)
    step_axis(right, records)
    if title:
        figure.suptitle(title, fontsize=8)
    legend_below(figure)
    return figure


def _draw_samples(
    axes: Axes,
    x: np.ndarray,
    y: np.ndarray,
    chart: Chart,
    modes: np.ndarray | None,
    drift: str,
    names: Sequence[str] | None,
) -> None:
    if chart == "globe":
        map_panel(axes, finite(x), finite(y), colour_of(drift), "generated", grey_name="target")
        if modes is not None:
            mark_on_map(axes, modes)
        return
    if chart == "angles":
        angle_panel(axes, finite(x)[:, :2], finite(y)[:, :2], colour_of(drift), "generated", grey_name="target")
        if modes is not None:
            mark(axes, in_degrees(modes[:, :2]))
        return
    view = view_of(y)
    panel(axes, x, y, view, drift)
    if modes is not None:
        mark(axes, view(modes))
    label_axes(axes, view, names)
