"""Labels and weights of rows: convert and check the values of a column."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from gmdwgf.config.fields import FieldError
from gmdwgf.data import array_files


class Classes(NamedTuple):
    """Class 0, 1, ... of every row, and the names of the classes."""

    labels: np.ndarray
    """`[N]`"""
    names: tuple[str, ...]


def classes_of(values: np.ndarray, option: str, named: tuple[str, ...] | None, path: str | Path) -> Classes:
    """Number the distinct values `[N]` of a column in sorted order. `named` are names of the integers 0, 1, ..."""
    file = array_files.shown(path)
    if values.dtype.kind == "f":
        if (wrong := values != np.floor(values)).any():
            row = int(np.flatnonzero(wrong)[0])
            fix = f"holds {values[row]:g} in row {row} of {file}, not a class; labels are integers, booleans or text"
            raise FieldError("labels", option, fix)
        values = values.astype(np.int64)
    if values.dtype.kind not in "biuUO":
        raise FieldError("labels", option, f"holds {values.dtype} in {file}; labels are integers, booleans or text")
    found, labels = np.unique(values, return_inverse=True)
    if 2 * len(found) > len(values):
        fix = f"has {len(found)} different values in {len(values)} rows of {file}; a class needs two rows on average"
        raise FieldError("labels", option, fix)
    has_names = named is not None and found.dtype.kind in "iu" and 0 <= found.min() and found.max() < len(named)
    names = [named[value] for value in found] if has_names and named is not None else found.tolist()
    return Classes(labels.reshape(-1).astype(int), tuple(array_files.printable(str(name)) for name in names))


def weights_of(values: np.ndarray, option: str, path: str | Path) -> np.ndarray:
    """Check weights `[N]`, which are finite and at least 0; NaN is left to the caller."""
    file = array_files.shown(path)
    if values.dtype.kind not in "biuf":
        raise FieldError("weights", option, f"holds text in {file}; weights are numbers of at least 0")
    weights = values.astype(np.float64)
    wrong = (weights < 0) | np.isinf(weights)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        fix = f"holds {weights[row]:g} in row {row} of {file}; weights are finite numbers of at least 0"
        raise FieldError("weights", option, fix)
    if not np.nansum(weights) > 0:
        raise FieldError("weights", option, f"is 0 in every row of {file}; some rows need a positive weight")
    return weights
