import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError
from gmdwgf.drifts.critic import points_between
from gmdwgf.engine.checkpoints import Checkpoints, from_host
from gmdwgf.training.state import initial_state
from tests.conftest import skewed_clouds
from tests.training.common import same_bits, small_problem

KEY = jax.random.key(0)
SMALL = {"width": 24, "depth": 2, "activation": "silu"}

# f of D_f(q || p) = E_p f(q/p), as in the zoo; the velocity is -grad f'(q/p).
GENERATORS = {
    "kl": lambda r: r * jnp.log(r),
    "reverse_kl": lambda r: -jnp.log(r),
    "js": lambda r: (r * jnp.log(r) - (1 + r) * jnp.log((1 + r) / 2)) / 2,
    "chi2": lambda r: (r - 1) ** 2,
}


@functools.partial(jax.jit, static_argnames="n_updates")
def trained(drift, x, y, at, n_updates):
    """The field at `at` after `n_updates` updates on fixed clouds."""

    def step(state, key):
        output, state = drift.update(state, x, y, key, at=at)
        return state, output

    outputs = jax.lax.scan(step, drift.init(KEY, x, y), jax.random.split(KEY, n_updates))[1]
    return jax.tree.map(lambda values: values[-1], outputs)


@jax.jit
def answer(drift, state, x, y, **options):
    return drift.update(state, x, y, KEY, **options)


@pytest.mark.parametrize("objective", GENERATORS)
def test_a_fixed_logit_gives_minus_the_gradient_of_the_first_variation(objective, x64):
    logit = lambda point: jnp.sin(point) + 0.3 * point**2 - 0.2  # any smooth log p/q
    variation = lambda point: jax.grad(GENERATORS[objective])(jnp.exp(-logit(point)))
    points, scale, step = jnp.linspace(-1.0, 1.3, 7), 2.5, 1e-5
    drift = gmdwgf.load_drift("critic", objective=objective)
    slope = scale * jax.vmap(jax.grad(logit))(points)[:, None]
    got = drift.velocity_of(logit(points), slope, jnp.asarray(scale))[:, 0]
    ahead, behind = jax.vmap(variation)(points + step), jax.vmap(variation)(points - step)
    np.testing.assert_allclose(got, -(ahead - behind) / (2 * step), rtol=1e-7)


@pytest.mark.parametrize(("objective", "factor"), [("reverse_kl", 4.0), ("chi2", 8.0), ("js", 0.4), ("kl", 1.0)])
def test_the_density_ratio_in_the_factor_is_clipped(objective, factor):
    drift = gmdwgf.load_drift("critic", objective=objective, ratio_clip=4.0)
    beyond = 30.0 if objective in ("reverse_kl", "js") else -30.0
    v = drift.velocity_of(jnp.asarray([beyond]), jnp.ones((1, 1)), jnp.asarray(1.0))
    np.testing.assert_allclose(v, factor, rtol=1e-5)


@pytest.mark.slow
def test_a_trained_critic_approaches_the_log_ratio_of_two_gaussians():
    # log p/q is quadratic, so its slope is linear; the data are far from unit scale and from the origin.
    rng = np.random.default_rng(0)
    (mean_q, sd_q), (mean_p, sd_p) = (28.5, 2.4), (31.0, 3.6)
    x, y = mean_q + sd_q * rng.normal(size=(4000, 1)), mean_p + sd_p * rng.normal(size=(4500, 1))
    x, y, at = (jnp.asarray(cloud, jnp.float32) for cloud in (x, y, np.linspace(25.0, 33.0, 9)[:, None]))
    drift = gmdwgf.load_drift("critic", gradient_penalty=0.0, **SMALL)
    output = trained(drift, x, y, at, 100)
    expected = (at - mean_q) / sd_q**2 - (at - mean_p) / sd_p**2
    assert np.abs(output.v - expected).max() < 0.15 * np.abs(expected).max()
    logit = lambda cloud: (cloud - mean_q) ** 2 / (2 * sd_q**2) - (cloud - mean_p) ** 2 / (2 * sd_p**2)
    np.testing.assert_allclose(output.info["gap"], np.mean(logit(y)) - np.mean(logit(x)), rtol=0.15)


@pytest.mark.slow
def test_the_w1_potential_points_to_the_target_at_the_speed_that_the_penalty_leaves():
    # A slope s costs strength (s - 1)^2 and gains s W1, in the frame: s = 1 + W1 / (2 strength).
    x = jnp.asarray(3.0 * skewed_clouds(200, 1)[0], jnp.float32)
    y = x[:150] + jnp.asarray([8.0, 6.0])
    move, scale, strength = np.mean(y, 0) - np.mean(x, 0), np.sqrt(np.var(y, axis=0).mean()), 20.0
    drift = gmdwgf.load_drift("critic", objective="w1", gradient_penalty=strength, **SMALL)
    output = trained(drift, x, y, x, 200)
    distance, speed = np.linalg.norm(move), np.linalg.norm(output.v, axis=1)
    expected = 1 + distance / scale / (2 * strength)
    np.testing.assert_allclose(speed, expected, rtol=0.2)
    np.testing.assert_allclose(speed.mean(), expected, rtol=0.05)
    np.testing.assert_allclose(output.info["gap"], expected * distance, rtol=0.05)
    assert (output.v @ move / distance / speed).min() > 0.9


@pytest.mark.slow
def test_weights_act_as_repeated_points(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    n_x, n_y = np.arange(len(x)) % 2 + 1, np.arange(len(y)) % 3 + 1
    drift = gmdwgf.load_drift("critic", gradient_penalty=0.0, n_inner=3, **SMALL)
    state = jax.jit(lambda drift: drift.init(KEY, x, y))(drift)
    weighted = lambda a, b: (
        answer(drift, state, x, y, at=x, x_weights=jnp.asarray(a, float), y_weights=jnp.asarray(b, float))[0].v
    )
    repeated = answer(drift, state, jnp.repeat(x, n_x, axis=0), jnp.repeat(y, n_y, axis=0), at=x)[0].v
    np.testing.assert_allclose(weighted(n_x, n_y), repeated, atol=1e-8)
    assert np.abs(weighted(n_x, np.ones(len(y))) - repeated).max() > 1e-4
    assert np.abs(weighted(np.ones(len(x)), n_y) - repeated).max() > 1e-4


@pytest.mark.thorough
def test_points_between_are_spread_over_the_segments_between_two_draws(x64):
    x, y = jnp.asarray([[0.0, 0.0], [5.0, 5.0], [1.0, 0.0]]), jnp.asarray([[1.0, 4.0], [7.0, 7.0]])
    only = lambda k, n: jnp.zeros(n).at[k].set(1.0)
    points = jax.jit(points_between)(KEY, jnp.repeat(x, 400, axis=0), jnp.repeat(only(2, 3), 400) / 400, y, only(0, 2))
    np.testing.assert_allclose(points[:, 0], 1.0)
    heights = np.sort(points[:, 1]) / 4.0
    np.testing.assert_allclose(heights, (np.arange(1200) + 0.5) / 1200, atol=0.05)


@pytest.mark.thorough
def test_points_between_honour_the_masses(x64):
    x, y = jnp.repeat(jnp.asarray([[0.0], [1.0]]), 3000, axis=0), jnp.asarray([[0.0], [10.0]])
    a = jnp.repeat(jnp.asarray([0.2, 0.8]), 3000) / 3000
    mean = jnp.mean(jax.jit(points_between)(KEY, x, a, y, jnp.asarray([0.7, 0.3])))
    np.testing.assert_allclose(mean, (0.8 + 3.0) / 2, atol=0.1)


@pytest.mark.slow
def test_an_inner_step_that_is_not_finite_is_left_out(clouds):
    x, y = (jnp.asarray(cloud, jnp.float32) for cloud in clouds)
    drift = gmdwgf.load_drift("critic", **SMALL)
    state = jax.jit(lambda drift: drift.init(KEY, x, y))(drift)
    output, after = answer(drift, state, x, y.at[3, 0].set(jnp.nan))
    assert same_bits(after, state)
    assert np.isfinite(output.v).all()
    assert not same_bits(answer(drift, state, x, y)[1], state)


@pytest.mark.slow
def test_the_critic_is_part_of_the_checkpoint(tmp_path):
    problem = small_problem("critic", changes={"drift": {"width": 8}})
    one, other = (jax.jit(initial_state)(problem, jax.random.key(seed)) for seed in (0, 1))
    checkpoints = Checkpoints(tmp_path / "checkpoints", print)
    checkpoints.save(one, 0.0, {})
    restored = from_host(checkpoints.latest(other)[0], other)
    checkpoints.close()
    assert same_bits(restored.drift_state, one.drift_state)
    assert not same_bits(other.drift_state, one.drift_state)


@pytest.mark.parametrize(("field", "value"), [("decay", "cosine"), ("warmup_fraction", 0.25)])
def test_an_optimiser_that_counts_on_a_last_step_is_refused(field, value):
    node = {"decay": "constant", "warmup_fraction": 0.0, "final_fraction": 1.0} | {field: value}
    schedule = {"_target_": "gmdwgf.optim.optimizers.RateSchedule"} | node
    sgd = {"_target_": "gmdwgf.optim.optimizers.SGD", "learning_rate": 0.1, "momentum": 0.0, "clip_norm": 1.0}
    with pytest.raises(ConfigError, match=f"drift.optimizer.schedule.{field}={value}: must be"):
        gmdwgf.load_drift("critic", optimizer=sgd | {"schedule": schedule})
