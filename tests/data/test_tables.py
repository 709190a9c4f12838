"""Parquet files, folders of datasets and AnnData files, written by pyarrow or their own package."""

import io
import json

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from gmdwgf.config.fields import FieldError
from gmdwgf.data.points import Options, read_points
from gmdwgf.data.tables import of_arrow, read_table

N = 12
X = np.random.default_rng(0).normal(size=(N, 3))
PIXELS = np.random.default_rng(1).integers(0, 256, (N, 4, 5), dtype=np.uint8)


def encoded(pixels):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return {"bytes": content.getvalue(), "path": None}


def points(source, **options):
    return read_points(source if isinstance(source, pa.Table) else str(source), Options(**options))


def arrow_files(folder, table, n_files=2):
    folder.mkdir(parents=True)
    size = -(-len(table) // n_files)
    for k in range(n_files):
        file = folder / f"data-{k:05d}-of-{n_files:05d}.arrow"
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table[k * size : (k + 1) * size])
    (folder / "state.json").write_text("{}")
    return folder


def labelled_images():
    features = {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}
    table = pa.table({"image": [encoded(pixels) for pixels in PIXELS], "label": [k % 2 for k in range(N)]})
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": features})})


def test_every_type_of_number_is_read_with_its_values():
    columns = {
        "float32": pa.array(X[:, 0], pa.float32()),
        "int8": pa.array(range(N), pa.int8()),
        "decimal": pa.array(range(N), pa.int32()).cast(pa.decimal128(10, 0)),
        "with_null": pa.array([None, *range(N - 1)]),
        "list": pa.array(list(X)),
        "fixed": pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), 3),
        "nested": pa.array(PIXELS.tolist()),
        "chunked": pa.chunked_array([X[:5, 0], X[5:, 0]]),
    }
    found = of_arrow(pa.table(columns), "table").columns
    assert found["float32"].dtype == np.float32
    np.testing.assert_array_equal(found["chunked"], X[:, 0])
    for name in ("int8", "decimal"):
        np.testing.assert_array_equal(found[name], range(N))
    np.testing.assert_array_equal(found["with_null"], [np.nan, *range(N - 1)])
    for name in ("list", "fixed"):
        np.testing.assert_array_equal(found[name], X)
    np.testing.assert_array_equal(found["nested"], PIXELS)


def test_what_holds_no_numbers_is_text_or_named_by_what_it_holds():
    columns = {
        "text": pa.array(["a", None] * 6),
        "category": pa.array(["a", "b"] * 6).dictionary_encode(),
        "day": pa.array(range(N), pa.date32()),
        "ragged": [[1.0] * (1 + k % 2) for k in range(N)],
        "nothing": pa.nulls(N),
        "__index_level_0__": [str(k) for k in range(N)],
    }
    found = of_arrow(pa.table(columns), "table")
    assert {name: list(values) for name, values in found.columns.items()} == {
        "text": ["a", None] * 6,
        "category": ["a", "b"] * 6,
    }
    assert found.unreadable == {
        "day": "dates or times",
        "ragged": "lists of different lengths",
        "nothing": "nothing",
    }


def test_a_parquet_file_is_read_by_the_names_of_its_columns(tmp_path):
    parquet.write_table(pa.table({"a": X[:, 0], "b": X[:, 1], "kind": ["u", "v"] * 6}), tmp_path / "points.parquet")
    found = points(tmp_path / "points.parquet", labels="kind")
    assert (found.names, found.classes.names) == (("a", "b"), ("u", "v"))
    np.testing.assert_array_equal(found.rows, X[:, :2])
    np.testing.assert_array_equal(found.classes.labels, [0, 1] * 6)


def test_a_folder_of_datasets_gives_images_and_the_names_of_its_classes(tmp_path):
    found = points(arrow_files(tmp_path / "set", labelled_images()), labels="label")
    np.testing.assert_array_equal(found.rows.reshape(PIXELS.shape), PIXELS)
    assert found.image[:3] == (4, 5, 1)
    assert found.classes.names == ("cat", "dog")
    alone = points(tmp_path / "set")
    assert alone.rows.shape == (N, 20)
    assert any("dataset.labels=label" in line for line in alone.notes)


def test_the_split_of_a_folder_is_chosen_by_key(tmp_path):
    for name, table in (("train", labelled_images()), ("test", labelled_images()[:6])):
        arrow_files(tmp_path / "set" / name, table)
    assert len(points(tmp_path / "set", key="test").rows) == 6
    with pytest.raises(FieldError, match="one of the splits of .*: test, train"):
        points(tmp_path / "set")


def test_a_folder_of_parquet_files_is_one_table(tmp_path):
    for k in range(2):
        parquet.write_table(pa.table({"a": X[6 * k : 6 * k + 6, 0]}), tmp_path / f"part-{k}.parquet")
    np.testing.assert_array_equal(points(tmp_path).rows[:, 0], X[:, 0])


@pytest.mark.parametrize("name", ["points.parquet", "set/data.arrow"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"PAR1 and so on")
    with pytest.raises(FieldError, match="cannot be read, perhaps damaged") as refused:
        points(file if file.suffix == ".parquet" else file.parent)
    assert "\n" not in str(refused.value)


def test_an_anndata_file_without_its_package_names_the_package(tmp_path):
    try:
        import anndata  # noqa: F401
    except ModuleNotFoundError:
        (tmp_path / "cells.h5ad").write_bytes(b"")
        with pytest.raises(FieldError, match="pip install anndata"):
            points(tmp_path / "cells.h5ad")
    else:
        pytest.skip("anndata is installed")


def test_an_anndata_file_gives_its_matrix_and_labels_of_its_cells(tmp_path):
    anndata = pytest.importorskip("anndata")
    cells = anndata.AnnData(X.astype(np.float32))
    cells.obs["kind"], cells.obs["n_counts"] = ["u", "v"] * 6, range(N)
    cells.var_names, cells.obsm["X_pca"] = ["g0", "g1", "g2"], X[:, :2]
    cells.write_h5ad(tmp_path / "cells.h5ad")
    found = points(tmp_path / "cells.h5ad", labels="kind")
    assert (found.names, found.classes.names) == (("g0", "g1", "g2"), ("u", "v"))
    np.testing.assert_array_equal(found.rows, X.astype(np.float32))
    np.testing.assert_array_equal(points(tmp_path / "cells.h5ad", key="X_pca").rows, X[:, :2])
    assert read_table(tmp_path / "cells.h5ad", None, "cells").points == ("X",)
