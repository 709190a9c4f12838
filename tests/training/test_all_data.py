"""Attraction to all targets: what counts as all, one pass over them, and what cannot be combined with it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError
from gmdwgf.data.sharded_reader import ShardedReader
from gmdwgf.optim.schedules import Linear
from gmdwgf.targets.arrays import ArrayTarget
from gmdwgf.training import all_data
from gmdwgf.training.all_data import data_set, nystrom_error
from gmdwgf.training.state import initial_state
from gmdwgf.training.step import train_step

KEY = jax.random.key(0)
SMALL = {"batch_size": 16, "n_targets": 20, "n_steps": 10, "width": 8, "depth": 1, "n_codes": 0, "noise_dim": 2}


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).gamma(2.0, size=(300, 2)).astype(np.float32)


def test_all_training_rows_are_read_once_and_landmarks_are_some_of_them(rows, monkeypatch):
    monkeypatch.setattr(all_data, "AT_ONCE", 50)
    target = ArrayTarget(rows, None, 0.2, 0)
    data = data_set(target, 30, 1, KEY)
    read = np.concatenate(list(data.chunks))
    np.testing.assert_array_equal(read, target.train)
    assert len(np.unique(data.landmarks, axis=0)) == 30
    assert (np.asarray(data.landmarks)[:, None] == np.asarray(target.train)[None]).all(-1).any(1).all()
    assert "all 240 training points" in data.words


def test_a_file_larger_than_memory_is_read_once_and_all_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr("gmdwgf.data.sharded_reader._BLOCK_BYTES", 64 * 8)
    stored = np.random.default_rng(0).normal(size=(5000, 2)).astype(np.float32)
    np.save(tmp_path / "rows.npy", stored)
    target = ArrayTarget(str(tmp_path / "rows.npy"), None, 0.2, 0, max_resident=600 * 8)
    asked, following = [], ShardedReader.next_labelled
    monkeypatch.setattr(ShardedReader, "next_labelled", lambda self, n: asked.append(n) or following(self, n))
    data = data_set(target, 30, 1, KEY)
    read = np.concatenate(list(data.chunks))
    reader = target.reader()
    held = reader.held_out(10**6)[0]
    assert sum(asked) == len(read) == reader.n_train_rows == 5000 - len(held)
    assert max(asked) <= target.n_kept
    pairs = lambda points: sorted(map(tuple, np.asarray(points).tolist()))
    assert pairs(np.concatenate([read, held])) == pairs(stored)


def test_a_target_without_a_finite_set_gives_as_many_samples_as_asked(monkeypatch):
    monkeypatch.setattr(all_data, "AT_ONCE", 64)
    data = data_set(gmdwgf.load_target("eight_gaussians"), 30, 150, KEY)
    read = np.concatenate(list(data.chunks))
    assert len(np.unique(read, axis=0)) == 150
    assert "no finite set" in data.words


@pytest.mark.thorough
def test_a_step_is_attracted_by_all_rows_and_not_by_those_of_the_batch(rows):
    problem = gmdwgf.make_problem(
        rows, "mean_shift", attraction="nystrom", n_landmarks=240, ridge=1e-6, bandwidth=None, **SMALL
    )
    state = initial_state(problem, KEY)
    x = problem.generator.sample(state.params, jax.random.key(1), 16)
    told = jax.jit(nystrom_error)(problem, x, problem.target.training_rows())
    assert float(told["nystrom_error"]) < 0.02 * float(told["v_rms"])
    (moments,) = problem.moments
    np.testing.assert_allclose(jnp.sum(problem.drift_at(jnp.asarray(0.0)).moments[0].weights), jnp.sum(moments.weights))
    state, logs = jax.jit(train_step)(problem, state)
    assert np.isfinite(logs["loss"])
    assert "drift/out_of_reach" in logs
    batch = gmdwgf.make_problem(rows, "mean_shift", **SMALL)
    assert batch.moments is None


def refused(match, target="eight_gaussians", drift="kl", **options):
    with pytest.raises(ConfigError, match=match):
        gmdwgf.make_problem(target, drift, attraction="nystrom", n_data=50, **(SMALL | {"n_landmarks": 8} | options))


@pytest.mark.thorough
def test_what_cannot_be_served_is_refused_in_one_line(rows):
    refused("training.attraction=nystrom: is not supported by SinkhornDrift", drift="sinkhorn")
    refused("training.attraction=nystrom: is not supported by SumDrift", drift="sum")
    with_classes = gmdwgf.load_target("image_latents", labels=True)
    refused("cannot be combined with condition", with_classes, condition="classes", batch_size=20)
    refused("cannot be combined with features", features="identity")
    refused("training.n_landmarks=51: must be at most 50", n_landmarks=51)
    refused("training.n_landmarks=241: must be at most 240", rows, "mmd", n_landmarks=241)
    refused("column sums of DengDrift", drift="deng", n_landmarks=300_000)
    schedule = Linear(start=jnp.asarray(1.0), end=jnp.asarray(0.1), n_steps=jnp.asarray(5.0))
    refused("needs a constant drift.bandwidth", schedules={"bandwidth": schedule})


def test_numbers_of_the_landmarks_are_refused_where_the_batch_attracts():
    with pytest.raises(ConfigError, match="training.n_landmarks=8: is ignored with attraction=batch"):
        gmdwgf.make_problem("eight_gaussians", "kl", n_landmarks=8, **SMALL)
