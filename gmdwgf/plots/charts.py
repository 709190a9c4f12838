"""Choose how points of a manifold are drawn: a globe and maps, angles, or the plane."""

from collections.abc import Sequence
from typing import Literal

from numpy.typing import ArrayLike

from gmdwgf.plots.angles import angle_strip, angles_over_target
from gmdwgf.plots.globe import globes_and_maps, map_strip
from gmdwgf.plots.samples import pairs_of_columns, sample_strip, samples_over_target
from gmdwgf.plots.style import Figure, points

Chart = Literal["plane", "globe", "angles"]


def chart_of(manifold: str, dim: int) -> Chart:
    """The chart of points `[n dim]` of the manifold of this name: a globe for the sphere in R^3, angles for a torus, or the plane."""
    if manifold == "sphere" and dim == 3:
        return "globe"
    return "angles" if manifold == "torus" and dim >= 2 else "plane"


def sample_figures(
    snapshots: Sequence[tuple[int, ArrayLike]],
    y: ArrayLike,
    chart: Chart,
    title: str | None = None,
    modes: ArrayLike | None = None,
    drift: str = "",
    names: Sequence[str] | None = None,
    training: ArrayLike | None = None,
) -> dict[str, Figure]:
    """Plot the last samples, and those of several steps, `(step, x [n d])`, with the target `y` `[m d]`, by figure name.

    `training` are training points `[k d]`, shown on a globe only. Points in more than two dimensions have a figure of pairs, too.
    """
    x = snapshots[-1][1]
    if chart == "globe":
        return {
            "samples": globes_and_maps(x, y, title, modes, drift, training),
            "strip": map_strip(snapshots, y, drift),
        }
    if chart == "angles":
        return {
            "samples": angles_over_target(x, y, title, modes, drift, names),
            "strip": angle_strip(snapshots, y, drift),
        }
    found = {
        "samples": samples_over_target(x, y, title, modes, drift, names),
        "strip": sample_strip(snapshots, y, drift),
    }
    return found | ({"pairs": pairs_of_columns(x, y, names, drift)} if points(y).shape[1] > 2 else {})
