"""Style of all figures: widths of a paper column, fonts, no display and no global state."""

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
import matplotlib.figure
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from gmdwgf.files import replaced_atomically
from gmdwgf.plots.palette import DriftStyle as DriftStyle, colour_of as colour_of, drift_styles as drift_styles
from gmdwgf.view import box as box, finite as finite, is_unlike as is_unlike, points as points

COLUMN, TEXT, PAGE = 3.3, 5.5, 6.75
"""Widths in inches: a column of two, the text of one column (NeurIPS, ICLR), and two columns (ICML, IEEE, Nature)."""

PAGE_HEIGHT = 9.0
"""Height of the text of a page, in inches."""

TARGET = "#aaaaaa"
INK = "#222222"

_RC: Any = {
    "font.family": "DejaVu Sans",  # included in matplotlib, hence available on every machine
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "pdf.fonttype": 42,  # embed text as text in PDFs
    "svg.fonttype": "path",  # outlines of letters, as a viewer may not have the font
    "savefig.dpi": 300,
}


class Figure(matplotlib.figure.Figure):
    """A figure that a notebook displays if it is the last expression of a cell.

    Figures are created without pyplot, and would otherwise not be displayed.
    """

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png", dpi=150)
        return picture.getvalue()


def line_of(style: DriftStyle, size: float = 3.0) -> dict[str, Any]:
    """Properties of a line in the style of a drift, with markers of `size` points."""
    return {
        "color": style.colour,
        "linestyle": (0, style.dash) if style.dash else "-",
        "marker": style.marker,
        "markersize": size,
        "markerfacecolor": "white" if style.hollow else style.colour,
        "zorder": 2.1 if style.dash else 2.0,  # where curves coincide, the gaps of dashes show the solid one
    }


P = ParamSpec("P")
R = TypeVar("R")


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Decorator that runs a drawing function in this style and restores matplotlib's settings."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context(_RC):
            return draw(*args, **kwargs)

    return drawn


@styled
def save(figure: Figure, path: Path) -> None:
    """Write a figure, atomically; the format is that of the suffix: png (300 dpi), pdf or svg."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_atomically(path) as temporary:
        figure.savefig(temporary)


def plain(name: str) -> str:
    """A name of data for a label: shortened, and without mathematical text."""
    return (name if len(name) <= 40 else f"{name[:37]}...").replace("$", r"\$")


def legend_below(figure: Figure, ncols: int = 3) -> None:
    """Draw one legend for all panels below them, in `ncols` columns, with enlarged dots."""
    entries = {
        label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if not entries:
        return
    legend = figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=ncols, handletextpad=0.4)
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_sizes([16.0])


def empty_panel(axes: Axes, why: str = "diverged") -> None:
    """Draw an empty panel with the reason why it is empty."""
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", style="italic")
