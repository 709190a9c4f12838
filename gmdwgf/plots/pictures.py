"""Plot image targets as images instead of dots."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from gmdwgf.plots.samples import thinned
from gmdwgf.plots.style import COLUMN, PAGE, TARGET, Figure, colour_of, empty_panel, legend_below, plain, styled

_GAP = 2
"""Gap between images, in pixels."""


def mosaic(pictures: ArrayLike, n_columns: int) -> np.ndarray:
    """Tile images `[n h w c]` row by row into one image, with light gaps and empty cells at the end; grey images give `[H W]`."""
    pictures = np.clip(np.nan_to_num(np.asarray(pictures, float)), 0.0, 1.0)
    n, height, width, channels = pictures.shape
    n_rows = -(-n // n_columns)
    canvas = np.full((n_rows, height + _GAP, n_columns, width + _GAP, channels), _paper(channels))
    row, column = np.divmod(np.arange(n), n_columns)
    canvas[row, :height, column, :width] = pictures
    joined = canvas.reshape(n_rows * (height + _GAP), n_columns * (width + _GAP), channels)[:-_GAP, :-_GAP]
    return joined[..., 0] if channels == 1 else joined


def _paper(channels: int) -> float:
    """Value that is shown as white; grey images are shown inverted."""
    return 0.0 if channels == 1 else 1.0


def by_class(labels: ArrayLike, n_columns: int) -> np.ndarray:
    """Indices `[k n_columns]` of the first images of each class, one class per row; -1 where a class has fewer."""
    labels = np.asarray(labels)
    index = np.full((int(labels.max()) + 1, n_columns), -1)
    for label, row in enumerate(index):
        found = np.flatnonzero(labels == label)[:n_columns]
        row[: len(found)] = found
    return index


@styled
def picture_grid(
    pictures: ArrayLike,
    title: str | None = None,
    labels: ArrayLike | None = None,
    n_columns: int = 10,
    n_rows: int = 10,
    class_names: Sequence[str] | None = None,
) -> Figure:
    """Plot the first images of `[n h w c]` in a grid; with `labels` `[n]`, one class per row, with its name or number."""
    pictures = np.asarray(pictures)
    if labels is None:
        shown = pictures[: n_columns * n_rows]
    else:
        index = by_class(labels, n_columns)
        absent = (index < 0)[..., None, None, None]
        shown = np.where(absent, _paper(pictures.shape[-1]), pictures[index]).reshape(-1, *pictures.shape[1:])
    figure = Figure(_size(COLUMN, shown, n_columns, 0.25 if title else 0.0), layout="constrained")
    axes = _show(figure.subplots(), shown, n_columns)
    if labels is not None:
        pitch = pictures.shape[1] + _GAP
        names = [plain(class_names[k]) if class_names else str(k) for k in range(len(index))]
        axes.set_yticks(np.arange(len(index)) * pitch + pictures.shape[1] / 2, names)
        axes.tick_params(left=False)
    if title:
        axes.set_title(title)
    return figure


@styled
def picture_strip(snapshots: Sequence[tuple[int, ArrayLike]], n_shown: int = 16) -> Figure:
    """Plot the first images `[n h w c]` at each step, in adjacent squares; at most six steps, as in `sample_strip`."""
    shown = thinned(sorted(snapshots, key=lambda snapshot: snapshot[0]))
    n_columns = max(int(np.sqrt(n_shown)), 1)
    width = PAGE if len(shown) > 3 else COLUMN
    figure = Figure((width, width / max(len(shown), 2) + 0.3), layout="constrained")
    for axes, (step, pictures) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        _show(axes, np.asarray(pictures)[:n_shown], n_columns)
        axes.set_title(f"step {step}")
    return figure


class Neighbours(NamedTuple):
    """Nearest neighbour of each row, with the ratio of the distances to the nearest and second nearest rows."""

    index: np.ndarray
    """`[n]`"""
    ratio: np.ndarray
    """`[n]`, ratio of the distances to the nearest and second nearest row: near 0 for a copy, near 1 for a new image."""


def nearest(x: ArrayLike, y: ArrayLike) -> Neighbours:
    """Find the nearest row of `y` `[m ...]`, m > 1, for each row of `x` `[n ...]`, in Euclidean distance."""
    x, y = (jnp.asarray(cloud).reshape(len(cloud), -1) for cloud in (np.asarray(x), np.asarray(y)))
    centre = y.mean(axis=0)
    x, y = x - centre, y - centre
    r2 = np.asarray(jnp.sum(x**2, axis=1)[:, None] + jnp.sum(y**2, axis=1) - 2 * x @ y.T, float)
    two = np.argpartition(r2, 1, axis=1)[:, :2]
    # Recompute the two smallest distances directly, since the expanded square is inaccurate near zero.
    apart = np.linalg.norm(np.asarray(y)[two] - np.asarray(x)[:, None], axis=-1)
    order = np.argsort(apart, axis=1)
    first, second = np.take_along_axis(apart, order, axis=1).T
    index = np.take_along_axis(two, order, axis=1)[:, 0]
    return Neighbours(index, np.divide(first, second, out=np.ones_like(first), where=second > 0))


@styled
def nearest_training(
    pictures: ArrayLike, training: ArrayLike, found: dict[str, Neighbours], n_shown: int = 12
) -> Figure:
    """Plot generated images with their nearest training images, to check for memorisation.

    There is one row for each distance in `found` (pixels, features), with the ratio of the distances to the nearest and second
    nearest image below each image.
    """
    pictures, training = np.asarray(pictures)[:n_shown], np.asarray(training)
    n = len(pictures)
    figure = Figure((PAGE, (1 + len(found)) * (PAGE / n + 0.12)), layout="constrained")
    rows = figure.subplots(1 + len(found), n, squeeze=False)
    for row, name in zip(rows, ["generated", *found], strict=True):
        neighbours = found.get(name)
        for k, axes in enumerate(row):
            _show(axes, pictures[k][None] if neighbours is None else training[neighbours.index[k]][None], 1)
            if neighbours is not None:
                axes.set_xlabel(f"{neighbours.ratio[k]:.2f}", labelpad=1)
        row[0].set_ylabel(name if neighbours is None else f"nearest in\n{name}")
    return figure


@styled
def class_histogram(shares: ArrayLike, data_shares: ArrayLike, drift: str = "") -> Figure:
    """Plot class shares `[c]` of generated images, by the classifier, next to those of held-out data."""
    figure = Figure((COLUMN, 1.9), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(np.asarray(shares)))
    axes.bar(places - 0.2, data_shares, 0.4, color=TARGET, label="held-out data")
    axes.bar(places + 0.2, shares, 0.4, color=colour_of(drift), label="generated")
    axes.set(xlabel="class, by the classifier", ylabel="share", xticks=places)
    axes.spines[["top", "right"]].set_visible(False)
    legend_below(figure)
    return figure


def between(start: np.ndarray, end: np.ndarray, n: int) -> np.ndarray:
    """Spherical interpolation `[n d]` from `start` `[d]` to `end`, with interpolated norms, so that Gaussian noise stays typical."""
    t = np.linspace(0.0, 1.0, n)[:, None]
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    angle = np.arccos(np.clip(start @ end / (lengths[0] * lengths[1]), -1.0, 1.0))
    if np.sin(angle) < 1e-6:
        return (1 - t) * start + t * end
    turned = (np.sin((1 - t) * angle) * start / lengths[0] + np.sin(t * angle) * end / lengths[1]) / np.sin(angle)
    return turned * ((1 - t) * lengths[0] + t * lengths[1])


@styled
def interpolations(pictures_of: Callable[[np.ndarray], ArrayLike], z: np.ndarray, n_between: int = 10) -> Figure:
    """Plot interpolations: one row of `n_between` images, generated by `pictures_of`, for each pair of noises in `z` `[2k l]`."""
    steps = [between(start, end, n_between) for start, end in zip(z[::2], z[1::2], strict=True)]
    shown = np.asarray(pictures_of(np.concatenate(steps).astype(z.dtype)))
    figure = Figure(_size(COLUMN, shown, n_between), layout="constrained")
    _show(figure.subplots(), shown, n_between)
    return figure


def _size(width: float, pictures: np.ndarray, n_columns: int, extra: float = 0.0) -> tuple[float, float]:
    n_rows = -(-len(pictures) // n_columns)
    return width, width * n_rows * pictures.shape[1] / (n_columns * pictures.shape[2]) + extra


def _show(axes: Axes, pictures: np.ndarray, n_columns: int) -> Axes:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if not len(pictures) or not np.isfinite(pictures).any():
        empty_panel(axes)
        return axes
    axes.imshow(mosaic(pictures, n_columns), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    return axes
