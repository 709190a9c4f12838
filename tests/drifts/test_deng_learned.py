import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.drifts.deng_learned import DengLearnedDrift
from tests.conftest import skewed_clouds

KEY = jax.random.key(0)


def loss(log_t, x, y, a, b):
    """The contrastive loss, from all pairs."""
    to_y = jnp.linalg.norm(x[:, None] - y[None], axis=-1)
    length = a @ to_y @ b
    gap = x[:, None] - x[None] + 10.0 * jnp.eye(len(x))[..., None]
    to_x = jnp.linalg.norm(gap, axis=-1) / length
    near = jnp.exp(-to_y / length / jnp.exp(log_t)) @ b
    others = (jnp.exp(-to_x / jnp.exp(log_t)) * (1 - jnp.eye(len(x)))) @ a
    return -a @ jnp.log(near / (near + others))


@pytest.mark.parametrize("log_t", [-2.0, 0.0, 0.7])
def test_the_slope_is_the_derivative_of_the_contrastive_loss(x64, log_t):
    x, y = map(jnp.asarray, skewed_clouds(13, 17))
    rng = np.random.default_rng(1)
    a, b = jnp.asarray(rng.dirichlet(np.ones(13))), jnp.asarray(rng.dirichlet(np.ones(17)))
    drift = gmdwgf.load_drift("deng_learned")
    assert isinstance(drift, DengLearnedDrift)
    slope, length = drift.slope(jnp.asarray(log_t), x, y, a, b)
    np.testing.assert_allclose(slope, jax.grad(loss)(log_t, x, y, a, b), rtol=1e-10)
    np.testing.assert_allclose(length, a @ jnp.linalg.norm(x[:, None] - y[None], axis=-1) @ b, rtol=1e-12)


def test_a_step_descends_and_the_velocity_is_that_of_deng_at_the_temperature_of_the_logs(x64):
    x, y = map(jnp.asarray, skewed_clouds(13, 17))
    drift = gmdwgf.load_drift("deng_learned", rate=0.3)
    state = drift.init(KEY, x, y)
    output, moved = drift.update(state, x, y, KEY)
    a, b = jnp.full(13, 1 / 13), jnp.full(17, 1 / 17)
    assert loss(moved.log_temperature, x, y, a, b) < loss(state.log_temperature, x, y, a, b)
    np.testing.assert_allclose(moved.log_temperature, -0.3 * jax.grad(loss)(0.0, x, y, a, b), rtol=1e-10)
    length = a @ jnp.linalg.norm(x[:, None] - y[None], axis=-1) @ b
    np.testing.assert_allclose(output.info["temperature"], length * jnp.exp(moved.log_temperature), rtol=1e-12)
    plain = gmdwgf.load_drift("deng", temperature=float(output.info["temperature"]))
    np.testing.assert_allclose(output.v, plain.update((), x, y, KEY)[0].v, rtol=1e-12)


def test_the_temperature_stays_above_its_floor_and_without_a_rate_where_it_started(x64):
    x, y = map(jnp.asarray, skewed_clouds(13, 17))
    high = gmdwgf.load_drift("deng_learned", floor=0.9, rate=100.0)
    still = gmdwgf.load_drift("deng_learned", rate=0.0)
    for drift, expected in ((high, None), (still, 0.0)):
        _, state = drift.update(drift.init(KEY, x, y), x, y, KEY)
        found = float(state.log_temperature)
        assert found >= np.log(0.9) - 1e-12 if expected is None else found == expected


@pytest.mark.thorough
def test_it_grows_from_far_away_and_falls_among_the_data(x64):
    """The temperature of 60 steps on fixed clouds: particles in a clump far from the targets, and samples of the targets' law."""
    rng = np.random.default_rng(2)
    y = jnp.asarray(rng.choice([-2.0, 2.0], (60, 2)) + 0.1 * rng.normal(size=(60, 2)))
    far = jnp.asarray(9.0 + 0.1 * rng.normal(size=(50, 2)))
    one_mode = jnp.asarray(np.array([2.0, 2.0]) + 0.1 * rng.normal(size=(50, 2)))
    drift = gmdwgf.load_drift("deng_learned", start=0.3)
    step = jax.jit(lambda state, x: drift.update(state, x, y, KEY)[1])
    ends = []
    for x in (far, one_mode):
        state = drift.init(KEY, x, y)
        for _ in range(60):
            state = step(state, x)
        ends.append(float(state.log_temperature))
    assert ends[0] > np.log(0.3) + 0.5
    assert ends[1] > np.log(0.3)


def test_clouds_in_one_point_are_at_rest_and_leave_the_temperature_finite(x64):
    x = jnp.ones((5, 2))
    drift = gmdwgf.load_drift("deng_learned")
    output, state = drift.update(drift.init(KEY, x, x), x, x, KEY)
    np.testing.assert_allclose(output.v, 0, atol=1e-12)
    assert np.isfinite(state.log_temperature)
