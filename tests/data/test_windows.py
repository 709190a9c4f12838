"""An array larger than memory: the same rows and scale as in memory, a part at a time."""

import json

import numpy as np
import pytest

from gmdwgf.config.fields import FieldError
from gmdwgf.data.sharded_reader import ShardedReader
from gmdwgf.engine.stream import StreamWindow
from gmdwgf.targets.arrays import ArrayTarget

N, D, N_KEPT = 120_000, 8, 4000


def target_of(path, max_resident=4.0 * D * N_KEPT, standardise="scale", **options):
    return ArrayTarget(str(path), None, 0.2, 0, standardise, max_resident=max_resident, **options)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.npy"
    np.save(path, (50 + 10 * np.random.default_rng(0).normal(size=(N, D))).astype(np.float32))
    (path.parent / "rows.json").write_text(json.dumps({"moments": -1}))  # an array is read alone
    return path


def numbers(rows):
    return {tuple(row) for row in np.round(np.asarray(rows), 2).tolist()}


@pytest.mark.thorough
@pytest.mark.parametrize("standardise", ["none", "scale", "coordinates"])
def test_every_window_shows_other_rows_of_the_file_at_one_scale(file, standardise):
    target = target_of(file, standardise=standardise)
    window = StreamWindow(target, target.reader(), 10)
    seen = [target, *(window.at(step) for step in (10, 20))]
    rows = np.concatenate([one.in_data_units(one.train) for one in seen])
    stored, held = numbers(np.load(file)), numbers(target.in_data_units(target.held))
    assert len(numbers(rows)) == 3 * N_KEPT == len(rows)
    assert len(numbers(rows) & stored) > 0.95 * len(rows)  # others are rounded otherwise
    assert not numbers(rows) & held
    if standardise != "none":
        in_memory = target_of(file, np.inf, standardise)
        np.testing.assert_allclose(target.map_back.scale, in_memory.map_back.scale, rtol=0.05)


def test_a_window_says_what_is_in_memory_and_a_smaller_file_is_read_whole(file):
    assert any("4000 of its rows are in memory" in line for line in target_of(file).introduction())
    whole = target_of(file, 4.0 * D * N)
    assert (whole.reader(), whole.n_rows) == (None, 96_000)


def test_an_array_is_streamed_without_the_files_beside_it(file):
    assert ShardedReader(str(file), 0, beside=False).next(3).shape == (3, D)
    assert target_of(file).dim == D


@pytest.mark.parametrize(
    ("options", "field", "fix"),
    [
        ({"labels": 3}, "labels", "is larger than max_resident"),
        ({"columns": [0]}, "columns", "is larger than max_resident"),
        ({"max_resident": 40.0}, "max_resident", "a row takes 32 bytes"),
        ({"max_resident": 0}, "max_resident", "greater than 0"),
    ],
)
def test_what_a_window_cannot_do_is_refused(file, options, field, fix):
    with pytest.raises(FieldError) as refused:
        target_of(file, **options)
    assert refused.value.name == field
    assert fix in refused.value.fix
