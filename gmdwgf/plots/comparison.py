"""Figures of a sweep for a paper: curves by drift, final values by setting, and a grid of samples."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from gmdwgf.plots.curves import scale
from gmdwgf.plots.samples import View, panel, view_of
from gmdwgf.plots.style import COLUMN, PAGE, TARGET, DriftStyle, Figure, empty_panel, legend_below, save, styled

Curve = list[tuple[int, list[float]]]
"""Steps, and values of the seeds at each step."""

N_DOTS = 500
"""Maximum number of samples and targets in a panel, as dots are vector graphics."""


@styled
def curves_by_drift(
    curves: dict[str, Curve], floor: tuple[float, float] | None, styles: dict[str, DriftStyle]
) -> Figure:
    """Plot MMD^2 over training: mean over seeds, a band from minimum to maximum, and the floor `(low, high)`."""
    figure = Figure((COLUMN, 2.6), layout="constrained")
    axes = figure.subplots()
    for drift, curve in curves.items():
        steps = [step for step, _ in curve]
        style = styles[drift]
        line = {"color": style.colour, "linestyle": (0, style.dash) if style.dash else "-"}
        axes.plot(steps, [np.mean(values) for _, values in curve], label=drift, **line)
        low, high = [min(values) for _, values in curve], [max(values) for _, values in curve]
        axes.fill_between(steps, low, high, color=style.colour, alpha=0.18, linewidth=0)
    _scale(axes, [value for curve in curves.values() for _, values in curve for value in values], floor)
    axes.set(xlabel="step", ylabel="MMD²")
    axes.spines[["top", "right"]].set_visible(False)
    legend_below(figure)
    return figure


@styled
def finals_by_setting(
    finals: dict[str, list[tuple[str, list[float], int]]],
    floor: tuple[float, float] | None,
    styles: dict[str, DriftStyle],
    label: str = "MMD²",
) -> Figure:
    """Plot the final value of a metric, called `label`, of every setting of a drift; crosses mark lost seeds.

    `finals` has `(caption, values of seeds, number of lost seeds)` for every setting.
    """
    width = PAGE if sum(map(len, finals.values())) > 9 else COLUMN
    figure = Figure((width, 2.7), layout="constrained")
    parts = figure.subplots(1, len(finals), sharey=True, squeeze=False, width_ratios=[len(f) for f in finals.values()])
    values = [value for cells in finals.values() for _, seeds, _ in cells for value in seeds]
    for axes, (drift, cells) in zip(parts[0], finals.items(), strict=True):
        style = styles[drift]
        for place, (_, seeds, lost) in enumerate(cells):
            axes.plot([place] * len(seeds), seeds, style.marker, color=style.colour, markersize=3, alpha=0.6)
            if lost:
                above = {"transform": axes.get_xaxis_transform(), "clip_on": False}
                axes.plot(place, 1.03, "x", color="black", markersize=4, **above)
        _scale(axes, values, floor)
        captions = [caption.replace(", ", "\n") for caption, _, _ in cells]
        axes.set_xticks(range(len(cells)), captions, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.6, len(cells) - 0.4)
        axes.set_title(drift, pad=10)
        axes.spines[["top", "right"]].set_visible(False)
    parts[0, 0].set_ylabel(label)
    return figure


@styled
def sample_grid(grid: dict[str, list[tuple[str, np.ndarray | None, str]]], y: np.ndarray) -> Figure:
    """Plot samples, with drifts as rows and settings as columns: `(caption, samples [n d] or None, why there are none)`."""
    columns = max(len(row) for row in grid.values())
    side = min(PAGE / columns, 1.35)
    figure = Figure((max(side * columns, COLUMN), (side + 0.24) * len(grid)), layout="constrained")
    places = figure.subplots(len(grid), columns, squeeze=False)
    view = view_of(y)
    for line, (drift, row) in zip(places, grid.items(), strict=True):
        for axes, cell in zip(line, [*row, *[None] * (columns - len(row))], strict=True):
            _sample_panel(axes, cell, y, view, drift)
        line[0].set_ylabel(drift)
    return figure


def _sample_panel(
    axes: Axes, cell: tuple[str, np.ndarray | None, str] | None, y: np.ndarray, view: View, drift: str
) -> None:
    axes.set(xticks=[], yticks=[])
    if cell is None:
        axes.set_frame_on(False)
        return
    caption, x, why = cell
    axes.set_title(caption.replace(", ", "\n"), fontsize=7)
    if x is None:
        axes.set_box_aspect(1)
        empty_panel(axes, "" if why == "diverged" else why)
        return
    panel(axes, x[:N_DOTS], y[:N_DOTS], view, drift, dot=1.0)
    axes.set(xticks=[], yticks=[])
    for dots in axes.collections:
        dots.set_rasterized(False)


def _scale(axes: Axes, values: Sequence[float], floor: tuple[float, float] | None) -> None:
    found = np.array([value for value in values if np.isfinite(value)])
    if len(found):
        scale(axes, found, floor or ())
    if floor:
        axes.axhspan(*np.clip(floor, *axes.get_ylim()), color=TARGET, alpha=0.5, linewidth=0, label="data vs data")


FORMATS = ("pdf", "svg", "png")
"""Formats of every figure: two vector graphics whose text is text, and pixels (300 dpi)."""


def write_formats(figure: Figure, path: Path) -> list[Path]:
    """Save a figure in all `FORMATS`; `path` has no suffix. PDFs contain their fonts, SVGs name them."""
    paths = [path.with_name(f"{path.name}.{suffix}") for suffix in FORMATS]
    for written in paths:
        save(figure, written)
    return paths
