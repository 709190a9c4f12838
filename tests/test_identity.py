import copy

import numpy as np

from gmdwgf.sweeps.identity import run_id

CONFIG = {
    "seed": 0,
    "drift": {"_target_": "a.B", "bandwidth": 1.0},
    "dataset": {"path": None},
    "training": {"n_steps": 10, "chunk_size": 100, "checkpoint_every": 5},
    "paths": {"root": "runs"},
    "tracking": {"progress": True},
}


def changed(path, value):
    config = copy.deepcopy(CONFIG)
    node = config
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    return run_id(config)


def test_one_and_one_point_zero_are_the_same_run():
    assert changed(["drift", "bandwidth"], 1) == run_id(CONFIG)


def test_numbers_that_matter_make_another_run():
    assert changed(["drift", "bandwidth"], 1.1) != run_id(CONFIG)
    assert changed(["seed"], 1) != run_id(CONFIG)
    assert changed(["training", "n_steps"], 11) != run_id(CONFIG)
    assert changed(["drift", "bandwidth"], True) != run_id(CONFIG)


def test_where_and_how_it_runs_does_not_matter():
    for path, value in [
        (["paths", "root"], "elsewhere"),
        (["tracking", "progress"], False),
        (["training", "chunk_size"], 7),
        (["training", "checkpoint_every"], 7),
    ]:
        assert changed(path, value) == run_id(CONFIG)


def test_a_data_file_counts_by_its_content(tmp_path):
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", np.ones((3, 2)))
    np.save(tmp_path / "c.npy", np.zeros((3, 2)))
    a, b, c = (changed(["dataset", "path"], str(tmp_path / f"{name}.npy")) for name in "abc")
    assert a == b != c
