"""Style of all figures: widths of a paper column, one colour for each drift, no display and no global state."""

import functools
import io
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import matplotlib
import matplotlib.figure
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from numpy.typing import ArrayLike

from gmdwgf.files import replaced_atomically

COLUMN, PAGE = 3.3, 6.75
"""Widths of a column and a page of a paper, in inches."""

TARGET = "#aaaaaa"
INK = "#222222"

# Colours of Okabe and Ito, and two of Tol, which are distinguishable with common colour vision deficiencies.
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#44AA99")

_COLOURS: dict[str, str] = dict(
    zip(
        ("sinkhorn", "kl", "mmd", "deng", "sinkhorn_proxy", "sliced_wasserstein", "critic", "mean_shift"),
        _PALETTE,
        strict=True,
    )
)

# Lines of the same colour are distinguished by dashes (lengths in line widths; empty: solid) and markers.
_DASHES, _MARKERS = ((), (5.0, 2.0), (1.5, 1.5), (6.0, 2.0, 1.5, 2.0)), ("o", "s", "^", "D")

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
    "svg.fonttype": "none",
    "savefig.dpi": 300,
}


def colour_of(drift: str) -> str:
    """Colour of a drift, the same in all figures; unknown names get a colour by a hash."""
    return _COLOURS.get(drift, _PALETTE[zlib.crc32(drift.encode()) % len(_PALETTE)])


class Figure(matplotlib.figure.Figure):
    """A figure that a notebook displays if it is the last expression of a cell.

    Figures are created without pyplot, and would otherwise not be displayed.
    """

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png", dpi=150)
        return picture.getvalue()


class DriftStyle(NamedTuple):
    """Line style of a drift in figures with several drifts."""

    colour: str
    on_dark: str
    """The same hue, lighter, for dark backgrounds."""
    dash: tuple[float, ...]
    marker: str


def drift_styles(names: Iterable[str]) -> dict[str, DriftStyle]:
    """Colour of every drift, with dashes and markers that distinguish drifts of the same colour."""
    styles: dict[str, DriftStyle] = {}
    for name in names:
        colour = colour_of(name)
        nth = sum(style.colour == colour for style in styles.values()) % len(_DASHES)
        styles[name] = DriftStyle(colour, _lighter(colour), _DASHES[nth], _MARKERS[nth])
    return styles


def _lighter(colour: str, share: float = 0.35) -> str:
    numbers = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(n + share * (255 - n)):02X}" for n in numbers)


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


def points(cloud: ArrayLike) -> np.ndarray:
    """Convert a cloud to a float64 NumPy array `[n d]`; one-dimensional points can have shape `[n]`."""
    array = np.asarray(cloud, float)
    return array[:, None] if array.ndim == 1 else array


def finite(cloud: np.ndarray) -> np.ndarray:
    """Rows of `cloud` `[n d]` with only finite entries."""
    return cloud[np.isfinite(cloud).all(axis=1)]


_UNLIKE = 5
"""Ratio of the extents of two coordinates above which their axes are not equal."""


def box(y: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper limits `[d]` around nearly all of `y` `[m d]`, extended by `margin` times the extent.

    The extent is that of the central 99 % in each coordinate, which ignores a few outliers.
    """
    inside = finite(y)
    if not len(inside):
        return np.full(y.shape[1], -1.0), np.full(y.shape[1], 1.0)
    lower, upper = np.quantile(inside, [0.005, 0.995], axis=0)
    extent = upper - lower
    largest = np.max(extent)
    # Coordinates of unlike extents have axes of their own, and a constant one has the room of the largest.
    extent = np.where(extent > 0, extent, largest) if is_unlike(lower, upper) else largest
    room = margin * extent if largest > 0 else 1.0
    return lower - room, upper + room


def is_unlike(lower: np.ndarray, upper: np.ndarray) -> bool:
    """Whether the extents of two coordinates differ so much that equal axes would hide one of them."""
    extent = upper - lower
    return bool(np.max(extent) > _UNLIKE * np.min(extent))


def legend_below(figure: Figure) -> None:
    """Draw one legend for all panels below them, with enlarged dots."""
    entries = {
        label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if not entries:
        return
    legend = figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=3, handletextpad=0.4)
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_sizes([16.0])


def empty_panel(axes: Axes, why: str = "diverged") -> None:
    """Draw an empty panel with the reason why it is empty."""
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", style="italic")
