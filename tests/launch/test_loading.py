import jax
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError
from tests.conftest import gmdwgf as run_command


def test_load_drift_takes_fields_by_name():
    assert float(gmdwgf.load_drift("kl", bandwidth=0.7).bandwidth) == pytest.approx(0.7)


@pytest.mark.thorough
def test_load_target_samples():
    assert gmdwgf.load_target("pinwheel", n_arms=3).sample(jax.random.key(0), 7).shape == (7, 2)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="did you mean deng"):
        gmdwgf.load_drift("dang")
    with pytest.raises(ConfigError, match="did you mean temperature"):
        gmdwgf.load_drift("deng", temprature=1.0)


def test_a_yaml_of_ones_own_is_a_drift(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("_target_: gmdwgf.drifts.kl.KLDrift\nbandwidth: 2.0\nself_term: keep\n")
    assert float(gmdwgf.load_drift(str(path), bandwidth=3).bandwidth) == 3.0


@pytest.mark.thorough
def test_load_run_gives_back_config_metrics_samples_and_generator(tmp_path):
    done = run_command("+drift=kl", "debug=tiny", "tracking.wandb.mode=disabled", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    run = gmdwgf.load_run(folder)
    assert run.config["drift"]["bandwidth"] == 0.3
    assert [record["step"] for record in run.records] == [0, 10, 20]
    assert run.samples.shape == (3, 128, 2)
    fresh = run.sample(jax.random.key(3), 50)
    assert fresh.shape == (50, 2)
    assert np.isfinite(fresh).all()
    best = gmdwgf.load_run(folder, which="best")
    assert jax.tree.structure(best.params) == jax.tree.structure(run.params)
    for name in ("samples", "curves", "strip", "velocity"):
        assert (folder / "figures" / f"{name}.png").stat().st_size > 5000


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="not a run folder"):
        gmdwgf.load_run(tmp_path)
