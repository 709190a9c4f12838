import copy

import numpy as np
import pytest

from gmdwgf.config.build import ConfigError, config_dir
from gmdwgf.runs.identity import check_choices, run_id

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


OUTSIDE = [
    "../x/y",
    "../../etc/x",
    "/etc/x",
    "..",
    ".",
    "",
    "a/../../b",
    "a//b",
    "./kl",
    ".hidden",
    "a/",
    "a\\b",
    "a\nb",
]


@pytest.mark.parametrize("name", OUTSIDE, ids=repr)
@pytest.mark.parametrize("group", ["dataset", "drift", "generator"])
def test_a_choice_that_is_a_path_is_refused_in_one_line(name, group):
    with pytest.raises(ConfigError, match="is not the name of a config; .*--config-dir") as refused:
        check_choices({"dataset": "two_moons", group: name})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["kl.yaml", "kl.yml", "../kl.yaml"])
def test_a_choice_by_its_file_is_refused_with_its_name(name):
    with pytest.raises(ConfigError, match=f"drift={name}: .*: drift={name.rpartition('.')[0]}$"):
        check_choices({"drift": name})


def test_every_config_there_is_and_those_of_a_user_are_names():
    names = [str(path.relative_to(config_dir()).with_suffix("")) for path in config_dir().rglob("*.yaml")]
    assert len(names) > 50
    check_choices(
        {name: name for name in names} | {"drift": "own/größe v1.2", "condition": None, "hydra/launcher": "../x"}
    )
