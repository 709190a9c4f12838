"""Draw the energy distances of all drifts and baselines on all sets."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.common.record import Number
from gmdwgf.plots.style import PAGE, Figure, drift_styles, legend_below, line_of, styled


@styled
def dots(
    numbers: Mapping[str, Number], sets: Sequence[str], drifts: Sequence[str], baselines: Sequence[str], close: float
) -> Figure:
    """A row of dots for each set: the median over seeds, with a line from the least to the largest."""
    figure = Figure((PAGE, 3.4), layout="constrained")
    axes = figure.subplots()
    kinds, styles = [*drifts, *baselines], drift_styles(drifts)
    of_baselines = dict(zip(baselines, "^s", strict=True))
    for k, kind in enumerate(kinds):
        places = np.arange(len(sets)) + (k - (len(kinds) - 1) / 2) * 0.1
        found = [numbers[f"{name}, {kind}: energy"] for name in sets]
        grey: dict[str, Any] = {"color": "0.4", "marker": of_baselines.get(kind), "markersize": 4}
        style: dict[str, Any] = (line_of(styles[kind], 4) if kind in styles else grey) | {"linestyle": "none"}
        axes.plot(places, [number.value for number in found], label=kind, **style)
        axes.vlines(places, [n.low for n in found], [n.high for n in found], color=style["color"], linewidth=0.8)
    axes.axhspan(-close, close, color="0.92", zorder=0)
    axes.set_yscale("symlog", linthresh=close)
    axes.set_xticks(range(len(sets)), sets, rotation=20, ha="right")
    axes.set_ylabel("energy distance above its floor [sd]")
    axes.spines[["top", "right"]].set_visible(False)
    legend_below(figure)
    return figure
