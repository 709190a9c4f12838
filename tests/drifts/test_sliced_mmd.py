import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.pairs import slicing
from tests.conftest import skewed_clouds
from tests.drifts.kernel_loops import KEY, answer

DRIFT = gmdwgf.load_drift("sliced_mmd", n_projections=4)
ENERGY = gmdwgf.load_drift("mmd", kernel="energy")


@jax.jit
def along(drift, directions, x, y, at=None, x_weights=None, y_weights=None):
    return drift.velocity_along(directions, x, y, at=at, x_weights=x_weights, y_weights=y_weights)


def some_directions(p, d, seed=3):
    directions = np.random.default_rng(seed).normal(size=(p, d))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def signs_over_all_pairs(directions, x, y, at=None):
    """mean_theta (E_p sign<y - x, theta> - E_q sign<x' - x, theta>) theta / c_2, pair by pair."""
    v = np.zeros_like(x if at is None else at)
    for theta in directions:
        for i, point in enumerate(x if at is None else at):
            pull = np.mean([np.sign((other - point) @ theta) for other in y])
            push = np.mean([np.sign((other - point) @ theta) for other in x])
            v[i] += (pull - push) * theta / len(directions) / (2 / np.pi)
    return v


@pytest.mark.thorough
@pytest.mark.parametrize("elsewhere", [False, True])
def test_sorting_gives_the_signs_over_all_pairs(elsewhere, clouds, x64):
    x, y = clouds
    directions, at = some_directions(7, 2), y[:5] + 0.1 if elsewhere else None
    got = along(DRIFT, directions, x, y, at)
    np.testing.assert_allclose(got, signs_over_all_pairs(directions, x, y, at), atol=1e-12)


@pytest.mark.thorough
def test_one_dimension_is_the_energy_drift_and_twice_the_difference_of_distribution_functions(x64):
    # Claim 21, with points shared by both clouds: ties count half.
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 1)), rng.gamma(2.0, size=(14, 1))
    y[:3] = x[:3]
    got = answer(gmdwgf.load_drift("sliced_mmd"), x, y).v
    np.testing.assert_allclose(got, answer(ENERGY, x, y).v, atol=1e-12)
    f_q = ((x < x.T).mean(0) + (x <= x.T).mean(0)) / 2
    f_p = ((y < x.T).mean(0) + (y <= x.T).mean(0)) / 2
    np.testing.assert_allclose(got[:, 0], 2 * (f_q - f_p), atol=1e-12)


def test_velocity_is_minus_n_times_the_gradient_of_the_functional_along_the_same_directions(clouds, x64):
    x, y = clouds
    directions = some_directions(7, 2)
    functional = jax.jit(lambda cloud: DRIFT.functional_along(*map(jnp.asarray, (directions, cloud, y))))
    got = along(DRIFT, directions, x, y)
    np.testing.assert_allclose(got, -len(x) * jax.jit(jax.grad(functional))(x), atol=1e-10)
    for i, k in [(0, 0), (7, 1)]:
        shift = np.zeros_like(x)
        shift[i, k] = 1e-6
        slope = (functional(x + shift) - functional(x - shift)) / 2e-6
        np.testing.assert_allclose(got[i, k], -len(x) * slope, atol=1e-7)


def test_functional_along_is_the_half_squared_mmd_of_the_projections(clouds, x64):
    x, y = clouds
    directions = some_directions(5, 2)

    def half_mmd2(a, b):
        mean = lambda left, right: np.abs(left[:, None] - right).mean()
        return mean(a, b) - mean(a, a) / 2 - mean(b, b) / 2

    expected = np.mean([half_mmd2(x @ theta, y @ theta) for theta in directions]) * np.pi / 2
    got = jax.jit(DRIFT.functional_along)(directions, x, y)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("d", [2, 5])
def test_the_mean_over_directions_is_the_energy_drift_and_its_error_falls_like_one_over_root_p(d, x64):
    x, y = map(jnp.asarray, skewed_clouds(6, 8, d))
    exact = answer(ENERGY, x, y).v
    spreads = []
    for p in (16, 256):
        drift = gmdwgf.load_drift("sliced_mmd", n_projections=p, directions="independent")
        draws = jax.jit(jax.vmap(lambda key, drift=drift: drift.velocity(x, y, key).v))(jax.random.split(KEY, 400))
        standard_error = jnp.std(draws, axis=0) / 20
        assert float(jnp.max(jnp.abs(jnp.mean(draws, axis=0) - exact) / standard_error)) < 4.5
        spreads.append(float(jnp.sqrt(jnp.mean(jnp.var(draws, axis=0)))))
    # 400 draws fix a standard deviation to 1 / sqrt(800) each, more or less: the ratio 4 to 5 percent.
    np.testing.assert_allclose(spreads[0] / spreads[1], 4.0, rtol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("p", "d"), [(1, 1), (3, 2), (7, 5)])
def test_the_mean_over_spread_directions_is_the_energy_drift(p, d, x64):
    x, y = map(jnp.asarray, skewed_clouds(6, 8, d))
    drift = gmdwgf.load_drift("sliced_mmd", n_projections=p)
    draws = jax.jit(jax.vmap(lambda key: drift.velocity(x, y, key).v))(jax.random.split(KEY, 2000))
    standard_error = jnp.maximum(jnp.std(draws, axis=0) / 2000**0.5, 1e-12)
    assert float(jnp.max(jnp.abs(jnp.mean(draws, axis=0) - answer(ENERGY, x, y).v) / standard_error)) < 4.5


@pytest.mark.slow
@pytest.mark.parametrize(("p", "apart"), [(4, 0), (16, 30)])
def test_a_few_stratified_directions_in_the_plane_are_nearer_than_64_independent_ones(p, apart, x64):
    x, y = map(jnp.asarray, skewed_clouds(300, 400))
    y = y + jnp.asarray([apart, 0.4 * apart])
    exact = answer(ENERGY, x, y).v

    def error(p, way):
        drift = gmdwgf.load_drift("sliced_mmd", n_projections=p, directions=way)
        draws = jax.jit(jax.vmap(lambda key: drift.velocity(x, y, key).v))(jax.random.split(KEY, 100))
        return float(jnp.sqrt(jnp.mean((draws - exact) ** 2) / jnp.mean(exact**2)))

    assert error(p, "stratified") < error(64, "independent") / 1.5


@pytest.mark.slow
@pytest.mark.parametrize(("n", "dim"), [(5, 2), (3, 7), (7, 7), (12, 5), (4, 1)])
def test_spread_directions_are_equal_angles_in_the_plane_and_frames_beyond(n, dim, x64):
    directions = np.asarray(slicing.stratified_directions(KEY, n, dim, float))
    assert directions.shape == (n, dim)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-14)
    if dim == 2:
        np.testing.assert_allclose(np.sum(directions[1:] * directions[:-1], axis=1), np.cos(np.pi / n), rtol=1e-12)
    else:
        for frame in (directions[k : k + dim] for k in range(0, n, dim)):
            np.testing.assert_allclose(frame @ frame.T, np.eye(len(frame)), atol=1e-13)
    draws = jax.vmap(lambda key: slicing.stratified_directions(key, n, dim, float))(jax.random.split(KEY, 4000))
    assert float(jnp.abs(jnp.mean(draws, axis=0)).max()) < 4.5 / np.sqrt(dim * 4000)  # each uniform on the sphere
    squares = jnp.mean(draws[..., :, None] * draws[..., None, :], axis=0)
    assert float(jnp.abs(squares - jnp.eye(dim) / dim).max()) < 4.5 * np.sqrt(2) / (dim * np.sqrt(4000)) + 1e-12
    single = np.asarray(slicing.stratified_directions(KEY, n, dim, jnp.float32))
    np.testing.assert_allclose(single, directions, atol=2e-6)


def test_the_constant_is_the_mean_absolute_cosine():
    np.testing.assert_allclose([slicing.mean_abs_cosine(d) for d in (1, 2, 3)], [1, 2 / np.pi, 1 / 2], rtol=1e-12)
    cosines = np.random.default_rng(0).normal(size=(100_000, 7))
    cosines = np.abs(cosines[:, 0]) / np.linalg.norm(cosines, axis=1)
    assert abs(cosines.mean() - slicing.mean_abs_cosine(7)) < 4 * cosines.std() / np.sqrt(len(cosines))


@pytest.mark.thorough
def test_weights_act_as_repeated_points(clouds, x64):
    x, y = clouds
    directions = some_directions(7, 2)
    of_x, of_y = np.arange(len(x)) % 3 + 1, np.arange(len(y)) % 2 + 1
    weighted = along(DRIFT, directions, x, y, None, of_x.astype(float), of_y.astype(float))
    repeated = along(DRIFT, directions, np.repeat(x, of_x, 0), np.repeat(y, of_y, 0))
    np.testing.assert_allclose(np.repeat(weighted, of_x, 0), repeated, atol=1e-12)


@pytest.mark.thorough
def test_identical_clouds_stand_still_in_single_precision_and_many_dimensions():
    x, _ = skewed_clouds(40, 1, 33)
    x = jnp.asarray(np.concatenate([x, x[:7]]), jnp.float32)
    permuted = x[np.random.default_rng(0).permutation(len(x))]
    assert float(jnp.abs(answer(gmdwgf.load_drift("sliced_mmd"), x, permuted).v).max()) == 0.0


@pytest.mark.thorough
def test_single_precision_agrees_far_from_the_origin():
    x, y = skewed_clouds(64, 80)
    directions = some_directions(16, 2)
    exact = signs_over_all_pairs(directions, x, y)
    got = along(DRIFT, *(np.float32(a) for a in (directions, x + 100, y + 100)))
    # Points a rounding error apart may change places: of weight 1/64 along 1 direction in 16.
    assert np.abs(got - exact).max() < 3 * 2 / 64 / 16 * np.pi / 2
