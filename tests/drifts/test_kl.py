import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.testing import check_drift
from tests.conftest import skewed_clouds
from tests.drifts import reference

KEY = jax.random.key(0)


def velocity(x, y, **fields):
    drift = gmdwgf.load_drift("kl", **fields)
    return np.asarray(drift.velocity(jnp.asarray(x), jnp.asarray(y), KEY).v)


@pytest.mark.parametrize("self_term", ["keep", "leave_one_out"])
def test_velocity_equals_the_double_loop(self_term, clouds, x64):
    expected = reference.score_difference(*clouds, 0.7, leave_one_out=self_term == "leave_one_out")
    np.testing.assert_allclose(velocity(*clouds, bandwidth=0.7, self_term=self_term), expected, atol=1e-10)


def test_velocity_is_the_difference_of_parzen_scores_times_the_squared_bandwidth(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    h = 0.7

    def log_parzen(point, cloud):
        return jax.nn.logsumexp(-jnp.sum((point - cloud) ** 2, axis=-1) / (2 * h**2))

    score = jax.vmap(jax.grad(log_parzen), in_axes=(0, None))
    np.testing.assert_allclose(velocity(x, y, bandwidth=h), h**2 * (score(x, y) - score(x, x)), atol=1e-10)


def test_two_gaussians_give_the_linear_field_of_the_closed_form(x64):
    # Claim 16: slope b/(b+s^2) - a/(a+s^2) and shift from the means, for large samples, within sampling error.
    rng = np.random.default_rng(0)
    a, b, h = 0.5, 1.6, 0.8
    mean_q, mean_p = -0.4, 0.9
    x, y = (mean_q + np.sqrt(a) * rng.normal(size=(20000, 1))), (mean_p + np.sqrt(b) * rng.normal(size=(30000, 1)))
    at = jnp.linspace(-1.0, 1.0, 5)[:, None]
    got = gmdwgf.load_drift("kl", bandwidth=h).velocity(jnp.asarray(x), jnp.asarray(y), KEY, at=at).v
    expected = h**2 * ((at - mean_q) / (a + h**2) - (at - mean_p) / (b + h**2))
    np.testing.assert_allclose(got, expected, atol=0.03)


def test_two_batch_repels_each_half_by_the_other(clouds, x64):
    x, y = clouds
    half = len(x) // 2
    expected = [
        reference.mean_shift(p, y, 0.7) - reference.mean_shift(p, x[half:] if i < half else x[:half], 0.7)
        for i, p in enumerate(x)
    ]
    np.testing.assert_allclose(velocity(x, y, bandwidth=0.7, self_term="two_batch"), expected, atol=1e-10)


@pytest.mark.thorough
def test_weights_act_as_repeated_points(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    repeats = np.arange(len(y)) % 3 + 1
    drift = gmdwgf.load_drift("kl", bandwidth=0.7)
    weighted = drift.velocity(x, y, KEY, y_weights=jnp.asarray(repeats, float)).v
    np.testing.assert_allclose(weighted, drift.velocity(x, jnp.repeat(y, repeats, axis=0), KEY).v, atol=1e-10)


@pytest.mark.thorough
def test_collapsed_particles_are_stationary_and_split_when_nudged(x64):
    # Claim 28: q = delta_0 between two targets is stationary; a split of +-u grows at rate Cov/sigma^2.
    y = jnp.asarray([[-1.0], [1.0]])
    drift = gmdwgf.load_drift("kl", bandwidth=0.5)
    assert np.abs(drift.velocity(jnp.zeros((4, 1)), y, KEY).v).max() < 1e-12
    u = 1e-5
    split = jnp.asarray([[u], [-u]])
    np.testing.assert_allclose(drift.velocity(split, y, KEY).v / split, 4.0, rtol=1e-4)


@pytest.mark.thorough
def test_single_precision_agrees_far_from_the_origin():
    x, y = skewed_clouds(64, 80)
    exact = reference.score_difference(x, y, 0.5)
    for offset, bound in ((0.0, 1e-5), (100.0, 1e-4)):
        got = velocity((x + offset).astype(np.float32), (y + offset).astype(np.float32), bandwidth=0.5)
        assert np.abs(got - exact).max() / np.abs(exact).max() < bound


@pytest.mark.parametrize("self_term", ["keep", pytest.param("two_batch", marks=pytest.mark.thorough)])
def test_abc_is_the_gradient_of_log_densities_with_half_their_squared_weights(self_term, clouds, x64):
    x, y = map(jnp.asarray, clouds)
    h, half = 0.7, len(x) // 2

    def corrected(point, cloud):
        logits = -jnp.sum((point - cloud) ** 2, axis=-1) / (2 * h**2)
        return jax.nn.logsumexp(logits) + jnp.sum(jax.nn.softmax(logits) ** 2) / 2

    score = jax.vmap(jax.grad(corrected), in_axes=(0, None))
    repelling = [(x, x)] if self_term == "keep" else [(x[:half], x[half:]), (x[half:], x[:half])]
    away = jnp.concatenate([score(points, cloud) for points, cloud in repelling])
    got = velocity(x, y, bandwidth=h, self_term=self_term, bias="abc")
    np.testing.assert_allclose(got, h**2 * (score(x, y) - away), atol=1e-10)
    assert np.abs(got - velocity(x, y, bandwidth=h, self_term=self_term)).max() > 0.01


def test_abc_removes_the_bias_of_a_small_batch():
    """Standard normal targets: the barycentre at 1 is 1 / (1 + h^2); gated by standard errors over 20,000 batches of 16."""
    h, y = 0.5, jax.random.normal(KEY, (20_000, 16, 1))
    at, alone = jnp.ones((1, 1)), jnp.zeros((1, 1))

    def attraction(bias):
        drift = gmdwgf.load_drift("kl", bandwidth=h, bias=bias)
        return np.asarray(jax.jit(jax.vmap(lambda y: drift.velocity(alone, y, KEY, at=at).v[0, 0]))(y), float)

    errors = {bias: attraction(bias) - 1 / (1 + h**2) for bias in ("none", "abc")}
    means = {bias: error.mean() / (error.std() / np.sqrt(len(error))) for bias, error in errors.items()}
    assert means["none"] < -10
    assert abs(means["abc"]) < 3


@pytest.mark.slow
def test_abc_obeys_the_laws():
    check_drift(gmdwgf.load_drift("kl", bias="abc"))
