"""A whole run within this process."""

import jax
import pytest
from hydra import compose, initialize_config_dir

from gmdwgf.config.build import config_dir
from gmdwgf.launch.execute import execute
from gmdwgf.launch.spec import make_spec

RUN = ["drift=kl", "debug=tiny", "training.n_steps=60", "training.eval_every=20", "tracking.wandb.mode=disabled"]


@pytest.fixture
def compiled():
    """The names of what is compiled from now on, in order."""
    names = []

    def listen(event, duration_secs, fun_name="", **_):
        if event.endswith("backend_compile_duration"):
            names.append(fun_name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield names
    jax.monitoring.unregister_event_duration_listener(listen)


@pytest.mark.slow
def test_a_run_compiles_its_step_once_and_other_real_numbers_compile_nothing(tmp_path, compiled):
    jax.clear_caches()
    with initialize_config_dir(str(config_dir().resolve()), version_base="1.3"):
        for number, change in enumerate(["seed=0", "drift.bandwidth=0.41", "optimizer.learning_rate=3e-4"]):
            cfg = compose("train", overrides=[*RUN, change, f"paths.root={tmp_path}"])
            assert execute(make_spec(cfg, {}), str, str)["status"] == "done"
            if number == 0:
                assert sum("chunk" in name for name in compiled) == 1
                compiled.clear()
            assert not compiled
