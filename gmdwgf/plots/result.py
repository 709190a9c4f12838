"""Plot the samples and the training curve of a run in one figure."""

from collections.abc import Mapping, Sequence

from numpy.typing import ArrayLike

from gmdwgf.mappings import Record
from gmdwgf.plots.curves import metric_panel, step_axis
from gmdwgf.plots.samples import label_axes, mark, panel, view_of
from gmdwgf.plots.style import COLUMN, PAGE, Figure, legend_below, points, styled


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
) -> Figure:
    """Plot the samples `x` `[n d]` over the target `y` `[m d]`, and MMD^2 against the step with its floor.

    The panels are those of `samples_over_target` and `metric_curves`.
    """
    figure = Figure((PAGE, COLUMN), layout="constrained")
    left, right = figure.subplots(1, 2)
    view = view_of(y)
    panel(left, x, y, view, drift)
    if modes is not None:
        mark(left, view(points(modes)))
    label_axes(left, view, names)
    metric_panel(right, records, "mmd2", floor, drift)
    step_axis(right, records)
    if title:
        figure.suptitle(title, fontsize=8)
    legend_below(figure)
    return figure
