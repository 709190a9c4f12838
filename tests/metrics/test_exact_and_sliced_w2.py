"""Exact and sliced W2 against POT, brute force and closed forms."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest
import scipy.optimize

from gmdwgf.metrics.wasserstein import exact_w2, sliced_w2, sorted_projections, uniform_directions


def clouds(n, m, d=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.exponential(size=(n, d)) * [1.0, 3.0, 0.3][:d], 0.5 * rng.normal(size=(m, d)) - 0.7


def sliced(x, y, directions):
    return sliced_w2(sorted_projections(jnp.asarray(x), directions), sorted_projections(jnp.asarray(y), directions))


@pytest.mark.parametrize("d", [1, 2, 3])
def test_exact_w2_is_the_root_of_the_linear_programme_of_pot(d):
    x, y = clouds(60, 60, d)
    uniform = np.full(60, 1 / 60)
    np.testing.assert_allclose(exact_w2(x, y), math.sqrt(ot.emd2(uniform, uniform, ot.dist(x, y))), rtol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_exact_w2_is_the_best_of_all_permutations(seed):
    x, y = clouds(6, 6, seed=seed)
    best = min(np.mean(np.sum((x - y[list(s)]) ** 2, 1)) for s in itertools.permutations(range(6)))
    np.testing.assert_allclose(exact_w2(x, y), math.sqrt(best), rtol=1e-12)


def test_exact_w2_to_a_translate_is_the_length_of_the_shift():
    x, _ = clouds(50, 50)
    shuffled = np.random.default_rng(1).permutation(x)
    np.testing.assert_allclose(exact_w2(x, shuffled + [3.0, -4.0]), 5.0, rtol=1e-12)
    assert exact_w2(x, shuffled) == 0


def test_exact_w2_to_a_dilation_is_its_factor_times_the_rms_length():
    x, _ = clouds(50, 50)
    np.testing.assert_allclose(exact_w2(x, 3 * x[::-1]), 2 * math.sqrt(np.mean(np.sum(x**2, 1))), rtol=1e-12)


def test_exact_w2_from_a_collapsed_cloud_is_the_rms_distance_to_its_point():
    _, y = clouds(40, 40)
    point = np.array([1.0, 2.0])
    expected = math.sqrt(np.mean(np.sum((y - point) ** 2, 1)))
    np.testing.assert_allclose(exact_w2(np.tile(point, (40, 1)), y), expected, rtol=1e-12)


@pytest.mark.parametrize(("n", "m"), [(5, 6), (40, 13), (1, 9), (12, 36)])
def test_exact_w2_of_unequal_clouds_is_that_of_a_linear_program(n, m):
    x, y = clouds(n, m)
    cost = ((x[:, None] - y[None]) ** 2).sum(axis=-1)
    rows, columns = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    masses = np.r_[np.full(n, 1 / n), np.full(m, 1 / m)]
    expected = scipy.optimize.linprog(cost.ravel(), A_eq=np.r_[rows, columns], b_eq=masses).fun
    np.testing.assert_allclose(exact_w2(x, y), math.sqrt(expected), rtol=1e-7)
    np.testing.assert_allclose(exact_w2(1e-3 * x + 50, 1e-3 * y + 50), 1e-3 * math.sqrt(expected), rtol=1e-6)


def test_exact_w2_refuses_other_dimensions_and_answers_nan_to_nan():
    x, y = clouds(5, 6)
    with pytest.raises(ValueError, match=r"\(5, 2\) and \(6, 1\)"):
        exact_w2(x, y[:, :1])
    x[2, 0] = np.inf
    assert math.isnan(exact_w2(x, y))


@pytest.mark.thorough
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("n", "m"), [(30, 30), (30, 20), (7, 45), (1, 12)])
def test_sliced_w2_equals_pot_on_the_same_directions_for_any_sizes(n, m):
    x, y = clouds(n, m, 3)
    directions = uniform_directions(jax.random.key(0), 11, 3)
    expected = ot.sliced_wasserstein_distance(x, y, projections=np.asarray(directions).T)
    np.testing.assert_allclose(sliced(x, y, directions), expected, rtol=1e-9)


@pytest.mark.thorough
@pytest.mark.usefixtures("x64")
def test_sliced_w2_in_one_dimension_is_exact_w2():
    x, y = clouds(25, 25, 1)
    np.testing.assert_allclose(sliced(x, y, uniform_directions(jax.random.key(0), 3, 1)), exact_w2(x, y), rtol=1e-10)


@pytest.mark.slow
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("n", "m", "copies"), [(5, 5, 3), (6, 4, 2), (1, 7, 4)])
def test_repeating_every_point_leaves_sliced_w2_as_it_is(n, m, copies):
    x, y = clouds(n, m)
    directions = uniform_directions(jax.random.key(0), 4, 2)
    repeated = sliced(np.repeat(x, copies, axis=0), y, directions)
    np.testing.assert_allclose(repeated, sliced(x, y, directions), rtol=1e-9)


@pytest.mark.thorough
@pytest.mark.usefixtures("x64")
def test_sliced_w2_to_a_translate_is_the_rms_of_the_projected_shift():
    x, _ = clouds(40, 40)
    directions = uniform_directions(jax.random.key(0), 9, 2)
    shift = np.array([3.0, -4.0])
    expected = math.sqrt(np.mean((np.asarray(directions) @ shift) ** 2))
    np.testing.assert_allclose(sliced(x + shift, x[::-1], directions), expected, rtol=1e-10)


def test_directions_are_unit_vectors_with_isotropic_covariance():
    directions = np.asarray(uniform_directions(jax.random.key(0), 4000, 3))
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-5)
    # Var of u_a u_b is below 1/5 for a uniform direction, so entries of the covariance err by less than sqrt(1/5/4000).
    np.testing.assert_allclose(directions.T @ directions / 4000, np.eye(3) / 3, atol=4 * math.sqrt(1 / 5 / 4000))
