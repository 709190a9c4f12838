"""Read text files with one row a line, `.csv` and `.tsv`, with any of the usual separators and with or without a header."""

import codecs
import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from gmdwgf.config.fields import FieldError
from gmdwgf.data import array_files

if TYPE_CHECKING:
    import pyarrow as pa

_SEPARATORS = ("\t", ";", ",")
_HEAD_BYTES, _HEAD_ROWS = 1 << 16, 100
_MOST_BYTES = 2**31 - 1
"""Largest block of pyarrow; types are inferred from the first block, which is the whole file if it is smaller."""

EMPTY = ("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "-nan", "null", "NULL", "None")
"""Fields that are read as empty."""

_COMMA_NUMBER = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
_POINT_NUMBER = re.compile(r"\s*[+-]?\d*\.\d+([eE][+-]?\d+)?\s*")


def read(file: Path, named: str) -> "tuple[pa.Table, tuple[str, ...]]":
    """Read a text file, `named` in messages; returns the table and lines that state what was assumed. Raises FieldError (`path`).

    The separator is the first of tab, semicolon and comma that splits all of the first rows into equally many fields. Numbers have
    a decimal comma if such numbers, and none with a point, are among the first rows. The first row is data rather than a header if
    it has numbers wherever the rows below have them; columns are then named 0, 1, ...
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    with array_files.reading(named):
        text = _head(file, named)
    separator, rows = _split(text, file.suffix, named)
    fields = [field for row in rows for field in row]
    comma = separator != "," and any(map(_COMMA_NUMBER.fullmatch, fields))
    point = "," if comma and not any(map(_POINT_NUMBER.fullmatch, fields)) else "."
    is_data = _is_data(rows, point)
    options = arrow_csv.ReadOptions(
        block_size=min(max(file.stat().st_size + 1, 1 << 20), _MOST_BYTES),
        column_names=[str(k) for k in range(len(rows[0]))] if is_data else None,
    )
    try:
        table = arrow_csv.read_csv(
            file,
            options,
            arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            arrow_csv.ConvertOptions(null_values=EMPTY, strings_can_be_null=True, decimal_point=point),
        )
    except (pa.ArrowInvalid, OSError) as error:
        said = " ".join(str(error).split())[:120]
        raise FieldError(
            "path", named, f"cannot be read as a table ({said}); every row needs the same fields"
        ) from error
    notes = [f"{named} has no header: columns are named 0 to {len(rows[0]) - 1}"] if is_data else []
    return table.rename_columns([name.strip() for name in table.column_names]), tuple(notes)


def _head(file: Path, named: str) -> str:
    """The first lines of a file, without a byte order mark."""
    with file.open("rb") as stream:
        content = stream.read(_HEAD_BYTES)
        more = bool(stream.read(1))
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(content, final=not more)
    except UnicodeDecodeError as error:
        raise FieldError("path", named, "is not UTF-8 text; save it as UTF-8") from error
    if "\0" in text:
        raise FieldError("path", named, "is not text (it holds NUL bytes); save it as UTF-8 text")
    if not text.strip():
        raise FieldError("path", named, "is empty; write a header and one row for each point")
    return text[: text.rindex("\n") + 1] if more and "\n" in text else text


def _split(text: str, suffix: str, named: str) -> tuple[str, list[list[str]]]:
    """The separator of a file and the fields of its first rows."""
    one_field = None
    for separator in _SEPARATORS[: 1 if suffix == ".tsv" else None]:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if row][:_HEAD_ROWS]
        sizes = {len(row) for row in rows}
        if len(sizes) == 1 and sizes != {1}:
            return separator, rows
        one_field = (separator, rows) if sizes == {1} else one_field
        uneven = next((k for k, row in enumerate(rows) if len(row) != len(rows[0])), None)
    if uneven is None and one_field is not None:
        if re.search(r"\S\s+\S", text.splitlines()[-1]):
            fix = "has one field in every row: separate the fields by a tab, a semicolon or a comma"
            raise FieldError("path", named, fix)
        return one_field
    what = f"has {len(rows[0])} fields in its first row but {len(rows[uneven or 0])} in line {(uneven or 0) + 1}"
    raise FieldError("path", named, f"{what} (separator {separator!r}); every row needs the same fields")


def _is_data(rows: list[list[str]], point: str) -> bool:
    """Whether the first row holds numbers wherever the rows below hold them, so that it is no header."""
    first, below = rows[0], rows[1:]
    if not below:
        return all(_is_number(field, point) for field in first)
    filled = [[field for field in column if field.strip() not in EMPTY] for column in zip(*below, strict=True)]
    of_numbers = [bool(column) and all(_is_number(field, point) for field in column) for column in filled]
    above = [field for field, is_number in zip(first, of_numbers, strict=True) if is_number]
    given = [field for field in above if field.strip() not in EMPTY]
    return bool(given) and len(given) * 2 > len(above) and all(_is_number(field, point) for field in given)


def _is_number(field: str, point: str) -> bool:
    try:
        float(field.replace(point, "."))
    except ValueError:
        return False
    return "_" not in field
