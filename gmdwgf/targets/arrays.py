"""Arrays of points as targets, split into training and held-out rows."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.config.fields import FieldError
from gmdwgf.data import array_files
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.targets.standardisation import (
    MEDIAN_DISTANCE,
    Standardisation,
    check_method,
    standardised,
    typical_distance,
)
from gmdwgf.typing import Array, Float, Int, Key, Scalar, Targets

MIN_ROWS = 4
"""Two rows for training and two held-out rows: unbiased estimators need at least one pair."""

_UNLIKE = 30
"""Ratio of the standard deviations of two columns above which `standardise=coordinates` is suggested (ours)."""


class ArrayTarget(AbstractTarget):
    """The rows of an array `[N d]`, or of a `.npy` or `.npz` file with one.

    A random permutation with seed `split_seed` selects the fraction `held_out_fraction` of the rows (at least two) as held out.
    `sample` draws training rows with replacement; `held_out` draws held-out rows, without replacement if there are enough. `key`
    names the array in an `.npz` file with several arrays.

    `standardise` puts the rows to a standard scale (`gmdwgf.targets.standardisation`), computed from the training rows in double
    precision; `in_data_units` maps points back. Points are stored in JAX's default float type. Raises FieldError for a file that is
    missing or damaged, has another shape or type, is not finite, or contains a single distinct point.
    """

    train: Float[Array, "n_train d"]
    held: Float[Array, "n_held d"]
    map_back: Standardisation | None
    unit_length: Float[Array, ""]
    """1 for standardised rows, half their median distance otherwise; see `length`."""
    notes: tuple[str, ...] = eqx.field(static=True)

    def __init__(
        self,
        path: str | np.ndarray | None,
        key: str | None,
        held_out_fraction: Any,
        split_seed: Any,
        standardise: Any = "none",
    ):
        if not isinstance(held_out_fraction, float) or not 0 < held_out_fraction < 1:
            raise FieldError("held_out_fraction", held_out_fraction, "must be a number between 0 and 1, e.g. 0.2")
        if type(split_seed) is not int or split_seed < 0:
            raise FieldError("split_seed", split_seed, "must be an integer, at least 0")
        check_method(standardise)
        rows = _rows(path, key)
        order = np.random.default_rng(split_seed).permutation(len(rows))
        n_held = min(max(round(held_out_fraction * len(rows)), 2), len(rows) - 1)  # a score needs a pair of points
        training, held = rows[order[n_held:]], rows[order[:n_held]]
        z, z_held, self.map_back = standardised(training, held, standardise)
        self.train, self.held = _as_floats(z), _as_floats(z_held)
        self.notes = tuple(_notes(training, held, standardise))
        unit = 1.0 if self.map_back is not None else typical_distance(training) / MEDIAN_DISTANCE
        self.unit_length = jnp.asarray(unit)

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
    def n_rows(self) -> int:
        return self.train.shape[0]

    def introduction(self) -> list[str]:
        """The number of rows and how they are standardised, with a suggestion for columns of unlike spreads."""
        return list(self.notes)

    def training_rows(self) -> Targets:
        return self.train

    def rows(self, key: Key, index: Int[Array, " n"]) -> Targets:
        return self.train[index]

    def sample(self, key: Key, n: int) -> Targets:
        return self.train[jax.random.choice(key, self.train.shape[0], (n,))]

    def held_out(self, key: Key, n: int) -> Targets:
        return self.held[jax.random.choice(key, self.n_held_out, (n,), replace=n > self.n_held_out)]


def _as_floats(rows: np.ndarray) -> Array:
    return jnp.asarray(rows, jnp.zeros(()).dtype)


def _notes(training: np.ndarray, held: np.ndarray, method: str) -> list[str]:
    """Lines about the rows to print before a run."""
    spread = np.std(training, axis=0, dtype=np.float64)
    varying = spread[spread > 0]
    n_columns = training.shape[1]
    line = f"data: {len(training)} training and {len(held)} held-out rows of {n_columns} columns"
    if method == "none":
        line += f", used as they are (standardise=none; median distance {typical_distance(training):.3g})"
        lines = [line]
    else:
        lines = [
            f"{line}; standardise={method} (median distance 2): samples and figures have the units of the data, metrics and lengths "
            "those of the standardised rows"
        ]
    if (n_constant := n_columns - len(varying)) > 0:
        lines.append(f"{n_constant} of {n_columns} columns are constant")
    if method in ("none", "scale") and len(varying) and varying.max() > _UNLIKE * varying.min():
        lines.append(
            f"the standard deviations of columns are from {varying.min():.2g} to {varying.max():.2g}: "
            "dataset.standardise=coordinates gives all columns the same weight"
        )
    return lines


def _rows(path: str | np.ndarray | None, key: str | None) -> np.ndarray:
    """Load and check the array `[N d]`, as real numbers in the precision of the file."""
    array = path if isinstance(path, np.ndarray) else _load(path, key)
    path = "array" if isinstance(path, np.ndarray) else path
    array_files.refuse_other_than_real(array, path)
    named, shape = array_files.shown(path), list(array.shape)
    if array.ndim != 2:
        fix = "array.reshape(-1, 1)" if array.ndim < 2 else "array.reshape(len(array), -1)"
        raise FieldError("path", named, f"has shape {shape}, not [N d] with one point per row; perhaps save {fix}")
    if array.shape[0] < MIN_ROWS or array.shape[1] < 1:
        hint = " with one point per row; perhaps save array.T" if array.shape[1] >= MIN_ROWS else ""
        raise FieldError("path", named, f"has shape {shape}; [N d] needs at least {MIN_ROWS} rows and 1 column{hint}")
    dtype = jnp.zeros(()).dtype
    array_files.refuse_not_finite(array, dtype, path)
    array_files.refuse_one_point(array, path)
    return array


def _load(path: str | None, key: str | None) -> np.ndarray:
    if path is None:
        raise FieldError("path", "null", "set dataset.path=your.npy, an array of shape [N d]")
    file = array_files.existing(path, "numpy.save writes one")
    with array_files.reading(path), file.open("rb") as stream:
        opened = np.load(stream, allow_pickle=False)
        if isinstance(opened, np.ndarray):
            return _only(opened, key)
        return array_files.member(opened, _name(opened.files, array_files.shown(path), key), path)


def _only(array: np.ndarray, key: str | None) -> np.ndarray:
    if key is not None:
        raise FieldError("key", key, "applies to .npz files only; for a .npy file leave it null")
    return array


def _name(names: list[str], path: str, key: str | None) -> str:
    """Name of the array to load, one of the arrays `names` of an .npz file."""
    if not names:
        raise FieldError("path", path, "is an .npz file without arrays")
    if key is None and len(names) == 1:
        return names[0]
    if key not in names:
        raise FieldError("key", "null" if key is None else key, "must be one of the file's arrays: " + ", ".join(names))
    return key
