"""Several averages of the parameters at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError, build, load_node
from gmdwgf.config.fields import FieldError
from gmdwgf.engine.checkpoints import Checkpoints, from_host, to_host
from gmdwgf.training import ema
from gmdwgf.training.state import initial_state
from tests.conftest import gmdwgf as run_command
from tests.training.common import run_steps, same_bits, small_problem

DECAYS = [0.5, 0.9, 0.99]
SEVERAL = {"training": {"ema_decay": DECAYS}}


@pytest.mark.slow
def test_each_decay_of_a_list_is_the_run_with_that_decay_alone():
    together = run_steps(small_problem(changes=SEVERAL), 20)
    assert isinstance(together.ema_params, tuple)
    for decay, average in zip(DECAYS, together.ema_params, strict=True):
        alone = run_steps(small_problem(changes={"training": {"ema_decay": decay}}), 20)
        assert same_bits(alone.params, together.params)
        close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
        jax.tree.map(close, average, alone.ema_params)


def test_a_single_decay_keeps_the_form_of_the_parameters():
    problem = small_problem()
    state = jax.eval_shape(lambda: initial_state(problem, jax.random.key(0)))
    assert jax.tree.structure(state.ema_params) == jax.tree.structure(state.params)


@pytest.mark.thorough
def test_a_checkpoint_of_several_averages_goes_on_bit_by_bit(tmp_path):
    problem = small_problem(changes=SEVERAL)
    checkpoints = Checkpoints(tmp_path, print)
    checkpoints.save(run_steps(problem, 10), 0.0, {})
    fresh = jax.jit(initial_state)(problem, jax.random.key(0))
    resumed = run_steps(problem, 20, state=from_host(checkpoints.latest(fresh)[0], fresh))
    checkpoints.close()
    assert same_bits(to_host(resumed), to_host(run_steps(problem, 10, 20)))


def test_the_first_average_goes_by_plain_names_and_the_others_by_theirs():
    decay = jnp.asarray([0.999, 0.9995, 0.9999])
    assert ema.suffixes(decay) == ["", "@0.9995", "@0.9999"]
    assert ema.by_suffix(decay, ("a", "b", "c")) == {"": "a", "@0.9995": "b", "@0.9999": "c"}
    assert ema.by_suffix(jnp.asarray(0.9), "a") == {"": "a"}
    assert ema.of(decay, ("a", "b", "c"), 0.9999) == "c"


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ([0.9, 0.99, 0.9], r"training.ema_decay=\[0.9, 0.99, 0.9\]: "),
        ([0.9, 1.5], r"training.ema_decay=\[.*1.5\]: must be at most 1"),
        ("long", "training.ema_decay=long: must be a number or a list of numbers"),
    ],
)
def test_decays_that_cannot_be_are_refused(value, complaint):
    node = load_node("training", "default", {"n_targets": 8})
    node.ema_decay = value
    with pytest.raises(ConfigError, match=complaint):
        build(node, "training")


@pytest.mark.slow
def test_a_run_scores_every_average_and_any_of_them_can_be_loaded(tmp_path):
    command = ["+drift=kl", "debug=tiny", "training.ema_decay=[0.5,0.9]", "tracking.wandb.mode=disabled"]
    done = run_command(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    run = gmdwgf.load_run(folder)
    record = run.records[-1]
    assert {name.removesuffix("@0.9") for name in record if name.endswith("@0.9")} >= {"mmd2", "w2", "near"}
    assert record["mmd2"] != record["mmd2@0.9"]
    assert same_bits(run.params, gmdwgf.load_run(folder, ema_decay=0.5).params)
    assert not same_bits(run.params, gmdwgf.load_run(folder, ema_decay=0.9).params)
    with pytest.raises(ConfigError, match="ema_decay=0.7: the run averaged with 0.5, 0.9"):
        gmdwgf.load_run(folder, ema_decay=0.7)


def test_a_run_with_one_average_refuses_another():
    with pytest.raises(FieldError, match="averaged with 0.9$"):
        ema.of(jnp.asarray(0.9), "a", 0.5)
