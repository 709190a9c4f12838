import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest

import gmdwgf
from tests.conftest import skewed_clouds
from tests.drifts.kernel_loops import KEY, answer

DRIFT = gmdwgf.load_drift("sliced_wasserstein", n_projections=64, scale_by_dim=False)
SCALED = gmdwgf.load_drift("sliced_wasserstein", n_projections=64, scale_by_dim=True)


@jax.jit
def along(drift, directions, x, y, at=None, x_weights=None, y_weights=None):
    return drift.velocity_along(directions, x, y, at=at, x_weights=x_weights, y_weights=y_weights)


def some_directions(p, d, seed=3):
    directions = np.random.default_rng(seed).normal(size=(p, d))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def equispaced(p):
    angles = np.arange(p) * np.pi / p + 0.1
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def barycentres_of_plans(directions, x, y, a=None, b=None):
    """mean_theta (what the optimal plan of POT gives each particle, on average, minus the particle) theta."""
    v = np.zeros_like(x)
    for theta in directions:
        plan = ot.emd_1d(x @ theta, y @ theta, a, b)
        v += np.outer(plan @ (y @ theta) / plan.sum(1) - x @ theta, theta) / len(directions)
    return v


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m"), [(13, 17), (12, 18), (13, 13), (9, 3)])
def test_velocity_is_the_barycentre_of_the_optimal_plans_for_any_sizes(n, m, x64):
    x, y = skewed_clouds(n, m)
    directions = some_directions(7, 2)
    expected = barycentres_of_plans(directions, x, y)
    np.testing.assert_allclose(along(DRIFT, directions, x, y), expected, atol=1e-12)


def test_velocity_is_the_barycentre_of_the_optimal_plans_for_any_weights(clouds, x64):
    x, y = clouds
    rng = np.random.default_rng(5)
    a, b = rng.dirichlet(np.ones(len(x))), rng.dirichlet(np.ones(len(y)))
    directions = some_directions(7, 2)
    got = along(DRIFT, directions, x, y, None, 3 * a, b)
    np.testing.assert_allclose(got, barycentres_of_plans(directions, x, y, a, b), atol=1e-10)


@pytest.mark.thorough
def test_equal_sizes_are_matched_rank_by_rank(x64):
    x, y = skewed_clouds(14, 14, 1)
    expected = np.empty_like(x)
    expected[np.argsort(x[:, 0])] = np.sort(y, axis=0)
    np.testing.assert_allclose(answer(SCALED, x, y).v, expected - x, atol=1e-12)


@pytest.mark.thorough
def test_functional_along_is_half_the_squared_distance_of_pot(clouds, x64):
    x, y = clouds
    directions = some_directions(7, 2)
    expected = ot.sliced_wasserstein_distance(x, y, projections=directions.T) ** 2 / 2
    np.testing.assert_allclose(jax.jit(DRIFT.functional_along)(directions, x, y), expected, rtol=1e-12)
    np.testing.assert_allclose(jax.jit(SCALED.functional_along)(directions, x, y), 2 * expected, rtol=1e-12)


def test_velocity_is_minus_n_times_the_gradient_of_the_functional_along_the_same_directions(clouds, x64):
    # Claim 11; n != m.
    x, y = clouds
    directions = some_directions(7, 2)
    functional = jax.jit(lambda cloud: SCALED.functional_along(*map(jnp.asarray, (directions, cloud, y))))
    got = along(SCALED, directions, x, y)
    np.testing.assert_allclose(got, -len(x) * jax.jit(jax.grad(functional))(x), atol=1e-10)
    for i, k in [(0, 0), (7, 1)]:
        shift = np.zeros_like(x)
        shift[i, k] = 1e-5
        slope = (functional(x + shift) - functional(x - shift)) / 2e-5
        np.testing.assert_allclose(got[i, k], -len(x) * slope, atol=1e-7)


@pytest.mark.thorough
def test_a_translation_is_one_step_when_scaled_by_the_dimension(x64):
    # Claim 11: exact for equispaced angles in the plane.
    x, _ = skewed_clouds(13, 1)
    b = np.array([0.7, -1.9])
    np.testing.assert_allclose(along(SCALED, equispaced(7), x, x + b), np.broadcast_to(b, x.shape), atol=1e-10)
    np.testing.assert_allclose(along(DRIFT, equispaced(7), x, x + b), np.broadcast_to(b / 2, x.shape), atol=1e-10)


@pytest.mark.thorough
@pytest.mark.parametrize(("p", "dim"), [(2, 2), (5, 2), (12, 4)])
def test_a_translation_is_one_step_along_whole_frames_of_spread_directions(p, dim, x64):
    x, _ = skewed_clouds(13, 1, dim)
    b = np.linspace(0.7, -1.9, dim)
    drift = gmdwgf.load_drift("sliced_wasserstein", n_projections=p)
    np.testing.assert_allclose(answer(drift, x, x + b).v, np.broadcast_to(b, x.shape), atol=1e-10)


@pytest.mark.thorough
def test_a_translation_is_one_step_on_average_over_independent_directions(x64):
    x, _ = map(jnp.asarray, skewed_clouds(5, 1, 3))
    b = jnp.asarray([0.7, -1.9, 0.4])
    drift = gmdwgf.load_drift("sliced_wasserstein", n_projections=64, directions="independent")
    draws = jax.jit(jax.vmap(lambda key: drift.velocity(x, x + b, key).v[0]))(jax.random.split(KEY, 200))
    standard_error = jnp.std(draws, axis=0) / np.sqrt(200)
    assert float(jnp.max(jnp.abs(jnp.mean(draws, axis=0) - b) / standard_error)) < 4
    # One draw of P directions: |v - b| / |b| of the order of sqrt(d / P).
    assert float(jnp.max(jnp.std(draws, axis=0))) < 2 * np.sqrt(3 / 64) * 2.1


def test_isotropic_gaussians_give_the_closed_form(x64):
    # Claim 20 in three dimensions: the drift along each direction is affine; large clouds, sampling error bounds.
    rng = np.random.default_rng(0)
    a, b, mean_q, mean_p = 0.5, 1.6, np.array([-0.4, 0.2, 0.0]), np.array([0.9, 0.1, -0.5])
    x, y = mean_q + np.sqrt(a) * rng.normal(size=(20000, 3)), mean_p + np.sqrt(b) * rng.normal(size=(30000, 3))
    at = np.array([[0.3, -0.5, 0.2], [-1.0, 0.4, 0.1]])
    # The vertices of an icosahedron integrate quadratic functions of the direction exactly, so affine drifts too.
    golden = (1 + np.sqrt(5)) / 2
    corners = [[0, s, golden] for s in (1, -1)] + [[s, golden, 0] for s in (1, -1)] + [[golden, 0, s] for s in (1, -1)]
    directions = np.asarray(corners) / np.sqrt(1 + golden**2)
    got = along(DRIFT, directions, x, y, at)
    expected = ((np.sqrt(b / a) - 1) * (at - mean_q) + mean_p - mean_q) / 3
    np.testing.assert_allclose(got, expected, atol=0.02)


@pytest.mark.thorough
def test_weights_act_as_repeated_points(clouds, x64):
    x, y = clouds
    directions = some_directions(7, 2)
    of_x, of_y = np.arange(len(x)) % 3 + 1, np.arange(len(y)) % 2 + 1
    weighted = along(DRIFT, directions, x, y, None, of_x.astype(float), of_y.astype(float))
    repeated = along(DRIFT, directions, np.repeat(x, of_x, 0), np.repeat(y, of_y, 0))
    # Copies of a particle share its targets out between them.
    means = [rows.mean(0) for rows in np.split(np.asarray(repeated), np.cumsum(of_x)[:-1])]
    np.testing.assert_allclose(weighted, means, atol=1e-12)


@pytest.mark.thorough
def test_a_particle_without_mass_goes_to_the_quantile_at_its_rank(x64):
    x, y = np.array([[0.0], [2.0], [1.0]]), np.array([[5.0], [7.0]])
    got = along(DRIFT, np.ones((1, 1)), x, y, None, np.array([1.0, 1.0, 0.0]))
    np.testing.assert_allclose(got + x, [[5.0], [7.0], [5.0]], atol=1e-12)


@pytest.mark.thorough
def test_between_particles_the_map_is_interpolated_and_beyond_them_it_is_constant(clouds, x64):
    x, y = clouds
    directions = some_directions(7, 2)
    np.testing.assert_allclose(along(DRIFT, directions, x, y, x), along(DRIFT, directions, x, y), atol=1e-12)
    line, targets, at = np.array([[0.0], [1.0]]), np.array([[4.0], [6.0]]), np.array([[0.25], [-3.0], [9.0]])
    got = along(DRIFT, np.ones((1, 1)), line, targets, at)
    np.testing.assert_allclose(at + got, [[4.5], [4.0], [6.0]], atol=1e-12)


@pytest.mark.thorough
def test_two_distant_modes_of_unequal_mass_are_balanced_at_any_distance(x64):
    # Claim 26: the over-full cluster moves towards the other at .375 L on average.
    rng = np.random.default_rng(0)
    for distance in (4.0, 16.0):

        def cloud(fraction, distance=distance):
            left = rng.normal(size=(200, 2)) * 0.3
            left[int(fraction * 200) :, 0] += distance
            return left

        speed = along(SCALED, equispaced(64), cloud(0.8), cloud(0.5))[:160, 0].mean()
        np.testing.assert_allclose(speed, 0.375 * distance, rtol=0.1)


@pytest.mark.thorough
def test_one_far_target_moves_only_the_particle_that_gets_it():
    # Float32: had the means been differences of integrals, an outlier would blur all of them.
    x, y = (np.float32(cloud) for cloud in skewed_clouds(200, 300))
    y[7] = 1e6
    directions = some_directions(5, 2)
    got = along(DRIFT, np.float32(directions), x, y)
    exact = barycentres_of_plans(directions, *(np.float64(cloud) for cloud in (x, y)))
    near = np.abs(exact).max(1) < 100
    assert 180 < near.sum() < 200
    assert np.abs(got - exact)[near].max() < 0.1  # the rounding of coordinates of this size, once centred
