"""Points of a user as a target: arrays, tables and files of them, split into training and held-out rows."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.data import array_files
from gmdwgf.data.images import ImageShape
from gmdwgf.data.points import Options, read_points
from gmdwgf.data.sharded_reader import ShardedReader
from gmdwgf.data.windows import Window, window_of
from gmdwgf.targets.array_notes import Remarks, introduction_of
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.targets.standardisation import (
    MEDIAN_DISTANCE,
    Standardisation,
    check_method,
    standardised,
    typical_distance,
)
from gmdwgf.typing import Array, Float, Int, Key, Scalar, Targets

_N_AT_ONCE = 1024
"""Number of rows of a window that are standardised at a time."""

_N_DESCRIBED = 20_000
"""Number of the first rows of a window from which its standardisation is computed."""


class ArrayTarget(AbstractTarget):
    """The rows of an array `[N d]`, of images `[N h w]` or `[N h w c]`, or of a table or file with either (docs/own_data.md).

    `path` is the path, or the array or Arrow table itself; `key` selects an array, split or layer; `columns` selects columns of a
    table by name or number, by default all columns of numbers. `labels` names a column (or array of an `.npz` file) whose values
    are the classes; `weights` names one with non-negative weights. Rows with empty cells or NaN are refused, or dropped if
    `missing` is `drop`.

    A random permutation with seed `split_seed` selects the fraction `held_out_fraction` of the rows (at least two) as held out, with
    labels of each class, so that every class has training rows. `sample` draws training rows with replacement; `held_out` draws
    held-out rows, without replacement if there are enough. With weights both draw with replacement, with probabilities
    proportional to the weights, and so do the floors of metrics (`n_rows` is None); the standardisation ignores weights.

    Of a `.npy` file larger than `max_resident` (bytes as float32) only a part of the rows is in memory: `reader` reads the next, and
    `refreshed` returns this target with other rows, standardised as the first ones.

    `standardise` puts the rows to a standard scale (`gmdwgf.targets.standardisation`), computed from the training rows in double
    precision; `in_data_units` maps points back. Points are stored in JAX's default float type. Raises FieldError for a file that is
    missing or damaged, has another shape or type, is not finite, or contains a single distinct point.
    """

    train: Float[Array, "n_train d"]
    """Training rows, sorted by class."""
    held: Float[Array, "n_held d"]
    first: Int[Array, " k"] = eqx.field(repr=False)
    """Training rows of class k are `first[k]` to `first[k + 1]`; empty without classes."""
    held_labels: Int[Array, " m"] = eqx.field(repr=False)
    """Classes of the held-out rows; empty without classes."""
    train_weights: Float[Array, " n_train"] | None = eqx.field(repr=False)
    """Cumulative weights of the training rows, up to 1; None for equal weights."""
    held_weights: Float[Array, " n_held"] | None = eqx.field(repr=False)
    map_back: Standardisation | None = eqx.field(repr=False)
    unit_length: Float[Array, ""] = eqx.field(repr=False)
    """1 for standardised rows, half their median distance otherwise; see `length`."""
    names: tuple[str, ...] | None = eqx.field(static=True, repr=False)
    classes: tuple[str, ...] = eqx.field(static=True, repr=False)
    image: ImageShape | None = eqx.field(static=True, repr=False)
    window: Window | None = eqx.field(static=True, repr=False)
    """The file and the number of its rows in memory, if it is larger than memory."""
    notes: Remarks = eqx.field(static=True, repr=False)

    def __init__(
        self,
        path: Any,
        key: str | None,
        held_out_fraction: object,
        split_seed: object,
        standardise: Any = "none",
        columns: object = None,
        labels: object = None,
        weights: object = None,
        missing: Any = "refuse",
        max_resident: object = math.inf,
    ):
        held_out_fraction, split_seed = array_files.check_split(held_out_fraction, split_seed)
        check_method(standardise)
        options = Options(key, columns, labels, weights, missing)
        self.window = window_of(path, options, held_out_fraction, split_seed, max_resident)
        if self.window is None:
            points = read_points(path, options)
        else:
            points = read_points(np.concatenate(self.window.first_rows()), options, named=path)
        self.names, self.image = points.names, points.image
        self.classes = () if points.classes is None else points.classes.names
        of_class = None if points.classes is None else points.classes.labels
        if self.window is None:
            train, held = _split(len(points.rows), held_out_fraction, split_seed, of_class)
        else:
            train, held = np.split(np.arange(len(points.rows)), [self.window.n_kept])
        first_rows = points.rows[train if self.window is None else train[:_N_DESCRIBED]]
        z, z_held, self.map_back = standardised(first_rows, points.rows[held], standardise)
        unit = 1.0 if self.map_back is not None else typical_distance(first_rows) / MEDIAN_DISTANCE
        self.unit_length, self.notes = (
            jnp.asarray(unit),
            introduction_of(points, first_rows, len(held), standardise, self.window),
        )
        if self.window is not None:  # as the rows that are read later
            z, z_held = self._standard(points.rows[train]), self._standard(points.rows[held])
        self.first, self.held_labels = jnp.zeros(0, int), jnp.zeros(0, int)
        if of_class is not None:
            by_class = np.argsort(of_class[train], kind="stable")
            z, train = z[by_class], train[by_class]
            self.first = jnp.asarray(np.searchsorted(of_class[train], np.arange(len(self.classes) + 1)), int)
            self.held_labels = jnp.asarray(of_class[held], int)
        self.train, self.held = _as_floats(z), _as_floats(z_held)
        self.train_weights, self.held_weights = (
            None if points.weights is None else _cumulative(points.weights[part]) for part in (train, held)
        )

    @property
    def dim(self) -> int:
        return self.train.shape[1]

    @property
    def n_held_out(self) -> int:
        return self.held.shape[0]

    @property
    def standardisation(self) -> Standardisation | None:
        return self.map_back

    @property
    def length(self) -> Scalar:
        return self.unit_length

    @property
    def n_rows(self) -> int | None:
        """Number of training rows; None with weights, so that floors draw by weight as training does."""
        return self.train.shape[0] if self.train_weights is None else None

    @property
    def column_names(self) -> tuple[str, ...] | None:
        return self.names

    @property
    def n_classes(self) -> int:
        return len(self.classes)

    @property
    def class_names(self) -> tuple[str, ...] | None:
        return self.classes or None

    @property
    def class_shares(self) -> Float[Array, " c"] | None:
        if not self.classes:
            return None
        if self.train_weights is None:
            return jnp.diff(self.first) / self.train.shape[0]
        return jnp.diff(jnp.concatenate([jnp.zeros(1), self.train_weights])[self.first])

    def introduction(self) -> list[str]:
        """The number of rows, what is left out of the file, and how rows are standardised, with suggestions."""
        return list(self.notes.lines)

    def training_rows(self) -> Targets:
        return self.train

    def reader(self) -> ShardedReader | None:
        return None if self.window is None else self.window.reader()

    @property
    def n_kept(self) -> int:
        return len(self.train)

    def refreshed(self, rows: np.ndarray, labels: np.ndarray | None) -> "ArrayTarget":
        return eqx.tree_at(lambda target: target.train, self, _as_floats(self._standard(rows.reshape(len(rows), -1))))

    def _standard(self, rows: np.ndarray) -> np.ndarray:
        """Standardise rows in parts, so that no copy of all rows in double precision is in memory."""
        if self.map_back is None:
            return rows
        z = np.empty(rows.shape, jnp.zeros(()).dtype)
        for start in range(0, len(rows), _N_AT_ONCE):
            z[start : start + _N_AT_ONCE] = self.map_back.apply(rows[start : start + _N_AT_ONCE])
        return z

    def rows(self, key: Key, index: Int[Array, " n"]) -> Targets:
        return self.train[index]

    def sample(self, key: Key, n: int) -> Targets:
        if self.train_weights is None:
            return self.train[jax.random.choice(key, self.train.shape[0], (n,))]
        return self.train[_weighted(self.train_weights, jax.random.uniform(key, (n,)))]

    def held_out(self, key: Key, n: int) -> Targets:
        if self.held_weights is None:
            return self.held[jax.random.choice(key, self.n_held_out, (n,), replace=n > self.n_held_out)]
        return self.held[_weighted(self.held_weights, jax.random.uniform(key, (n,)))]

    def sample_of(self, key: Key, labels: Int[Array, " n"]) -> Targets:
        first, end = self.first[labels], self.first[labels + 1]
        if self.train_weights is None:
            return self.train[jax.random.randint(key, labels.shape, first, end)]
        up_to = jnp.concatenate([jnp.zeros(1), self.train_weights])
        u = jax.random.uniform(key, labels.shape)
        index = _weighted(self.train_weights, up_to[first] + u * (up_to[end] - up_to[first]))
        return self.train[jnp.clip(index, first, end - 1)]

    def labelled_held_out(self) -> tuple[Targets, Int[Array, " m"]] | None:
        return (self.held, self.held_labels) if self.classes else None

    def pictures(self, points: Targets) -> Float[Array, "m height width channels"] | None:
        return None if self.image is None else self.image.images(points)


def _as_floats(rows: np.ndarray) -> Array:
    return jnp.asarray(rows, jnp.zeros(()).dtype)


def _cumulative(weights: np.ndarray) -> Array:
    total = np.cumsum(weights)
    return _as_floats(total / total[-1])


def _weighted(cumulative: Float[Array, " m"], u: Float[Array, " n"]) -> Int[Array, " n"]:
    """Rows at levels `u` in [0, 1) of the cumulative weights."""
    return jnp.clip(jnp.searchsorted(cumulative, u, side="right"), 0, cumulative.shape[0] - 1)


def _split(n: int, fraction: float, seed: int, labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training and held-out rows in random order, at least two of each; every class keeps a training row."""
    order = np.random.default_rng(seed).permutation(n)
    if labels is None:
        n_held = min(max(round(fraction * n), 2), n - 2)
        return order[n_held:], order[:n_held]
    sizes = np.bincount(labels)
    n_held = np.minimum(np.round(fraction * sizes).astype(int), sizes - 1)
    while n_held.sum() < 2:
        n_held[np.argmax(sizes - n_held)] += 1
    sorted_rows = order[np.argsort(labels[order], kind="stable")]
    place = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # within the class
    is_held = np.zeros(n, bool)
    is_held[sorted_rows] = place < np.repeat(n_held, sizes)
    return order[~is_held[order]], order[is_held[order]]
