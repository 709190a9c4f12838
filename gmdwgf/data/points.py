"""Read the points of a user, with labels and weights, from an array, a table or a file of either."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from gmdwgf.config.fields import FieldError
from gmdwgf.data import array_files, data_files, images
from gmdwgf.data.classes import Classes, classes_of, weights_of
from gmdwgf.data.columns import choose_columns, column_of, find_column
from gmdwgf.data.images import ImageShape
from gmdwgf.data.tables import Table, of_arrow, read_table

MIN_ROWS = 4
"""Two rows for training and two held-out rows: unbiased estimators need at least one pair."""

MISSING = ("refuse", "drop")


class Options(NamedTuple):
    """Options of `configs/dataset/array.yaml` about the contents of a file."""

    key: str | None = None
    columns: Any = None
    labels: Any = None
    weights: Any = None
    missing: str = "refuse"


class Points(NamedTuple):
    """Checked points; all arrays have N rows."""

    rows: np.ndarray
    """`[N d]`"""
    names: tuple[str, ...] | None
    """Names of the columns, if the file has them."""
    classes: Classes | None
    weights: np.ndarray | None
    """`[N]`, positive."""
    image: ImageShape | None
    """The shape of a row, if rows are images."""
    notes: tuple[str, ...]


class _Read(NamedTuple):
    """Points, labels and weights before they are checked."""

    rows: np.ndarray
    names: tuple[str, ...] | None
    labels: tuple[str, np.ndarray] | None
    weights: tuple[str, np.ndarray] | None
    class_names: tuple[str, ...] | None
    notes: tuple[str, ...]


def read_points(source: Any, options: Options, named: str | Path | None = None) -> Points:
    """Read and check points from a path, an array (`named` in messages) or an Arrow table. Raises FieldError if they are invalid."""
    for option in ("labels", "weights"):
        if getattr(options, option) is not None and type(getattr(options, option)) not in (str, int):
            raise FieldError(option, getattr(options, option), "must be null or the name of a column or array")
    if options.missing not in MISSING:
        raise FieldError("missing", options.missing, "must be one of " + ", ".join(MISSING))
    path, read = _read(source, options)
    path = path if named is None else named
    array_files.refuse_other_than_real(read.rows, path)
    rows, image = images.flattened(read.rows, path)
    _refuse_shape(rows, path)
    weights = None if read.weights is None else weights_of(read.weights[1], read.weights[0], path)
    read, weights, rows, notes = _without_missing(read, weights, rows, options, path)
    if weights is not None and (is_zero := weights == 0).any():
        notes.append(f"{is_zero.sum()} of {len(rows)} rows have weight 0: left out")
        read, rows, weights = _at(read, ~is_zero), rows[~is_zero], weights[~is_zero]
    if len(rows) < MIN_ROWS:
        raise FieldError(
            "path", array_files.shown(path), f"has {len(rows)} rows that can be used; {MIN_ROWS} are needed"
        )
    has_nan = rows.dtype.kind == "f" and np.isnan(rows.min())  # the minimum is NaN if any number is
    fix = "set dataset.missing=drop, or remove them" if has_nan else "remove them"
    array_files.refuse_not_finite(rows, jnp.zeros(()).dtype, path, names=read.names, fix=fix)
    array_files.refuse_one_point(rows, path)
    classes = None if read.labels is None else classes_of(read.labels[1], read.labels[0], read.class_names, path)
    return Points(rows, read.names if image is None else None, classes, weights, image, (*read.notes, *notes))


def _read(source: Any, options: Options) -> tuple[str | Path, _Read]:
    """What is named in messages, and the contents."""
    if source is None:
        raise FieldError("path", "null", "set dataset.path=your.csv (docs/own_data.md), or .npy with an array [N d]")
    if isinstance(source, np.ndarray):
        return "array", _of_arrays(source, {}, options, "array")
    if not isinstance(source, str | Path):
        return "table", _of_table(of_arrow(source, "table"), options)
    if data_files.is_folder_of_tables(source):
        return source, _of_table(
            read_table(data_files.resolved(source), options.key, array_files.shown(source)), options
        )
    file = array_files.existing(source, "docs/own_data.md lists the formats", data_files.SUFFIXES)
    if file.suffix not in (".npy", ".npz"):
        return source, _of_table(read_table(file, options.key, array_files.shown(source)), options)
    with array_files.reading(source), file.open("rb") as stream:
        opened = np.load(stream, allow_pickle=False)
        if isinstance(opened, np.ndarray):
            if options.key is not None:
                fix = "applies to .npz files only; for a .npy file leave it null"
                raise FieldError("key", options.key, fix)
            return source, _of_arrays(opened, {}, options, source)
        others = [name for name in (options.labels, options.weights) if name in opened.files]
        for option in ("labels", "weights"):
            if isinstance(asked := getattr(options, option), str) and asked not in opened.files:
                listed = ", ".join(map(array_files.printable, opened.files)) or "none"
                raise FieldError(option, asked, f"is none of the arrays of {array_files.shown(source)}: {listed}")
        name = _array_name([name for name in opened.files if name not in others], source, options.key)
        beside = {name: array_files.member(opened, name, source) for name in others}
        return source, _of_arrays(array_files.member(opened, name, source), beside, options, source)


def _array_name(names: list[str], path: str | Path, key: str | None) -> str:
    """Name of the array of points, one of the arrays `names` of an .npz file."""
    if not names:
        raise FieldError("path", array_files.shown(path), "is an .npz file without arrays of points")
    if key is None and len(names) == 1:
        return names[0]
    if key not in names:
        fix = "must be one of the file's arrays: " + ", ".join(map(array_files.printable, names))
        raise FieldError("key", "null" if key is None else key, fix)
    return key


def _of_arrays(rows: np.ndarray, beside: Mapping[str, np.ndarray], options: Options, path: str | Path) -> _Read:
    """Points from an array, and labels and weights from the arrays `beside` it or from its columns, by number."""
    chosen: dict[str, tuple[str, np.ndarray] | None] = {}
    for option in ("labels", "weights"):
        name = getattr(options, option)
        if name is None or name in beside:
            chosen[option] = None if name is None else (str(name), beside[name])
            if name is not None and beside[name].shape != (len(rows),):
                shape, named = list(beside[name].shape), array_files.shown(path)
                fix = f"has shape {shape} in {named}, not [{len(rows)}]; save one value for each row"
                raise FieldError(option, name, fix)
        else:
            chosen[option] = (str(name), rows[:, _column_number(rows, option, name, path)])
    if options.columns is not None:
        asked = options.columns if isinstance(options.columns, list | tuple) else [options.columns]
        at = [_column_number(rows, "columns", name, path) for name in asked]
        rows, names = rows[:, at], tuple(map(str, at))
    else:
        used = [name for name in (options.labels, options.weights) if type(name) is int and name not in beside]
        names = None if not used else tuple(str(k) for k in range(rows.shape[1]) if k not in used)
        rows = np.delete(rows, used, axis=1) if used else rows
    return _Read(rows, names, chosen["labels"], chosen["weights"], None, ())


def _column_number(rows: np.ndarray, option: str, name: Any, path: str | Path) -> int:
    if rows.ndim == 2 and type(name) is int and 0 <= name < rows.shape[1]:
        return name
    named = array_files.shown(path)
    there = f"columns 0 to {rows.shape[1] - 1}" if rows.ndim == 2 else f"shape {list(rows.shape)}"
    fix = f"is not in {named}, an array with {there} without names; give a number, or an array of an .npz file"
    raise FieldError(option, name, fix)


def _of_table(table: Table, options: Options) -> _Read:
    used = [
        find_column(table, option, name)
        for option, name in (("labels", options.labels), ("weights", options.weights))
        if name is not None
    ]
    chosen = choose_columns(table, options.columns, used)
    labels = None if options.labels is None else column_of(table, "labels", options.labels)
    weights = None if options.weights is None else column_of(table, "weights", options.weights)
    names = None if labels is None else table.classes.get(labels[0])
    return _Read(chosen.rows, chosen.names, labels, weights, names, (*table.notes, *chosen.notes))


def _refuse_shape(rows: np.ndarray, path: str | Path) -> None:
    named, shape = array_files.shown(path), list(rows.shape)
    if rows.ndim != 2:
        raise FieldError(
            "path", named, f"has shape {shape}, not [N d] with one point per row; perhaps save array.reshape(-1, 1)"
        )
    if rows.shape[0] < MIN_ROWS or rows.shape[1] < 1:
        hint = " with one point per row; perhaps save array.T" if rows.shape[1] >= MIN_ROWS else ""
        raise FieldError("path", named, f"has shape {shape}; [N d] needs at least {MIN_ROWS} rows and 1 column{hint}")


def _without_missing(
    read: _Read, weights: np.ndarray | None, rows: np.ndarray, options: Options, path: str | Path
) -> tuple[_Read, np.ndarray | None, np.ndarray, list[str]]:
    """Drop the rows with an empty cell or NaN, or raise FieldError for those of labels and weights.

    Coordinates that are not finite are refused by the caller, together with infinite ones.
    """
    others = {pair[0]: _is_missing(pair[1]) for pair in (read.labels, read.weights) if pair is not None}
    if options.missing == "refuse":
        for name, is_missing in others.items():
            if is_missing.any():
                n, row = int(is_missing.sum()), int(np.flatnonzero(is_missing)[0])
                fix = f"has no value in {n} of {len(rows)} rows (the first: row {row}, column {name!r})"
                raise FieldError("path", array_files.shown(path), f"{fix}; set dataset.missing=drop, or fill them in")
        return read, weights, rows, []
    in_rows = np.isnan(rows).any(axis=1) if rows.dtype.kind == "f" else np.zeros(len(rows), bool)
    keep = ~np.logical_or.reduce([in_rows, *others.values()])
    if keep.all():
        return read, weights, rows, []
    line = f"{(~keep).sum()} of {len(rows)} rows have empty cells or NaN: dropped (dataset.missing=drop)"
    return _at(read, keep), None if weights is None else weights[keep], rows[keep], [line]


def _is_missing(values: np.ndarray) -> np.ndarray:
    if values.dtype == object:
        return np.array([value is None for value in values], bool)
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)


def _at(read: _Read, keep: np.ndarray) -> _Read:
    """The labels of the rows `keep`; rows and weights are passed on by themselves."""
    return read if read.labels is None else read._replace(labels=(read.labels[0], read.labels[1][keep]))
