import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

import gmdwgf
from gmdwgf.drifts.kale import dual_value, newton_direction
from gmdwgf.drifts.witness import gram
from gmdwgf.pairs.kernels import mean_kernel
from gmdwgf.pairs.reductions import masses
from gmdwgf.testing import asymmetry
from tests.conftest import skewed_clouds
from tests.drifts.kernel_loops import KERNELS, answer, assert_weights_act_as_repeated_points, profiles
from tests.drifts.test_drmmd import features

kale = functools.partial(gmdwgf.load_drift, "kale", kernel="gaussian", bandwidth=0.7, regularisation=0.05)


def divergence(kernel, lam, x, y):
    """(1 + lam) max_h {1 + E_q h - E_p e^h - lam/2 |h|^2}, by a general optimiser over vectors of features."""
    phi_x, phi_y = features(kernel, x, y)
    mean_x = phi_x.mean(0)

    def loss(h):
        density = np.exp(phi_y @ h) / len(y)
        return density.sum() - mean_x @ h + lam / 2 * h @ h, phi_y.T @ density - mean_x + lam * h

    hessian = lambda h: (phi_y.T * np.exp(phi_y @ h) / len(y)) @ phi_y + lam * np.eye(h.size)
    start = np.zeros(mean_x.size)
    best = minimize(loss, start, jac=True, hess=hessian, method="trust-exact", options={"gtol": 1e-11})
    return (1 + lam) * (1 - best.fun)


@pytest.mark.slow
@pytest.mark.parametrize("lam", [0.5, 0.05, 0.005])
@pytest.mark.parametrize("name", KERNELS)
def test_functional_is_the_maximum_over_the_hilbert_space(name, lam, clouds, x64):
    expected = divergence(profiles(0.7)[name].k, lam, *clouds)
    np.testing.assert_allclose(jax.jit(functional)(kale(kernel=name, regularisation=lam), *clouds), expected, rtol=1e-9)


def functional(drift, x, y):
    return drift.functional(x, y)


@pytest.mark.parametrize("name", KERNELS)
def test_velocity_is_minus_n_times_the_gradient_of_that_maximum(name, clouds, x64):
    # Claim 10.
    x, y = clouds
    kernel, got = profiles(0.7)[name].k, answer(kale(kernel=name), x, y).v
    for i, k in [(0, 0), (7, 1)]:
        shift = np.zeros_like(x)
        shift[i, k] = 1e-4
        slope = (divergence(kernel, 0.05, x + shift, y) - divergence(kernel, 0.05, x - shift, y)) / 2e-4
        np.testing.assert_allclose(got[i, k], -len(x) * slope, rtol=1e-5, atol=1e-7)


def test_velocity_is_minus_the_slope_of_a_witness_that_solves_its_equation(clouds, x64):
    # h = (mean_x k(., x) - sum_j e^{h(y_j)}/m k(., y_j)) / lam, iterated slowly from nothing; then away from the particles.
    x, y = clouds
    lam, kernel, at = 0.5, profiles(0.7)["gaussian"].k, y[:5] + 0.1
    row = lambda point, cloud: np.array([kernel(np.linalg.norm(point - c)) for c in cloud])
    on_x, on_y = np.array([row(p, x).mean() for p in y]), np.array([row(p, y) for p in y])
    h = np.zeros(len(y))
    for _ in range(500):
        h = 0.7 * h + 0.3 * (on_x - on_y @ np.exp(h) / len(y)) / lam
    witness = lambda point: (row(point, x).mean() - row(point, y) @ np.exp(h) / len(y)) / lam
    slope = [[(witness(p + e) - witness(p - e)) / 2e-5 for e in 1e-5 * np.eye(2)] for p in at]
    got = answer(kale(regularisation=lam), x, y, at).v
    np.testing.assert_allclose(got, -(1 + lam) * np.array(slope), atol=1e-8)


def test_limit_of_a_large_regularisation_is_the_mmd_flow(clouds, x64):
    # Claim 25.
    mmd = answer(gmdwgf.load_drift("mmd", kernel="gaussian", bandwidth=0.7), *clouds).v
    np.testing.assert_allclose(answer(kale(regularisation=1e8), *clouds).v, mmd, atol=1e-6)


@pytest.mark.thorough
def test_limit_of_a_small_regularisation_is_the_kl_divergence(clouds, x64):
    # On a common support: sum_j q_j log(q_j / p_j).
    _, y = clouds
    copies = np.arange(len(y)) % 3 + 1
    q, p = copies / copies.sum(), 1 / len(y)
    drift = kale(kernel="laplace", bandwidth=0.3, regularisation=1e-8)
    np.testing.assert_allclose(
        jax.jit(functional)(drift, np.repeat(y, copies, axis=0), y), np.sum(q * np.log(q / p)), rtol=1e-5
    )


@pytest.mark.thorough
def test_several_bandwidths_are_the_mean_of_their_kernels(clouds, x64):
    kernel = lambda r: (profiles(0.3)["gaussian"].k(r) + profiles(1.0)["gaussian"].k(r)) / 2
    got = answer(kale(bandwidth=[0.3, 1.0]), *clouds).info["kale"]
    np.testing.assert_allclose(got, divergence(kernel, 0.05, *clouds), rtol=1e-9)


@pytest.mark.thorough
def test_weights_act_as_repeated_points(clouds, x64):
    assert_weights_act_as_repeated_points(kale(), *clouds, atol=1e-8)


@pytest.mark.thorough
def test_it_says_when_it_has_not_converged(clouds, x64):
    capped = answer(kale(max_iters=1), *clouds).info
    assert not capped["converged"]
    assert capped["n_iters"] == 1
    solved = answer(kale(), *clouds).info
    assert solved["converged"]
    assert solved["decrement"] < 1.5e-8
    assert 2 <= solved["n_iters"] < 12


@pytest.mark.slow
def test_the_decrement_is_what_the_newton_direction_takes_from_the_dual_at_first(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    b, u, lam = masses(None, y), jnp.cos(3 * y[:, 0]), jnp.asarray(0.05)
    terms = gram(mean_kernel("gaussian", jnp.asarray([0.7])), x, masses(None, x), y)
    direction, decrement = newton_direction(terms, b, lam, u)
    slope = jax.jvp(lambda u: dual_value(terms, b, lam, u), (u,), (direction,))[1]
    assert decrement > 1e-3
    np.testing.assert_allclose(decrement, -slope, rtol=1e-9)


@pytest.mark.thorough
def test_rounding_of_the_dual_does_not_hold_up_the_last_newton_step(clouds, x64):
    # Differences of velocities over 2e-5 magnify a solution that is short of the last step, by 1e-12 or so, beyond 1e-8.
    x, y = map(jnp.asarray, clouds)
    drift = kale(regularisation=0.1)
    assert asymmetry(jax.jit(lambda cloud: drift.velocity(cloud, y, None).v), x) < 1e-9


@pytest.mark.thorough
@pytest.mark.parametrize("lam", [1e-2, 1e-3, 1e-6])
def test_nothing_overflows_where_the_density_ratio_does(lam):
    # Half of the particles sit on one target, the others far from all: h is of the order 1 / lam there.
    _, y = skewed_clouds(1, 60)
    x = np.concatenate([np.repeat(y[:1], 20, axis=0), np.full((20, 2), 30.0)]).astype(np.float32)
    output = answer(kale(regularisation=lam, max_iters=100), x, y.astype(np.float32))
    assert np.isfinite(output.v).all()
    assert all(np.isfinite(value) for value in output.info.values())
    if lam > 1e-5:
        assert output.info["converged"]


@pytest.mark.thorough
def test_single_precision_agrees_far_from_the_origin(x64):
    x, y = skewed_clouds(64, 80)
    exact = answer(kale(), x, y)
    got = answer(kale(), *map(np.float32, (x + 100, y + 100)))
    assert got.info["converged"]
    assert got.v.dtype == jnp.float32
    assert np.abs(got.v - exact.v).max() < 1e-3 * np.abs(exact.v).max()
