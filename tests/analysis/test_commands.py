import shlex

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from gmdwgf.analysis.commands import Commands
from gmdwgf.config.build import config_dir
from gmdwgf.runs.identity import run_id
from gmdwgf.runs.records import read_runs
from tests.runs.folders import make_run

RUNS = [
    {},
    {"drift": "kl", "drift__bandwidth": 0.25, "seed": 4, "dataset": "pinwheel"},
    {"drift": "deng", "drift__temperature": "[0.1,0.3]", "training__batch_size": 64},
    pytest.param({"drift": "mmd", "optimizer": "sgd", "optimizer__learning_rate": 1000}, marks=pytest.mark.slow),
    pytest.param({"drift": "kl", "generator": "particles", "generator__init_scale": 0.5}, marks=pytest.mark.slow),
    {"drift": "kl", "drift__bandwidth": "{schedule: exponential, start: 1.0, end: 0.1, n_steps: 20}"},
    {"drift": "sum", "drift__weights": "[1.0,0.5]"},
    {"training__batch_size": 64, "training__n_targets": 96, "metrics__bandwidths": "[1.0e-3]"},
    {"optimizer": "adamw", "drift": "critic", "drift__optimizer__b1": 0.9},
]


@pytest.mark.thorough
@pytest.mark.parametrize("choices", RUNS, ids=str)
def test_the_command_of_a_run_makes_that_run(tmp_path, choices):
    job = make_run(tmp_path, **choices)
    command = Commands()(read_runs(tmp_path)[0])
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "gmdwgf.train"]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        again = compose("train", overrides=words[3:])
    assert run_id(OmegaConf.to_container(again, resolve=True)) == job.id


@pytest.mark.thorough
@pytest.mark.parametrize("bandwidth", [None, "0.3", "{rule: median, factor: 0.1}"])
def test_the_command_of_a_run_on_a_file_makes_that_run(tmp_path, bandwidth):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(40, 2)))
    changes = {} if bandwidth is None else {"drift__bandwidth": bandwidth}
    job = make_run(tmp_path / "runs", drift="kl", dataset="array", dataset__path=str(tmp_path / "x.npy"), **changes)
    words = shlex.split(Commands()(read_runs(tmp_path / "runs")[0]))
    assert any("bandwidth" in word for word in words) == (bandwidth is not None)
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        again = compose("train", overrides=words[3:])
    assert run_id(OmegaConf.to_container(again, resolve=True)) == job.id


def test_a_number_that_follows_from_another_is_not_named(tmp_path):
    make_run(tmp_path, training__batch_size=64)
    assert "n_targets" not in Commands()(read_runs(tmp_path)[0])


def test_a_run_of_parts_that_are_not_here_has_no_command(tmp_path):
    job = make_run(tmp_path, drift="kl")
    job.folder.path.rename(tmp_path / "my_data-my_drift-00000000")
    assert Commands()(read_runs(tmp_path)[0]) is None
