"""Read tables: parquet files, folders of Hugging Face `datasets` or of parquet files, and AnnData files (`.h5ad`).

pyarrow and anndata are imported when a file needs them. Text files are read by `gmdwgf.data.delimited`.
"""

import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gmdwgf.config.fields import FieldError
from gmdwgf.data import array_files, data_files, delimited
from gmdwgf.reading import parse_json

if TYPE_CHECKING:
    import pyarrow as pa

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


class Table(NamedTuple):
    """Columns of a file by name; all have the same number of rows."""

    named: str
    """The file in messages."""
    columns: Mapping[str, np.ndarray]
    """`[N]` numbers (NaN where a cell is empty), booleans or text (None where a cell is empty); `[N ...]` numbers for lists."""
    unreadable: Mapping[str, str] = {}
    """What the other columns hold, e.g. dates."""
    parts: Mapping[str, tuple[str, ...]] = {}
    """Names of the numbers of a row, for columns `[N k]` that have such names."""
    points: tuple[str, ...] | None = None
    """Columns that are the points by default; None: all columns of numbers."""
    classes: Mapping[str, tuple[str, ...]] = {}
    """Names of the classes 0, 1, ... of integer columns that have such names."""
    notes: tuple[str, ...] = ()


def read_table(file: Path, key: str | None, named: str) -> Table:
    """Read a table, `named` in messages. `key` selects the split of a folder, or the layer or `obsm` of an AnnData file."""
    if file.is_dir():
        return _folder(file, key, named)
    if file.suffix == ".h5ad":
        return _anndata(file, key, named)
    if key is not None:
        raise FieldError("key", key, f"applies to .npz and .h5ad files and folders; for {named} leave it null")
    if file.suffix == ".parquet":
        return of_arrow(_read_arrow(file, _parquet, named), named)
    table, notes = delimited.read(file, named)
    return of_arrow(table, named)._replace(notes=notes)


def of_arrow(table: "pa.Table", named: str) -> Table:
    """Convert the columns of an Arrow table."""
    names = [f"{k}" if name == "" else name for k, name in enumerate(table.column_names)]
    if twice := [name for k, name in enumerate(names) if name in names[:k]]:
        raise FieldError("path", named, f"has several columns named {array_files.printable(twice[0])!r}; rename them")
    found: dict[str, np.ndarray] = {}
    unreadable: dict[str, str] = {}
    for name, column in zip(names, table.columns, strict=True):
        if not _PANDAS_INDEX.fullmatch(name):
            values = _values(column)
            (unreadable if isinstance(values, str) else found)[name] = values  # type: ignore[index]
    return Table(named, found, unreadable)


def _values(column: "pa.ChunkedArray") -> np.ndarray | str:
    """The values of a column as an array, or what it holds if it cannot be one."""
    import pyarrow as pa
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        return _values(column.cast(kind.value_type))
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        exact = not column.null_count and not types.is_decimal(kind)
        return column.to_numpy() if exact else column.cast(pa.float64()).to_numpy()
    if types.is_boolean(kind):
        return np.array(column.to_pylist(), object if column.null_count else bool)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return np.array(column.to_pylist(), object)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _lists(column)
    if types.is_struct(kind) and "bytes" in {kind.field(k).name for k in range(kind.num_fields)}:
        return _encoded_images(column)
    return "nothing" if types.is_null(kind) else "dates or times" if types.is_temporal(kind) else str(kind)


def _lists(column: "pa.ChunkedArray") -> np.ndarray | str:
    """Lists of numbers, all of the same length, as an array `[N k]`; nested lists as `[N ... k]`."""
    import pyarrow.compute as pc

    lengths = pc.unique(pc.list_value_length(column)).to_pylist()  # type: ignore[attr-defined]
    if len(lengths) != 1 or not lengths[0]:
        return "lists of different lengths"
    inner = _values(pc.list_flatten(column))  # type: ignore[attr-defined]
    if isinstance(inner, str) or inner.dtype.kind not in "iuf":
        return f"lists of {inner if isinstance(inner, str) else 'text'}"
    return inner.reshape(len(column), lengths[0], *inner.shape[1:])


def _encoded_images(column: "pa.ChunkedArray") -> np.ndarray | str:
    """Encoded images as arrays `[N h w]` or `[N h w 3]`, if all have the same size."""
    from PIL import Image

    images = []
    for row in column.to_pylist():
        if not row or not row["bytes"]:
            return "images outside of the file"
        with array_files.reading("image"), Image.open(io.BytesIO(row["bytes"])) as image:
            images.append(np.asarray(image if image.mode == "L" else image.convert("RGB")))
        if images[-1].shape != images[0].shape:
            return "images of different sizes"
    return np.stack(images)


def _read_arrow(file: Path, read: "Callable[[Path], pa.Table]", named: str) -> "pa.Table":
    with array_files.reading(named, f"{file.name}: " if not named.endswith(file.name) else ""):
        return read(file)


def _parquet(file: Path) -> "pa.Table":
    from pyarrow import parquet

    return parquet.ParquetFile(file).read()


def _arrow(file: Path) -> "pa.Table":
    import pyarrow as pa

    with pa.memory_map(str(file)) as source:
        try:
            return pa.ipc.open_stream(source).read_all()
        except pa.ArrowInvalid:
            return pa.ipc.open_file(source).read_all()


def _folder(folder: Path, key: str | None, named: str) -> Table:
    """Read a folder with one data set, or one split of a folder of splits."""
    import pyarrow as pa

    files = data_files.tables_in(folder)
    splits = sorted({file.parent.name for file in files if file.parent != folder})
    if splits:
        if key is None and len(splits) == 1:
            key = splits[0]
        if key not in splits:
            fix = f"must be one of the splits of {named}: {', '.join(splits)}"
            raise FieldError("key", "null" if key is None else key, fix)
        files = [file for file in files if file.parent.name == key]
    elif key is not None:
        raise FieldError("key", key, f"selects a split, and {named} has none; leave it null")
    pieces = [_read_arrow(file, _arrow if file.suffix == ".arrow" else _parquet, named) for file in files]
    with array_files.reading(named):
        joined = pa.concat_tables(pieces)
    return of_arrow(joined, named)._replace(classes=_class_labels(joined))


def _class_labels(table: "pa.Table") -> dict[str, tuple[str, ...]]:
    """Names of classes that `datasets` stores in the schema."""
    try:
        features = parse_json((table.schema.metadata or {})[b"huggingface"].decode())["info"]["features"]
        named = {name: feature["names"] for name, feature in features.items() if feature.get("_type") == "ClassLabel"}
        return {name: tuple(map(str, names)) for name, names in named.items()}
    except (KeyError, ValueError, TypeError, AttributeError):  # written by another program
        return {}


def _anndata(file: Path, key: str | None, named: str) -> Table:
    """The matrix `X`, or the layer or `obsm` named by `key`, with the columns of `obs`."""
    try:
        import anndata  # type: ignore[import-not-found]
    except ModuleNotFoundError as error:
        raise FieldError("path", named, "needs the package anndata: pip install anndata") from error
    with array_files.reading(named):
        read: Any = anndata.read_h5ad(file)
    there = [*read.layers.keys(), *read.obsm.keys()]
    if key is not None and key not in there:
        fix = f"must be null (X) or a layer or obsm of {named}: {', '.join(there) or 'it has none'}"
        raise FieldError("key", key, fix)
    matrix = read.X if key is None else read.layers[key] if key in read.layers else read.obsm[key]
    if matrix is None:
        raise FieldError("path", named, f"has no X; set dataset.key to one of {', '.join(there)}")
    name, matrix = key or "X", np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)
    obs = of_arrow(_arrow_of_frame(read.obs), named)
    genes = tuple(map(str, read.var_names))
    parts = {name: genes} if matrix.shape[1:] == (len(genes),) and key not in read.obsm else {}
    columns = {column: values for column, values in obs.columns.items() if column != name} | {name: matrix}
    return Table(named, columns, obs.unreadable, parts, (name,))


def _arrow_of_frame(frame: Any) -> "pa.Table":
    import pyarrow as pa

    return pa.Table.from_pandas(frame, preserve_index=False)
