import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.testing import asymmetry, check_drift
from tests.conftest import skewed_clouds
from tests.drifts.kernel_loops import KERNELS, KEY, profiles, repetitions

drmmd = functools.partial(gmdwgf.load_drift, "drmmd", kernel="gaussian", bandwidth=0.7, regularisation=0.05)


@jax.jit
def answer(drift, state, x, y, at=None, x_weights=None, y_weights=None):
    return drift.update(state, x, y, KEY, at=at, x_weights=x_weights, y_weights=y_weights)[0]


def features(kernel, *clouds):
    """Vectors whose inner products are the kernel's: everything that the divergence sees of its Hilbert space."""
    points = np.concatenate(clouds)
    gram = np.array([[kernel(np.linalg.norm(p - q)) for q in points] for p in points])
    values, vectors = np.linalg.eigh(gram)
    return np.split(vectors * np.sqrt(np.maximum(values, 0)), np.cumsum([len(cloud) for cloud in clouds])[:-1])


def divergence(kernel, lam, x, y):
    """(1 + lam) |(C_p + lam)^(-1/2) (mu_q - mu_p)|^2 with the covariance operator as a matrix."""
    phi_x, phi_y = features(kernel, x, y)
    g = phi_x.mean(0) - phi_y.mean(0)
    return (1 + lam) * g @ np.linalg.solve(phi_y.T @ phi_y / len(y) + lam * np.eye(len(g)), g)


@pytest.mark.slow
@pytest.mark.parametrize("name", KERNELS)
def test_functional_is_the_norm_weighted_by_the_inverse_covariance_operator(name, clouds, x64):
    expected = divergence(profiles(0.7)[name].k, 0.05, *clouds)
    np.testing.assert_allclose(drmmd(kernel=name).functional(*map(jnp.asarray, clouds)), expected, rtol=1e-8)


@pytest.mark.parametrize("name", KERNELS)
def test_velocity_is_minus_n_times_the_gradient_of_that_norm(name, clouds, x64):
    x, y = clouds
    kernel, got = profiles(0.7)[name].k, answer(drmmd(kernel=name), (), x, y).v
    for i, k in [(0, 0), (7, 1)]:
        shift = np.zeros_like(x)
        shift[i, k] = 1e-5
        slope = (divergence(kernel, 0.05, x + shift, y) - divergence(kernel, 0.05, x - shift, y)) / 2e-5
        np.testing.assert_allclose(got[i, k], -len(x) * slope, rtol=1e-6, atol=1e-7)


def test_velocity_is_minus_the_slope_of_the_witness_as_the_paper_writes_it(clouds, x64):
    # h = 2 (1 + lam)/lam [g(.) - k(., Y) (K_YY + m lam)^-1 g(Y)], here away from the particles too.
    x, y = clouds
    lam, kernel, at = 0.05, profiles(0.7)["gaussian"].k, y[:5] + 0.1
    row = lambda point, cloud: np.array([kernel(np.linalg.norm(point - c)) for c in cloud])
    g = lambda point: row(point, x).mean() - row(point, y).mean()
    inverse = np.linalg.inv(np.array([row(p, y) for p in y]) + len(y) * lam * np.eye(len(y)))
    on_y = inverse @ np.array([g(p) for p in y])
    witness = lambda point: 2 * (1 + lam) / lam * (g(point) - row(point, y) @ on_y)
    slope = [[(witness(p + e) - witness(p - e)) / 2e-5 for e in 1e-5 * np.eye(2)] for p in at]
    np.testing.assert_allclose(answer(drmmd(), (), x, y, at).v, -np.array(slope), atol=1e-7)


@pytest.mark.thorough
def test_limit_of_a_large_regularisation_is_twice_the_mmd_flow(clouds, x64):
    # Claim 25.
    mmd = gmdwgf.load_drift("mmd", kernel="gaussian", bandwidth=0.7).velocity(*map(jnp.asarray, clouds), KEY).v
    np.testing.assert_allclose(answer(drmmd(regularisation=1e9), (), *clouds).v, 2 * mmd, atol=1e-6)


@pytest.mark.thorough
def test_limit_of_a_small_regularisation_is_the_chi_squared_divergence(clouds, x64):
    # On a common support: sum_j p_j (q_j / p_j - 1)^2.
    _, y = clouds
    copies = np.arange(len(y)) % 3
    q, p = copies / copies.sum(), 1 / len(y)
    drift = drmmd(kernel="laplace", regularisation=1e-9)
    got = drift.functional(jnp.repeat(jnp.asarray(y), copies, axis=0), jnp.asarray(y))
    np.testing.assert_allclose(got, np.sum((q - p) ** 2 / p), rtol=1e-6)


@pytest.mark.thorough
def test_several_bandwidths_are_the_mean_of_their_kernels(clouds, x64):
    kernel = lambda r: (profiles(0.3)["gaussian"].k(r) + profiles(1.0)["gaussian"].k(r)) / 2
    got = drmmd(bandwidth=[0.3, 1.0]).functional(*map(jnp.asarray, clouds))
    np.testing.assert_allclose(got, divergence(kernel, 0.05, *clouds), rtol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("adaptive", [False, True])
def test_weights_act_as_repeated_points(adaptive, clouds, x64):
    x, y = clouds
    (a, b), (x_weights, y_weights) = repetitions(x, y)
    drift, state = drmmd(adaptive=adaptive), (jnp.asarray(0.7),) if adaptive else ()
    weighted = answer(drift, state, x, y, None, x_weights, y_weights)
    repeated = answer(drift, state, np.repeat(x, a, axis=0), np.repeat(y, b, axis=0), x)
    np.testing.assert_allclose(weighted.v, repeated.v, atol=1e-9)
    np.testing.assert_allclose(weighted.info["drmmd"], repeated.info["drmmd"], rtol=1e-9)


@pytest.mark.thorough
def test_adaptive_regularisation_follows_the_root_of_the_divergence_since_the_first_batch(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    drift, closer = drmmd(adaptive=True), 0.5 * x + 0.5 * y[:13]
    state = drift.init(KEY, x, y)
    at_start, later = answer(drift, state, x, y), answer(drift, state, closer, y)
    np.testing.assert_allclose(at_start.info["regularisation"], 0.05, rtol=1e-12)
    kernel = profiles(0.7)["gaussian"].k
    ratio = divergence(kernel, 0.05, closer, y) / divergence(kernel, 0.05, x, y)
    np.testing.assert_allclose(later.info["regularisation"], 0.05 * np.sqrt(ratio), rtol=1e-8)
    assert ratio < 0.7
    fixed = drmmd(regularisation=float(0.05 * np.sqrt(ratio)))
    np.testing.assert_allclose(later.v, answer(fixed, (), closer, y).v, rtol=1e-6)


@pytest.mark.slow
def test_adaptive_keeps_its_state_and_obeys_the_laws(clouds, x64):
    drift = drmmd(adaptive=True)
    state = drift.init(KEY, *map(jnp.asarray, clouds))
    _, after = jax.jit(lambda x, y: drift.update(state, x, y, KEY))(*clouds)
    assert jax.tree.leaves(after) == jax.tree.leaves(state)
    check_drift(drift, ["shape_dtype_and_finite", "curl_free", "zero_at_equality"])


@pytest.mark.thorough
def test_adaptive_is_no_flow_once_the_first_divergence_is_in_the_past(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    drift, state = drmmd(adaptive=True), (jnp.asarray(0.7),)
    assert asymmetry(lambda cloud: answer(drift, state, cloud, y).v, x) > 1e-3


@pytest.mark.slow
def test_adaptive_from_a_first_batch_that_already_fits_stays_at_the_field():
    x = jnp.asarray(skewed_clouds()[0], jnp.float32)
    drift = drmmd(adaptive=True)
    info = answer(drift, drift.init(KEY, x, x), x, x + 0.5).info
    assert float(info["regularisation"]) > 0
    assert all(np.isfinite(value) for value in info.values())


@pytest.mark.slow
@pytest.mark.parametrize(("kernel", "bandwidth"), [("gaussian", 10.0), ("laplace", 0.5)])
def test_single_precision_is_finite_and_its_floor_is_the_same_problem(kernel, bandwidth, x64):
    # 200 targets: the regularisation counts as at least 200 eps = 2.4e-5.
    x, y = skewed_clouds(150, 200)
    fields = {"kernel": kernel, "bandwidth": bandwidth}
    single = answer(drmmd(**fields, regularisation=1e-12), (), *map(np.float32, (x, y)))
    assert np.isfinite(single.v).all()
    np.testing.assert_allclose(single.info["regularisation"], 200 * np.finfo(np.float32).eps, rtol=1e-6)
    moderate = drmmd(**fields, regularisation=0.01)
    exact = answer(moderate, (), x, y).v
    got = answer(moderate, (), *map(np.float32, (x + 100, y + 100))).v
    assert np.abs(got - exact).max() < 3e-3 * np.abs(exact).max()
