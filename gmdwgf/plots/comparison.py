"""Figures of a sweep for a paper: curves by drift, final values by setting, and a grid of samples."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from gmdwgf.plots.curves import scale
from gmdwgf.plots.samples import View, panel, view_of
from gmdwgf.plots.style import (
    COLUMN,
    INK,
    PAGE,
    PAGE_HEIGHT,
    TARGET,
    DriftStyle,
    Figure,
    empty_panel,
    legend_below,
    line_of,
    save,
    styled,
)

Curve = list[tuple[int, list[float]]]
"""Steps, and values of the seeds at each step."""

Floor = tuple[float, float] | None
"""Lower and upper edge of the scores of fresh data; None if they are unknown."""

T = TypeVar("T")


class Row(NamedTuple, Generic[T]):
    """Settings of one drift, with what each gave."""

    key: str
    """Names of the settings, e.g. `bandwidth`; empty if there is one only."""
    cells: list[tuple[str, T]]
    """Values of the settings, e.g. `0.3`, with their results."""


class Final(NamedTuple):
    """Final values of the seeds of a setting that reached the end, and the number of those that did not."""

    values: list[float]
    n_lost: int


class Samples(NamedTuple):
    """Samples `[n d]` of a setting, or why there are none."""

    x: np.ndarray | None
    why: str = ""


N_DOTS = 500
"""Maximum number of samples and targets in a panel, as dots are vector graphics."""

_LONG = 5
"""Number of letters from which labels of settings are slanted, so that they do not overlap."""

_WIDE = 14
"""Number of letters from which the name of a row is broken."""


@styled
def curves_by_drift(panels: dict[str, tuple[dict[str, Curve], Floor]], styles: dict[str, DriftStyle]) -> Figure:
    """Plot metrics over training, a panel for each label: mean over seeds, a band from minimum to maximum, and the floor."""
    names = list(dict.fromkeys(drift for curves, _ in panels.values() for drift in curves))
    ncols = 3 if len(panels) == 1 else 5
    height = 2.2 + 0.15 * math.ceil((len(names) + 1) / ncols)
    figure = Figure((COLUMN if len(panels) == 1 else PAGE, height), layout="constrained")
    for axes, (label, (curves, floor)) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        for drift, curve in curves.items():
            _curve(axes, drift, curve, styles[drift])
        _scale(axes, [value for curve in curves.values() for _, values in curve for value in values], floor)
        axes.set(xlabel="step", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))
        axes.spines[["top", "right"]].set_visible(False)
    legend_below(figure, ncols)
    return figure


def _curve(axes: Axes, drift: str, curve: Curve, style: DriftStyle) -> None:
    steps = [step for step, _ in curve]
    every = max(1, len(steps) // 8)
    axes.plot(steps, [np.mean(values) for _, values in curve], label=drift, markevery=every, **line_of(style, 2.8))
    low, high = [min(values) for _, values in curve], [max(values) for _, values in curve]
    axes.fill_between(steps, low, high, color=style.colour, alpha=0.12, linewidth=0)


@styled
def finals_by_setting(
    finals: dict[str, Row[Final]], floor: Floor, styles: dict[str, DriftStyle], label: str = "MMD²"
) -> Figure:
    """Plot the final value of a metric, called `label`, of every setting of a drift; crosses mark lost seeds."""
    across = 4 if len(finals) > 2 else 2
    n_lines = math.ceil(len(finals) / across)
    figure = Figure((PAGE if across == 4 else COLUMN, 0.5 + 1.6 * n_lines), layout="constrained")
    places = figure.subplots(n_lines, across, sharey=True, squeeze=False)
    values = [value for row in finals.values() for _, final in row.cells for value in final.values]
    for axes, (drift, row) in zip(places.flat, finals.items(), strict=False):
        _finals(axes, row, styles[drift])
        _scale(axes, values, floor)
        axes.set_title(drift, pad=9)
    for axes in list(places.flat)[len(finals) :]:
        axes.set_axis_off()
    for axes in places[:, 0]:
        axes.set_ylabel(label)
    if any(final.n_lost for row in finals.values() for _, final in row.cells):
        places[0, 0].add_line(Line2D([], [], color=INK, label="seeds lost: diverged or failed", **_CROSS))
    legend_below(figure)
    return figure


_CROSS = {"marker": "x", "markersize": 4, "linestyle": "none"}


def _finals(axes: Axes, row: Row[Final], style: DriftStyle) -> None:
    for place, (_, final) in enumerate(row.cells):
        dots = line_of(style) | {"linestyle": "none", "alpha": 0.7}
        axes.plot([place] * len(final.values), final.values, **dots)
        if final.n_lost:
            above = {"transform": axes.get_xaxis_transform(), "clip_on": False}
            axes.plot(place, 1.04, color=INK, **_CROSS, **above)
    captions = [caption for caption, _ in row.cells]
    is_long = max(map(len, captions)) > _LONG and len(captions) > 1
    slanted = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if is_long else {}
    axes.set_xticks(range(len(captions)), captions, **slanted)
    axes.set_xlim(-0.6, len(captions) - 0.4)
    axes.set_xlabel(row.key)
    axes.spines[["top", "right"]].set_visible(False)


@styled
def sample_grid(grid: dict[str, Row[Samples]], y: np.ndarray) -> Figure:
    """Plot samples, with drifts as rows and settings as columns; drifts that do not fit on a page are put side by side."""
    columns = max(len(row.cells) for row in grid.values())
    side = min(PAGE / columns, 1.35)
    n_blocks = 1 if len(grid) * (side + 0.24) <= PAGE_HEIGHT or columns > 4 else 2
    n_lines = math.ceil(len(grid) / n_blocks)
    side = min(PAGE / columns / n_blocks, 1.35)
    figure = Figure((max(side * columns * n_blocks, COLUMN), (side + 0.24) * n_lines), layout="constrained")
    places = figure.subplots(n_lines, columns * n_blocks, squeeze=False)
    for axes in places.flat:
        axes.set(xticks=[], yticks=[], frame_on=False)
    view = view_of(y)
    for n, (drift, row) in enumerate(grid.items()):
        block, line = divmod(n, n_lines)
        here = places[line, block * columns : (block + 1) * columns]
        for axes, (caption, samples) in zip(here, row.cells, strict=False):
            axes.set_title(caption, fontsize=7, pad=3)
            _sample_panel(axes, samples, y, view, drift)
        name = drift if len(drift) <= _WIDE else drift.replace("_", "_\n")
        here[0].set_ylabel(f"{name}\n{row.key}" if row.key else name, fontsize=7)
    return figure


def _sample_panel(axes: Axes, samples: Samples, y: np.ndarray, view: View, drift: str) -> None:
    axes.set_frame_on(True)
    if samples.x is None:
        axes.set_box_aspect(1)
        empty_panel(axes, samples.why)
        return
    panel(axes, samples.x[:N_DOTS], y[:N_DOTS], view, drift, dot=1.0)
    axes.set(xticks=[], yticks=[])
    for dots in axes.collections:
        dots.set_rasterized(False)


def _scale(axes: Axes, values: Sequence[float], floor: Floor) -> None:
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
