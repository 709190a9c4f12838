import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from tests.drifts import kernel_loops
from tests.drifts.kernel_loops import answer

H = 0.7


def load(bandwidth=H):
    return gmdwgf.load_drift("blob", bandwidth=bandwidth)


def functional(x, y):
    """E_q[log q_h - log p_h] with normalised Gaussian densities in two dimensions."""

    def log_density(point, cloud):
        total = sum(np.exp(-np.sum((point - c) ** 2) / (2 * H**2)) / (2 * np.pi * H**2) for c in cloud)
        return np.log(total / len(cloud))

    return np.mean([log_density(p, x) - log_density(p, y) for p in x])


def test_velocity_is_minus_n_times_the_gradient_of_the_functional(clouds, x64):
    x, y = clouds
    v = answer(load(), x, y).v
    for i, j in [(0, 0), (3, 1), (12, 0)]:
        step = np.zeros_like(x)
        step[i, j] = 1e-5
        slope = (functional(x + step, y) - functional(x - step, y)) / 2e-5
        np.testing.assert_allclose(v[i, j], -len(x) * slope, atol=1e-8)


def test_functional_equals_the_double_loop(clouds, x64):
    got = jax.jit(lambda x, y: load().functional(x, y))(*map(jnp.asarray, clouds))
    np.testing.assert_allclose(got, functional(*clouds), rtol=1e-12)


def test_velocity_equals_the_double_loop_away_from_the_particles(clouds, x64):
    x, y = clouds
    at = y[:5] + 0.1
    density = lambda point: np.mean([np.exp(-np.sum((point - c) ** 2) / (2 * H**2)) for c in x])
    expected = kernel_loops.score_difference(at, x, y, H)
    for i, point in enumerate(at):
        for c in x:
            expected[i] -= np.exp(-np.sum((point - c) ** 2) / (2 * H**2)) * (c - point) / H**2 / density(c) / len(x)
    np.testing.assert_allclose(answer(load(), x, y, at).v, expected, atol=1e-10)


def test_gaussians_dilate_at_the_rate_of_the_closed_form_and_rest_too_spread_out(x64):
    # F = -log(A)/2 - a/2A + a/2B with A = a + h^2, B = b + h^2, so E_q[v x] = -2a dF/da; its zero lies above a = b.
    b, big_b = 1.2, 1.2 + H**2
    y, targets = kernel_loops.gaussian_grid(0.0, b, 60)
    at_rest = (big_b + np.sqrt(big_b**2 + 4 * big_b * H**2)) / 2 - H**2
    for a in (0.8, b, at_rest):
        x, masses = kernel_loops.gaussian_grid(0.0, a, 60)
        v = answer(load(), x, y, None, masses, targets).v
        big_a = a + H**2
        slope = -1 / (2 * big_a) - H**2 / (2 * big_a**2) + 1 / (2 * big_b)
        np.testing.assert_allclose(masses @ (np.asarray(v) * x)[:, 0], -2 * a * slope, atol=1e-6)
    assert at_rest > b


@pytest.mark.thorough
def test_weights_act_as_repeated_points(clouds, x64):
    kernel_loops.assert_weights_act_as_repeated_points(load(), *clouds)


@pytest.mark.thorough
def test_single_precision_agrees_at_a_small_bandwidth(clouds, x64):
    exact = answer(load(0.05), *clouds).v
    got = answer(load(0.05), *(cloud.astype(np.float32) for cloud in clouds)).v
    assert got.dtype == np.float32
    assert np.abs(got - exact).max() / np.abs(exact).max() < 1e-4
