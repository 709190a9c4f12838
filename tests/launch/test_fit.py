import os
import signal
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError
from tests.launch.fitting import NUMBERS, OVERRIDES
from tests.training.common import same_bits

QUIET = NUMBERS | {"progress": False}


@pytest.fixture(scope="module")
def result():
    return gmdwgf.fit("eight_gaussians", "kl", **QUIET)


def without_seconds(records):
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records]


@pytest.mark.thorough
def test_fit_gives_the_bits_of_the_command_and_finds_its_folder(cli, tmp_path, result):
    code, _, err = cli("drift=kl", *OVERRIDES, "tracking.wandb.mode=disabled", "tracking.progress=false")
    assert code == 0, err
    (folder,) = Path("runs").iterdir()
    command, written = gmdwgf.load_run(folder), (folder / "DONE.json").read_bytes()
    assert same_bits(result.params, jax.tree.map(jnp.asarray, command.params))
    assert without_seconds(result.records) == without_seconds(command.records)
    np.testing.assert_array_equal(result.samples, command.samples)
    np.testing.assert_array_equal(result.targets, command.targets)

    found = gmdwgf.fit("eight_gaussians", gmdwgf.load_drift("kl"), folder="runs", **QUIET)
    assert found.folder == folder.absolute()
    assert (folder / "DONE.json").read_bytes() == written
    assert same_bits(found.params, result.params)
    assert found.records == command.records
    assert found.floor == result.floor
    assert found.status == "done"


def test_a_result_tells_of_the_run(result):
    assert result.status == "done"
    assert [record["step"] for record in result.records] == [0, 4, 8]
    assert result.samples.shape == (3, 32, 2)
    assert result.sample(jax.random.key(0), 5).shape == (5, 2)
    assert set(result.floor) <= set(result.records[0])
    assert result.floor["mmd2"][1] > 0
    assert result.config["training"]["batch_size"] == 16
    assert f"{result.records[-1]['mmd2']:.2e}" in repr(result)


@pytest.mark.thorough
def test_a_result_shows_its_figure(result):
    assert result._repr_png_().startswith(b"\x89PNG")
    left, right = result.plot().axes
    assert len(left.collections) == 3  # targets, samples, modes
    np.testing.assert_allclose(right.lines[0].get_xdata(), [0, 4, 8])


@pytest.mark.slow
def test_a_callback_sees_every_record_and_can_stop_a_run_that_goes_on_in_its_folder(tmp_path, result):
    seen, kept = [], []

    def stop_at_4(step, record, sample):
        seen.append((step, record["mmd2"]))
        kept.append(sample)
        return step == 4

    stopped = gmdwgf.fit("eight_gaussians", "kl", folder=tmp_path, callbacks=stop_at_4, **QUIET)
    assert stopped.status == "interrupted"
    assert seen == [(record["step"], record["mmd2"]) for record in result.records[:2]]
    assert [sample(jax.random.key(1), 3).shape for sample in kept] == [(3, 2)] * 2
    assert not same_bits(stopped.params, result.params)
    resumed = gmdwgf.fit("eight_gaussians", "kl", folder=tmp_path, callbacks=[stop_at_4], **QUIET)
    assert [step for step, _ in seen] == [0, 4, 8]
    assert (resumed.status, resumed.folder) == ("done", stopped.folder)
    assert same_bits(resumed.params, result.params)


@pytest.mark.parametrize(
    "stop", [lambda *_: True, lambda *_: os.kill(os.getpid(), signal.SIGINT)], ids=["true", "Ctrl-C"]
)
def test_an_interrupted_fit_gives_back_what_there_is(stop):
    result = gmdwgf.fit("eight_gaussians", "kl", callbacks=[stop], **QUIET)
    assert result.status == "interrupted"
    assert [record["step"] for record in result.records] == [0]
    assert np.isfinite(result.sample(jax.random.key(0), 4)).all()


def test_a_diverged_fit_says_so():
    result = gmdwgf.fit("eight_gaussians", "kl", divergence_radius=1e-3, **QUIET)
    assert result.status == "diverged"
    assert result.divergence["diverged_term"] == "position"
    assert "diverged at step 0" in repr(result)


def draw(key, n):
    return jax.random.normal(key, (n, 2))


@pytest.mark.slow
def test_points_and_functions_are_targets(tmp_path):
    points = np.random.default_rng(0).normal(size=(200, 2))
    of_points = gmdwgf.fit(jnp.asarray(points), "kl", **QUIET)
    assert of_points.sample(jax.random.key(0), 3).shape == (3, 2)
    assert {tuple(row) for row in of_points.targets} <= {tuple(row) for row in points.astype(np.float32)}
    assert of_points.modes is None
    assert gmdwgf.fit(draw, "kl", **QUIET).records[-1]["step"] == 8
    in_folder = gmdwgf.fit(points, "kl", folder=tmp_path, **QUIET)
    assert same_bits(in_folder.params, of_points.params)
    assert gmdwgf.load_run(in_folder.folder).config["dataset"]["path"].startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("target", "drift", "changes", "key"),
    [
        ("eight_gausians", "kl", {}, "dataset"),
        (np.zeros(5), "kl", {}, "target"),
        (lambda key, n: jnp.zeros((n + 1, 2)), "kl", {}, "target"),
        (lambda key, n: np.asarray(jax.random.normal(key, (n, 2))), "kl", {}, "target"),
        (gmdwgf.targets.RingOfGaussians, "kl", {}, "target"),
        (3, "kl", {}, "target"),
        ("eight_gaussians", 0.3, {}, "drift"),
        ("eight_gaussians", "kl", {"bach_size": 3}, "bach_size"),
        ("eight_gaussians", "kl", {"bandwidth": 3}, "bandwidth"),
        ("eight_gaussians", "kl", {"batch_size": 0}, "training.batch_size"),
        ("eight_gaussians", "kl", {"learning_rate": -1.0}, "optimizer.learning_rate"),
        ("eight_gaussians", "kl", {"seed": -1}, "seed"),
        ("eight_gaussians", "kl", {"n_devices": 999}, "devices.n"),
        (
            "eight_gaussians",
            "kl",
            {"schedules": {"bandwidht": gmdwgf.optim.Constant(1.0)}},
            "schedules.bandwidht",
        ),
        (draw, "kl", {"folder": "runs"}, "target"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_its_key(target, drift, changes, key, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as refused:
        gmdwgf.fit(target, drift, **QUIET | changes)
    assert refused.value.key == key
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_field_of_an_object_is_refused_beside_it():
    with pytest.raises(ConfigError, match="generator, which is an object"):
        gmdwgf.fit("eight_gaussians", "kl", generator=gmdwgf.generators.MLPGenerator(2, 8, 1, "silu"), width=4)


def test_another_array_is_another_run_and_the_same_one_is_not(tmp_path):
    from gmdwgf.launch.chosen import choose
    from gmdwgf.launch.fitting_in_folder import _kept_in
    from gmdwgf.runs.identity import run_id

    points = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    ids = [run_id(_kept_in(choose(rows, "kl"), tmp_path).config()) for rows in (points, points.copy(), points + 1)]
    assert ids[0] == ids[1] != ids[2]
    assert len(list((tmp_path / "arrays").iterdir())) == 2


def test_progress_shows_the_floor(capsys):
    gmdwgf.fit("eight_gaussians", "kl", **NUMBERS)
    shown = capsys.readouterr().out
    assert "8/8" in shown
    assert "floor" in shown
    gmdwgf.fit("eight_gaussians", "kl", **QUIET)
    assert capsys.readouterr().out == ""
