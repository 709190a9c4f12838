"""Several steps of the flow of a batch, against a loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.drifts.base import AbstractDrift, DriftOutput, Tags
from gmdwgf.drifts.wrappers.lookahead import LookaheadDrift
from tests.drifts import reference

KEY = jax.random.key(7)


ask = jax.jit(lambda drift, state, x, y, **options: drift.update(state, x, y, KEY, **options))


class CountingDrift(AbstractDrift):
    """Moves by the number of its call plus noise from its key."""

    def init(self, key, x, y):
        return jnp.zeros(())

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None):
        state = state + 1
        return DriftOutput(jnp.zeros_like(x) + state + jax.random.normal(key), {"v_rms": state}), state

    def tags(self):
        return Tags(False, True, None, "local")


@pytest.mark.parametrize("weights", ["equal", "harmonic"])
def test_velocity_is_the_weighted_sum_along_euler_steps(weights, clouds, x64):
    x, y = clouds
    ahead, expected = x, np.zeros_like(x)
    for k in (1, 2, 3):
        v = reference.score_difference(ahead, y, 0.7)
        ahead, expected = ahead + 0.6 * v, expected + v / (k if weights == "harmonic" else 1)
    drift = LookaheadDrift(gmdwgf.load_drift("kl", bandwidth=0.7), 3, weights, jnp.asarray(0.6))
    output, _ = ask(drift, (), jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(output.v, expected, atol=1e-10)
    if weights == "equal":
        np.testing.assert_allclose(x + 0.6 * output.v, ahead, atol=1e-10)


def test_state_and_keys_go_on_from_step_to_step_and_the_log_is_of_the_first(clouds):
    x, y = (jnp.asarray(cloud, jnp.float32) for cloud in clouds)
    drift = LookaheadDrift(CountingDrift(), 4, "equal", jnp.asarray(1.0))
    output, state = ask(drift, drift.init(KEY, x, y), x, y)
    noise = sum(float(jax.random.normal(key)) for key in jax.random.split(KEY, 4))
    np.testing.assert_allclose(output.v, 10 + noise, rtol=1e-5)
    assert (float(state), float(output.info["v_rms"])) == (4, 1)


def test_at_other_points_it_is_the_drift_itself(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    inner = gmdwgf.load_drift("mmd")
    drift = LookaheadDrift(inner, 4, "equal", jnp.asarray(1.0))
    one, other = (ask(asked, (), x, y, at=y)[0].v for asked in (drift, inner))
    np.testing.assert_array_equal(one, other)
    assert drift.n_references(5, 5) == 0


def test_it_stores_what_its_drift_stores():
    inner = gmdwgf.load_drift("drmmd")
    assert LookaheadDrift(inner, 2, "equal", jnp.asarray(1.0)).n_stored(13, 17) == inner.n_stored(13, 17) == 17**2
