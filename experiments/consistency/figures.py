"""Clouds at rest far from the target, and how the found clouds lie by distance and stability."""

from typing import Any

import numpy as np

from experiments.common.figures import bare
from experiments.consistency.search import DRIFTS, target_cloud
from gmdwgf.plots.style import INK, PAGE, TARGET, Figure, colour_of, empty_panel, styled


@styled
def gallery(chosen: dict[str, dict[str, Any] | None]) -> Figure:
    """One panel a drift: the cloud at rest that the flow keeps (or, if it keeps none, the one farthest off)."""
    figure = Figure((PAGE, 3.3), layout="constrained")
    panels = figure.subplots(2, 5).ravel()
    for axes, (name, found) in zip(panels, chosen.items(), strict=True):
        axes.set(aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.2, 3.0), xticks=(), yticks=(), title=name)
        if found is None:
            empty_panel(axes, "none found")
            continue
        axes.scatter(*np.asarray(target_cloud(found["seed"])).T, s=6, color=TARGET, linewidths=0)
        stable = found["stable"]
        colour = colour_of(DRIFTS[name][0])
        spots, counts = np.unique(np.round(found["cloud"], 3), axis=0, return_counts=True)
        size = 9 * np.sqrt(counts)
        axes.scatter(*spots.T, s=size, facecolor=colour if stable else "white", edgecolor=colour, linewidths=0.8)
        axes.set_xlabel(f"{'stable' if stable else 'unstable'}, λ = {found['rate']:.2g}")
    return figure


@styled
def distances(found: dict[str, list[dict[str, Any]]], far: float) -> Figure:
    """Energy distance of every cloud at rest, filled where it is stable; a row a drift."""
    figure = Figure((PAGE / 2, 2.9), layout="constrained")
    axes = figure.subplots()
    bare(axes)
    spread = np.random.default_rng(0)
    for row, (name, clouds) in enumerate(found.items()):
        colour = colour_of(DRIFTS[name][0])
        for cloud in clouds:
            height = row + 0.3 * (spread.random() - 0.5)
            face = colour if cloud["stable"] else "white"
            distance = max(cloud["distance"], 1e-3)
            axes.scatter(distance, height, s=9, facecolor=face, edgecolor=colour, linewidths=0.6, alpha=0.9)
    axes.axvline(far, color=INK, linewidth=0.7, linestyle=":")
    axes.text(far * 1.1, -0.45, "far", fontsize="small", va="center")
    axes.set(xscale="log", xlabel="energy distance (filled: stable)")
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    return figure
