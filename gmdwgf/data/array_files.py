"""Open and check files of arrays.

Problems raise a FieldError for `path` that states the file, the row and value concerned, and a fix.
"""

import contextlib
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jax.typing import DTypeLike

from gmdwgf.config.fields import FieldError
from gmdwgf.data import data_files

_SHOWN = 200
_BYTES_AT_ONCE = 1 << 24


def check_split(fraction: object, seed: object) -> tuple[float, int]:
    """The fraction of held-out rows and the seed of the split. Raises FieldError if one of them is invalid."""
    if not isinstance(fraction, float) or not 0 < fraction < 1:
        raise FieldError("held_out_fraction", fraction, "must be a number between 0 and 1, e.g. 0.2")
    if type(seed) is not int or seed < 0:
        raise FieldError("split_seed", seed, "must be an integer, at least 0")
    return fraction, seed


def check_resident(max_resident: object) -> int | float:
    """The number of bytes of rows in memory. Raises FieldError if it is invalid."""
    if isinstance(max_resident, bool) or not isinstance(max_resident, int | float) or not max_resident > 0:
        raise FieldError("max_resident", max_resident, "must be a number of bytes greater than 0, e.g. 2e9")
    return max_resident


def n_resident(max_resident: int | float, row: np.ndarray, named: str) -> int:
    """Number of rows like `row` that fit into `max_resident` bytes as float32. Raises FieldError if two do not fit."""
    n_bytes = 4 * row.size
    if max_resident < 2 * n_bytes:
        fix = f"must fit at least two rows of {named}; a row takes {n_bytes} bytes"
        raise FieldError("max_resident", max_resident, fix)
    return int(max_resident) // n_bytes


def printable(text: str) -> str:
    """Escape line breaks, control characters and characters that cannot be encoded."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def shown(path: object) -> str:
    """Format a path for messages: on one line, and shortened in the middle if it is very long."""
    text = printable(str(path))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}...{text[-_SHOWN // 4 :]}"


def existing(path: str | Path | None, written_by: str, suffixes: Sequence[str] = (".npy", ".npz")) -> Path:
    """Check that `path` is a readable file with one of the suffixes; errors mention `written_by`, which writes such files."""
    try:
        file = data_files.resolved(path)
        mode = file.stat().st_mode
        if stat.S_ISREG(mode):
            file.open("rb").close()
    except (FileNotFoundError, NotADirectoryError):
        mode = None
    except (OSError, ValueError) as error:  # ValueError: a NUL byte
        fix = f"cannot be opened ({_said(getattr(error, 'strerror', None) or error)}); give the path of a file you can read"
        raise FieldError("path", shown(path), fix) from error
    if mode is None or not stat.S_ISREG(mode):
        kind = " but a folder" if mode is not None and stat.S_ISDIR(mode) else ""
        raise FieldError("path", shown(path), f"is not a file{kind} (looked for {shown(file.absolute())})")
    if file.suffix not in suffixes:
        raise FieldError(
            "path", shown(path), f"must be a {', '.join(suffixes[:-1])} or {suffixes[-1]} file; {written_by}"
        )
    return file


@contextlib.contextmanager
def reading(path: str | Path | None, what: str = "") -> Iterator[None]:
    """Context that turns errors of NumPy, zipfile and json about a damaged file into a FieldError."""
    try:
        yield
    except FieldError:
        raise
    except Exception as error:
        raise FieldError("path", shown(path), what + _why_unreadable(error)) from error


def _why_unreadable(error: Exception) -> str:
    text = str(error)
    if "Object arrays" in text or "Python objects" in text:
        return "holds Python objects, not numbers; save it as float32"
    if "pickled" in text:
        return "cannot be read: numpy.save or numpy.savez did not write it; write it with one of them"
    if isinstance(error, EOFError):
        return "cannot be read: it is empty or cut short; write it again"
    return f"cannot be read, perhaps damaged ({_said(text or type(error).__name__)}); write it again"


def _said(text: object) -> str:
    return " ".join(str(text).split())[:100]


def member(archive: Mapping[str, np.ndarray], name: str, path: str | Path | None) -> np.ndarray:
    """One array of an opened `.npz` file."""
    with reading(path, f"array '{name}': "):
        array = archive[name]
    if not isinstance(array, np.ndarray):
        raise FieldError(
            "path", shown(path), f"holds a file named '{name}' that is no array; numpy.savez writes arrays"
        )
    return array


def refuse_other_than_real(array: np.ndarray, path: str | Path | None, name: str = "") -> None:
    """Raise FieldError for text, objects, complex numbers and booleans."""
    if not np.issubdtype(array.dtype, np.integer) and not np.issubdtype(array.dtype, np.floating):
        where = f" in '{name}'" if name else ""
        raise FieldError("path", shown(path), f"holds {array.dtype}{where}, not real numbers; save it as float32")


def refuse_not_finite(
    rows: np.ndarray,
    dtype: DTypeLike,
    path: str | Path | None,
    name: str = "",
    first_row: int = 0,
    n_rows: int | None = None,
    names: Sequence[str] | None = None,
    fix: str = "remove them",
) -> None:
    """Raise FieldError for rows with a value that is NaN or infinite in `dtype`, the dtype of later computations.

    `rows` are `n_rows` rows of the file from `first_row` on; they are checked in parts, without a copy of all rows. `names` are
    the names of the columns.
    """
    first, n_bad = None, 0
    for start, part in _parts(rows):
        with np.errstate(over="ignore"):  # a number too large for the dtype becomes infinite, which is an error
            is_bad = ~np.isfinite(np.asarray(part).astype(dtype, copy=False))
        if is_bad.any():
            first = (start, *np.argwhere(is_bad)[0].tolist()) if first is None else first
            n_bad += int(is_bad.reshape(len(part), -1).any(axis=1).sum())
    if first is None:
        return
    start, row, *place = first
    value = rows[(start + row, *place)]
    too_large = f", too large for {np.dtype(dtype)}" if np.isfinite(value) else ""
    where = f"column {printable(names[int(place[0])]) if names else place[0]}" if len(place) == 1 else f"place {place}"
    among = f"{n_bad} of {len(rows)} rows" + (f" from row {first_row} on" if n_rows not in (None, len(rows)) else "")
    what = f"{'empty cells, ' if names else ''}NaN or infinite numbers"
    wrong = f"has {what} in {among} (the first: row {first_row + start + row}, {where}: {value:g}{too_large})"
    raise FieldError("path", shown(path), f"{wrong}{f' of {name!r}' if name else ''}; {fix}")


def refuse_one_point(rows: np.ndarray, path: str | Path | None) -> None:
    """Raise FieldError if all rows are equal."""
    if all((part == rows[0]).all() for _, part in _parts(rows)):
        fix = f"holds one point {len(rows)} times; there is nothing to learn, and no scale: give rows that differ"
        raise FieldError("path", shown(path), fix)


def _parts(rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield consecutive rows, a few megabytes at a time, with the index of the first."""
    n = max(1, _BYTES_AT_ONCE // max(rows[:1].nbytes, 1))
    for start in range(0, len(rows), n):
        yield start, rows[start : start + n]
