"""Choose the columns of a table that are the coordinates of points."""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gmdwgf.config.fields import FieldError
from gmdwgf.data.array_files import printable
from gmdwgf.data.tables import Table

_N_LISTED = 5
_N_TRIED = 1000
"""Number of values of a text column that decide whether it was meant to hold numbers."""


class Chosen(NamedTuple):
    """Coordinates of points."""

    rows: np.ndarray
    """`[N d]`, or `[N h w]` or `[N h w c]` if the only column holds images."""
    names: tuple[str, ...]
    notes: tuple[str, ...]
    """Lines about columns that are left out."""


def choose_columns(table: Table, columns: Any, used: Sequence[str]) -> Chosen:
    """The columns named by `columns`; if it is null, all columns of numbers except those of `used` (labels and weights)."""
    notes: list[str] = []
    if columns is None:
        names = list(table.points or _of_numbers(table, used, notes))
        if not names:
            listed = _listed([*table.columns, *table.unreadable])
            raise FieldError("path", table.named, f"has no column of numbers to learn; its columns: {listed}")
        blocks = [(table.columns[name], _names(table, name)) for name in names]
    else:
        asked = [columns] if isinstance(columns, str | int) else columns
        if not isinstance(asked, list | tuple) or not asked or not all(type(name) in (str, int) for name in asked):
            raise FieldError("columns", columns, "must be null or a list of names or numbers of columns, e.g. [a,b]")
        blocks = [_numeric_block(table, name) for name in asked]
        flat = [name for _, names in blocks for name in names]
        if twice := [name for k, name in enumerate(flat) if name in flat[:k]]:
            raise FieldError("columns", columns, f"names {twice[0]!r} twice")
    names = tuple(name for _, of_block in blocks for name in of_block)
    if len(blocks) == 1 and blocks[0][0].ndim > 1:
        return Chosen(blocks[0][0], names, tuple(notes))
    rows = np.concatenate([block.reshape(len(block), -1) for block, _ in blocks], axis=1)
    return Chosen(rows, names, tuple(notes))


def find_column(table: Table, option: str, name: Any) -> str:
    """The name of the column that an option names, by its name or number."""
    every = [*table.columns, *table.unreadable]
    if str(name) in every:
        return str(name)
    if type(name) is int and 0 <= name < len(every):
        return every[name]
    raise FieldError(option, name, f"is no column of {table.named}; its columns: {_listed(every)}")


def column_of(table: Table, option: str, name: Any) -> tuple[str, np.ndarray]:
    """Name and values `[N]` of the column that an option names."""
    found = find_column(table, option, name)
    if found in table.unreadable:
        raise FieldError(option, name, f"holds {table.unreadable[found]} in {table.named}; name another column")
    if table.columns[found].ndim != 1:
        shape = list(table.columns[found].shape)
        raise FieldError(option, name, f"has shape {shape} in {table.named}, not one value a row; name another column")
    return found, table.columns[found]


def _of_numbers(table: Table, used: Sequence[str], notes: list[str]) -> list[str]:
    """Columns of numbers; what is left out, and what numbers the rows, is added to `notes`."""
    kinds: dict[str, list[str]] = {}
    names = []
    for name, values in table.columns.items():
        if name in used:
            continue
        if name in table.classes:
            fix = override("labels", name)
            notes.append(f"column {printable(name)} holds classes: left out; {fix} makes them the classes of points")
            continue
        if values.dtype.kind in "iuf":
            names.append(name)
            continue
        if values.dtype == object:
            _refuse_spoilt_numbers(table, name, values)
        is_flag = values.dtype == bool or all(value is None or isinstance(value, bool) for value in values)
        kinds.setdefault("true or false" if is_flag else "text", []).append(name)
    for name, what in table.unreadable.items():
        kinds.setdefault(what, []).append(name)
    for what, left_out in kinds.items():
        several = len(left_out) > 1
        line = f"{'columns' if several else 'column'} {_listed(left_out)} {'hold' if several else 'holds'} {what}: left out"
        if what == "text" and not used:
            line += f"; {override('labels', left_out[0])} makes it the class"
        notes.append(line)
    for name in names:
        if len(names) > 1 and _numbers_the_rows(table.columns[name]):
            rest = [other for other in names if other != name]
            fix = override("columns", rest) if len(rest) <= _N_LISTED else "dataset.columns"
            notes.append(
                f"column {printable(name)} numbers the rows and is learned as a coordinate; {fix} leaves it out"
            )
    return names


def _numbers_the_rows(values: np.ndarray) -> bool:
    """Whether a column holds consecutive integers, each once."""
    if values.ndim != 1 or values.dtype.kind not in "iu" or len(values) < 2:
        return False
    return int(values.max()) - int(values.min()) == len(values) - 1 == len(np.unique(values)) - 1


def _refuse_spoilt_numbers(table: Table, name: str, values: np.ndarray) -> None:
    """Raise FieldError for a text column of which most values are numbers."""
    given = [value for value in values if isinstance(value, str)]
    some = given[:_N_TRIED]
    if 2 * sum(map(_is_number, some)) <= len(some):
        return
    row = next(k for k, value in enumerate(values) if isinstance(value, str) and not _is_number(value))
    fix = f"column {printable(name)!r} holds numbers and text (the first: row {row}, {printable(values[row])[:40]!r})"
    raise FieldError(
        "path", table.named, f"{fix}; correct it or empty the cell, or leave the column out by dataset.columns"
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numeric_block(table: Table, name: str | int) -> tuple[np.ndarray, tuple[str, ...]]:
    """The numbers of a column that was asked for, and their names."""
    for block, names in table.parts.items():
        if str(name) in names and str(name) not in table.columns:
            return table.columns[block][:, names.index(str(name))], (str(name),)
    found = find_column(table, "columns", name)
    if found in table.unreadable:
        raise FieldError(
            "columns", name, f"holds {table.unreadable[found]} in {table.named}, not numbers; leave it out"
        )
    values = table.columns[found]
    if values.dtype == bool:
        values = values.astype(np.float32)
    if values.dtype == object and all(value is None or isinstance(value, bool) for value in values):
        values = np.array([np.nan if value is None else float(value) for value in values], np.float32)
    if values.dtype == object:
        _refuse_spoilt_numbers(table, found, values)
        fix = f"holds text in {table.named}; leave it out, or set {override('labels', found)}"
        raise FieldError("columns", name, fix)
    return values, _names(table, found)


def _names(table: Table, name: str) -> tuple[str, ...]:
    """Names of the numbers of a row of a column."""
    values = table.columns[name]
    if values.ndim == 1:
        return (name,)
    n = int(np.prod(values.shape[1:]))
    return table.parts.get(name) or tuple(f"{name}[{k}]" for k in range(n))


def override(option: str, names: str | Sequence[str]) -> str:
    """The override `dataset.OPTION=names` as typed in a shell, with the quotes that names need."""
    every = [names] if isinstance(names, str) else names
    typed = [
        name if re.fullmatch(r"[\w.-]+", name, re.ASCII) else json.dumps(name, ensure_ascii=False) for name in every
    ]
    text = f"dataset.{option}={typed[0]}" if isinstance(names, str) else f"dataset.{option}=[{','.join(typed)}]"
    return text if text == f"dataset.{option}={names}" else f"'{text}'"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:_N_LISTED])
    return shown if len(names) <= _N_LISTED else f"{shown} and {len(names) - _N_LISTED} more"
