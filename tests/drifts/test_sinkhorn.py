import jax
import jax.numpy as jnp
import numpy as np
import ot

import gmdwgf
from gmdwgf import transport
from tests.drifts import reference

KEY = jax.random.key(0)
TIGHT = {"threshold": 1e-12, "max_iters": 20000}


def velocity(x, y, **fields):
    return gmdwgf.load_drift("sinkhorn", **fields).velocity(jnp.asarray(x), jnp.asarray(y), KEY)


def test_velocity_equals_plain_kernel_sinkhorn(clouds, x64):
    x, y = clouds
    expected = reference.sinkhorn_map(x, y, 0.5) - reference.sinkhorn_map(x, x, 0.5)
    np.testing.assert_allclose(velocity(x, y, epsilon=0.5, **TIGHT).v, expected, atol=1e-9)


def test_velocity_is_minus_n_times_the_gradient_of_the_divergence(clouds, x64):
    # Claim 8, by finite differences of the divergence as POT computes it.
    x, y = clouds

    def entropic(a, b):
        p, q = np.full(len(a), 1 / len(a)), np.full(len(b), 1 / len(b))
        cost = ot.dist(a, b) / 2
        plan = ot.sinkhorn(p, q, cost, 0.5, method="sinkhorn_log", stopThr=1e-14, numItermax=20000)
        return np.sum(plan * cost) + 0.5 * np.sum(plan * np.log(plan / np.outer(p, q)))

    def divergence(a):
        return entropic(a, y) - entropic(a, a) / 2

    got, step = velocity(x, y, epsilon=0.5, **TIGHT).v, 1e-4
    for i, k in [(0, 0), (7, 1)]:
        shift = np.zeros_like(x)
        shift[i, k] = step
        slope = (divergence(x + shift) - divergence(x - shift)) / (2 * step)
        np.testing.assert_allclose(got[i, k], -len(x) * slope, atol=1e-6)


def test_velocity_is_half_of_what_ott_differentiates(clouds, x64):
    # Claim 8: with the full cost and 2 epsilon, -n grad of ott-jax's divergence is twice the drift.
    from ott.geometry.pointcloud import PointCloud
    from ott.tools.sinkhorn_divergence import sinkhorn_divergence

    x, y = map(jnp.asarray, clouds)

    def divergence(cloud):
        solve = {"threshold": 1e-11, "max_iterations": 20000}
        return sinkhorn_divergence(PointCloud, cloud, y, epsilon=2 * 0.5, solve_kwargs=solve)[0]

    got = velocity(x, y, epsilon=0.5, **TIGHT).v
    np.testing.assert_allclose(got, -len(x) * jax.grad(divergence)(x) / 2, atol=1e-8)


def test_limits_of_a_very_large_epsilon_are_the_difference_of_means(clouds, x64):
    # Claim 23.
    x, y = clouds
    got = velocity(x, y, epsilon=1e6, **TIGHT).v
    np.testing.assert_allclose(got, np.broadcast_to(y.mean(0) - x.mean(0), x.shape), atol=1e-5)


def test_small_epsilon_approaches_the_sorted_matching_in_one_dimension(x64):
    # Claim 24: the error falls with epsilon and is below 1e-3 at 1e-4.
    x = np.linspace(-1, 1, 10)[:, None]
    y = (x + 0.3 * x**2 + 0.5) * 1.2
    errors = [np.abs(velocity(x, y, epsilon=e, **TIGHT).v - (y - x)).max() for e in (1e-1, 1e-2, 1e-3, 1e-4)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-3


def test_one_dimensional_gaussians_give_the_closed_form_slope(x64):
    # Claim 17 on equal-mass quantile grids: slope [sqrt(ab + e^2/4) - sqrt(a^2 + e^2/4)] / a about the means.
    from scipy.stats import norm

    a, b, epsilon = 0.5, 1.6, 0.8
    quantiles = norm.ppf((np.arange(600) + 0.5) / 600)
    x, y = np.sqrt(a) * quantiles[:, None] - 0.3, np.sqrt(b) * quantiles[:, None] + 0.7
    got = np.asarray(velocity(x, y, epsilon=epsilon, **TIGHT).v)[:, 0]
    slope, shift = np.polyfit(x[200:400, 0] + 0.3, got[200:400], 1)
    expected = (np.sqrt(a * b + epsilon**2 / 4) - np.sqrt(a**2 + epsilon**2 / 4)) / a
    np.testing.assert_allclose([slope, shift], [expected, 1.0], atol=5e-3)


def test_it_says_when_it_has_not_converged(clouds, x64):
    x, y = clouds
    capped = velocity(x, y, epsilon=0.001, threshold=1e-9, max_iters=10).info
    solved = velocity(x, y, epsilon=0.5, threshold=1e-6, max_iters=2000).info
    assert not capped["converged"]
    assert capped["marginal_error"] > 1e-9
    assert solved["converged"]
    assert solved["marginal_error"] <= 1e-6


def test_reported_marginal_error_is_that_of_the_plan(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    found = transport.potentials(x, y, jnp.asarray(0.1), threshold=jnp.asarray(1e-4), max_iters=2000)
    cost = ((x[:, None] - y[None]) ** 2).sum(-1) / 2
    plan = jnp.exp((found.f[:, None] + found.g[None] - cost) / 0.1) / (len(x) * len(y))
    error = max(jnp.abs(plan.sum(0) - 1 / len(y)).sum(), jnp.abs(plan.sum(1) - 1 / len(x)).sum())
    np.testing.assert_allclose(error, found.marginal_error, rtol=0.05)


def test_weights_act_as_repeated_points(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    repeats = np.arange(len(y)) % 3 + 1
    drift = gmdwgf.load_drift("sinkhorn", epsilon=0.5, **TIGHT)
    weighted = drift.velocity(x, y, KEY, y_weights=jnp.asarray(repeats, float)).v
    np.testing.assert_allclose(weighted, drift.velocity(x, jnp.repeat(y, repeats, axis=0), KEY).v, atol=1e-9)


def test_two_distant_modes_of_unequal_mass_are_balanced(x64):
    # Claim 26: the over-full cluster moves towards the other at .375 L; a local field would leave it where it is.
    rng = np.random.default_rng(0)
    distance, n = 4.0, 100

    def cloud(fraction):
        left = rng.normal(size=(n, 2)) * 0.3
        left[int(fraction * n) :, 0] += distance
        return left

    x, y = cloud(0.8), cloud(0.5)
    speed = velocity(x, y, epsilon=0.25, threshold=1e-6, max_iters=5000).v[:80, 0].mean()
    np.testing.assert_allclose(speed, 0.375 * distance, rtol=0.1)
