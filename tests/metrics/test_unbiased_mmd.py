"""Unbiased MMD^2 and energy distance against double loops, closed forms and their own averages."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.metrics.mmd import energy, gaussian_mixture, mean_over_distinct_pairs, mean_over_pairs, mmd2
from gmdwgf.pairs import reductions

BANDWIDTHS = [0.1, 0.3, 1.0, 3.0]


def gaussian(r2):
    return gaussian_mixture(jnp.array(BANDWIDTHS))(r2)


def compiled(profile, *clouds):
    return jax.jit(lambda *clouds: mmd2(profile, *clouds))(*clouds)


def slow_mmd2(kernel, x, y):
    n, m = len(x), len(y)
    within_x = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_y = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    between = sum(kernel(x[i], y[j]) for i in range(n) for j in range(m)) / (n * m)
    return within_x + within_y - 2 * between


def slow_gaussian(a, b):
    return sum(math.exp(-sum((a - b) ** 2) / (2 * h * h)) for h in BANDWIDTHS) / len(BANDWIDTHS)


def slow_energy(a, b):
    return -math.sqrt(sum((a - b) ** 2))


def clouds(d, n=13, m=9, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    return offset + 0.7 * rng.normal(size=(n, d)) + 0.4, offset + rng.exponential(size=(m, d))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("d", [1, 3, 20])
@pytest.mark.parametrize(
    ("profile", "slow"),
    [(lambda r2: gaussian_mixture(jnp.array(BANDWIDTHS))(r2), slow_gaussian), (energy, slow_energy)],
)
def test_the_estimators_equal_double_loops_over_distinct_pairs(d, profile, slow):
    x, y = clouds(d)
    expected = slow_mmd2(slow, x, y)
    assert abs(expected) > 1e-3
    np.testing.assert_allclose(compiled(profile, jnp.array(x), jnp.array(y)), expected, rtol=1e-10)
    known = mean_over_distinct_pairs(profile, jnp.array(y))
    np.testing.assert_allclose(compiled(profile, jnp.array(x), jnp.array(y), known), expected, rtol=1e-10)


@pytest.mark.thorough
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("d", [2, 20])
def test_streamed_pairs_equal_dense_pairs(d):
    x, y = (jnp.array(cloud) for cloud in clouds(d, n=37, m=23))
    dense = compiled(energy, x, y)
    with reductions.tiles(0, 100):
        np.testing.assert_allclose(compiled(energy, x, y), dense, rtol=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize("d", [2, 20])
def test_float32_far_from_the_origin_agrees_with_float64(d):
    x, y = clouds(d, n=300, m=200, offset=16.0)
    single = [compiled(energy, jnp.asarray(x, "float32"), jnp.asarray(y, "float32"))]
    with jax.enable_x64(True):
        double = [compiled(energy, jnp.array(x), jnp.array(y))]
    np.testing.assert_allclose(single, double, atol=1e-5)


@pytest.mark.thorough
def test_a_profile_of_several_kernels_is_one_pass_with_the_same_values():
    x, y = (jnp.asarray(cloud, "float32") for cloud in clouds(2))
    both = compiled(lambda r2: {"gaussian": gaussian(r2), "energy": energy(r2)}, x, y)
    np.testing.assert_allclose(both["gaussian"], compiled(gaussian, x, y), rtol=1e-5)
    np.testing.assert_allclose(both["energy"], compiled(energy, x, y), rtol=1e-5)


@pytest.mark.thorough
def test_energy_distance_of_two_laws_on_two_points_is_the_closed_form():
    # Clouds with p of n (q of m) points at 1, the others at 0: all means over pairs can be counted.
    n, p, m, q = 10, 3, 8, 6
    x = jnp.repeat(jnp.array([0.0, 1.0]), jnp.array([n - p, p]))[:, None]
    y = jnp.repeat(jnp.array([0.0, 1.0]), jnp.array([m - q, q]))[:, None]
    between = p / n * (1 - q / m) + q / m * (1 - p / n)
    expected = 2 * between - 2 * p * (n - p) / (n * (n - 1)) - 2 * q * (m - q) / (m * (m - 1))
    np.testing.assert_allclose(compiled(energy, x, y), expected, rtol=1e-5)


def over_draws(statistic, n_draws):
    values = np.asarray(jax.jit(jax.vmap(statistic))(jax.random.split(jax.random.key(0), n_draws)), float)
    return values.mean(), values.std(ddof=1) / math.sqrt(n_draws)


@pytest.mark.thorough
def test_mean_energy_distance_of_two_coins_is_twice_the_squared_difference_of_their_odds():
    def draw(key):
        key_x, key_y = jax.random.split(key)
        x = jax.random.bernoulli(key_x, 0.3, (20, 1)).astype(float)
        y = jax.random.bernoulli(key_y, 0.6, (14, 1)).astype(float)
        return mmd2(energy, x, y)

    mean, error = over_draws(draw, 2000)
    assert error < 0.01
    assert abs(mean - 2 * 0.3**2) < 4 * error


def gaussian_mean_kernel(shift2, variance, d):
    """Mean of the kernels over N(0, variance I) displaced by `shift2` (squared), in closed form."""
    terms = [(h * h / (h * h + variance)) ** (d / 2) * math.exp(-shift2 / (2 * (h * h + variance))) for h in BANDWIDTHS]
    return sum(terms) / len(terms)


@pytest.mark.thorough
def test_mean_mmd2_of_two_gaussians_is_the_closed_form():
    d, sd_x, sd_y, shift = 2, 0.5, 0.8, 0.6

    def draw(key):
        key_x, key_y = jax.random.split(key)
        x = sd_x * jax.random.normal(key_x, (90, d))
        y = sd_y * jax.random.normal(key_y, (70, d)) + shift / math.sqrt(d)
        return mmd2(gaussian, x, y)

    mean, error = over_draws(draw, 400)
    within = gaussian_mean_kernel(0, 2 * sd_x**2, d) + gaussian_mean_kernel(0, 2 * sd_y**2, d)
    truth = within - 2 * gaussian_mean_kernel(shift**2, sd_x**2 + sd_y**2, d)
    assert error < 0.05 * truth
    assert abs(mean - truth) < 4 * error


@pytest.mark.slow
@pytest.mark.parametrize("profile", [gaussian, energy])
def test_the_estimators_average_to_zero_when_the_laws_agree(profile):
    n, m = 16, 24

    def draw(key):
        key_x, key_y = jax.random.split(key)
        return mmd2(profile, jax.random.exponential(key_x, (n, 2)), jax.random.exponential(key_y, (m, 2)))

    mean, error = over_draws(draw, 4000)
    # With the self pairs left in the mean would be E[k(x, x) - k(x, x')] (1/n + 1/m): these draws can tell it from 0.
    x = jax.random.exponential(jax.random.key(1), (500, 2))
    bias = (float(profile(jnp.zeros(()))) - float(mean_over_distinct_pairs(profile, x))) * (1 / n + 1 / m)
    assert bias > 20 * error
    assert abs(mean) < 4 * error


@pytest.mark.thorough
def test_a_single_point_has_no_pairs_and_gives_nan():
    x, y = jnp.ones((1, 2)), jnp.zeros((5, 2))
    assert math.isnan(compiled(energy, x, y))
    assert math.isfinite(mean_over_pairs(energy, x, y))
