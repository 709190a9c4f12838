"""Files that decide numbers: the same contents are the same run, however they are named, and other contents another."""

import json
import os
import shutil

import numpy as np
import pytest

from gmdwgf.data import data_files, latent_files
from gmdwgf.runs.identity import data_id, data_paths, run_id

ARRAY, LATENTS = "gmdwgf.targets.arrays.ArrayTarget", "gmdwgf.targets.latents.ImageLatents"


def config(path, made_by=LATENTS):
    return {"seed": 0, "dataset": {"_target_": made_by, "path": path}, "drift": {"_target_": "a.B"}}


def ids(path, made_by=LATENTS):
    return run_id(config(path, made_by)), data_id(config(path, made_by))


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A folder, which is also home and where one stands, with `data/latents.npy`, its json and its labels."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    rng = np.random.default_rng(0)
    labels = np.arange(20) % 3
    latent_files.write(tmp_path / "data/latents.npy", rng.normal(size=(20, 4)), rng.normal(size=(20, 4)), labels)
    return tmp_path


def spellings(store):
    """Names of the same file; a link beside which nothing lies leads to what lies beside the file."""
    (store / "folder").symlink_to(store / "data")
    (store / "elsewhere").mkdir()
    (store / "elsewhere/other.npy").symlink_to(store / "data/latents.npy")
    (store / "elsewhere/twice.npy").symlink_to(store / "elsewhere/other.npy")
    names = ["~/data/latents.npy", "data/latents.npy", "./data/../data/latents.npy", "folder/latents.npy"]
    return [str(store / "data/latents.npy"), *names, "elsewhere/other.npy", "elsewhere/twice.npy"]


@pytest.mark.parametrize("made_by", [ARRAY, LATENTS])
def test_a_file_counts_by_its_contents_however_it_is_named(store, made_by):
    found = {ids(name, made_by) for name in spellings(store)}
    assert len(found) == 1
    assert all(found.pop())


def test_every_spelling_is_read_with_the_same_side_files(store):
    for name in spellings(store):
        file = latent_files.read_latents(name)
        assert (file.moments, file.labels.tolist()) == (-1, [i % 3 for i in range(20)]), name


def test_a_copy_with_its_side_files_is_the_same_data_and_without_them_another(store):
    whole = ids("data/latents.npy")
    shutil.copytree(store / "data", store / "copy")
    assert ids("copy/latents.npy") == whole
    shutil.copy(store / "data/latents.npy", store / "alone.npy")
    assert ids("alone.npy") != whole


@pytest.mark.parametrize("name", ["latents.npy", "latents.json", "latents.labels.npy"])
def test_a_change_in_any_of_the_files_is_another_run(store, name):
    before = ids("data/latents.npy")
    path = store / "data" / name
    if name.endswith(".json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"moments": None}))
    else:
        np.save(path, np.load(path) + 1)
    after = ids("data/latents.npy")
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_an_array_is_read_alone_and_its_id_is_that_of_its_bytes(store):
    before = ids("data/latents.npy", ARRAY)
    (store / "data/latents.json").write_text("{}")
    assert ids("data/latents.npy", ARRAY) == before
    np.save("fixed.npy", np.arange(20.0).reshape(10, 2))
    assert ids(str(store / "fixed.npy"), ARRAY) == ("d5305f39", "f59fcd9f")  # as it was before side files counted


def test_a_file_exchanged_under_its_old_size_and_times_is_noticed(store):
    path = store / "data/latents.npy"
    facts, before = path.stat(), ids("data/latents.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert path.stat().st_size == facts.st_size
    assert ids("data/latents.npy") != before


def test_any_key_that_names_a_path_counts_at_any_depth(store):
    def of(**fields):
        return config(None) | {"features": {"maps": {"parts": [{"_target_": "my.Map", **fields}]}}}

    for name in ("a.npz", "b.npz"):
        np.savez(name, w=np.full(3, ord(name[0])))
    for key, wrap in (("path", str), ("weights_path", str), ("paths", lambda name: [name])):
        one, link, other = (run_id(of(**{key: wrap(name)})) for name in ("a.npz", "~/a.npz", "b.npz"))
        assert one == link != other
        assert data_id(of(**{key: wrap("a.npz")})) == data_id(of(**{key: wrap("~/a.npz")})) != ""
    paths = data_paths(of(weights_path="a.npz"))
    assert paths == {"features.maps.parts.0.weights_path": [str(store / "a.npz")]}


@pytest.mark.parametrize(
    "notes",
    ["", "[1]", '{"labels": 5}', '{"labels": "../x"}', '{"labels": "\\u0000"}', "[" * 10**5, '{"labels": null}'],
)
def test_side_files_that_say_nothing_are_counted_and_left_to_the_loader(store, notes):
    (store / "data/latents.json").write_text(notes)
    assert data_files.read_with(store / "data/latents.npy", LATENTS) == [
        store / "data/latents.npy",
        store / "data/latents.json",
    ]
    assert all(ids("data/latents.npy"))


@pytest.mark.parametrize("path", [None, 5, "", "~nobody_of_this_name/x.npy", "x" * 5000, "a\x00b", "data", "none.npy"])
def test_a_path_that_is_no_file_counts_by_its_name(store, path):
    assert data_id(config(path)) == ""
    assert len(run_id(config(path))) == 8


def test_a_folder_of_tables_counts_by_the_contents_of_its_tables(tmp_path):
    from pyarrow import parquet, table

    for name in ("one", "same", "other"):
        for k in range(2):
            (tmp_path / name).mkdir(exist_ok=True)
            rows = [0, 1, 2 + k + (name == "other")]
            parquet.write_table(table({"x": rows}), tmp_path / name / f"part-{k}.parquet")
    one, same, other = (ids(str(tmp_path / name), ARRAY) for name in ("one", "same", "other"))
    assert one == same
    assert one[0] != other[0]
    assert one[1] != other[1]
    (tmp_path / "same/state.json").write_text("{}")
    assert ids(str(tmp_path / "same"), ARRAY) == one
