"""Which random key serves which purpose of a step."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.drifts.base import AbstractDrift, DriftOutput, Tags
from gmdwgf.training.state import _PURPOSES, initial_state, purpose
from gmdwgf.training.step import train_step
from tests.training.common import small_problem

KEY = jax.random.key(4)


class Witness(AbstractDrift):
    """A drift of nothing, which reports what it was given."""

    def init(self, key, x, y):
        return self._seen(x, y, key)

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None):
        seen = self._seen(x, y, key)
        return DriftOutput(jnp.zeros_like(x), {"v_rms": jnp.zeros(())} | seen), seen

    def _seen(self, x, y, key):
        return {"x": jnp.mean(x), "y": jnp.mean(y), "key": jax.random.uniform(key)}

    def tags(self) -> Tags:
        return Tags(zero_at_equality=True, curl_free=True, flow_of=None, reach="local")


@pytest.fixture(scope="module")
def problem():
    small = small_problem()
    return gmdwgf.make_problem(small.target, Witness(), generator=small.generator, batch_size=24, n_targets=32)


def close(seen, expected):
    for name, value in expected.items():
        np.testing.assert_allclose(seen[name], value, rtol=1e-4, err_msg=name)


def test_every_purpose_has_a_key_of_its_own_at_every_step():
    keys = [purpose(KEY, jnp.asarray(step), name) for step, name in itertools.product(range(4), _PURPOSES)]
    assert len({np.asarray(jax.random.key_data(key)).tobytes() for key in keys}) == len(keys)


@pytest.mark.slow
@pytest.mark.parametrize("step", [0, 3])
def test_noise_targets_and_drift_of_a_step_come_from_the_keys_of_their_purposes(problem, step):
    at = lambda name: purpose(KEY, jnp.asarray(step), name)
    state = jax.jit(initial_state)(problem, KEY)
    state = state.__class__(**vars(state) | {"step": jnp.asarray(step)})
    moved, logs = jax.jit(train_step)(problem, state)
    close(
        moved.drift_state,
        {
            "x": jnp.mean(problem.generator.sample(state.params, at("noise"), 24, None)),
            "y": jnp.mean(problem.target.sample(at("targets"), 32)),
            "key": jax.random.uniform(at("drift")),
        },
    )
    assert int(moved.step) == step + 1
    assert logs["drift/key"] == moved.drift_state["key"]


@pytest.mark.thorough
def test_the_state_before_the_first_step_comes_from_the_keys_of_step_0(problem):
    at = lambda name: purpose(KEY, jnp.asarray(0), name)
    state = jax.jit(initial_state)(problem, KEY)
    params = problem.generator.init(at("init"), 24, 2, 0)
    np.testing.assert_allclose(state.params["out"]["kernel"], params["out"]["kernel"], rtol=1e-6)
    close(
        state.drift_state,
        {
            "x": jnp.mean(problem.generator.sample(params, at("noise"), 24, None)),
            "y": jnp.mean(problem.target.sample(at("targets"), 32)),
            "key": jax.random.uniform(at("drift_init")),
        },
    )
