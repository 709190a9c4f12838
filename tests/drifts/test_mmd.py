import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError
from gmdwgf.testing import check_drift
from tests.drifts.kernel_loops import assert_weights_act_as_repeated_points

KEY = jax.random.key(0)
KERNELS = {
    "gaussian": lambda r: np.exp(-(r**2) / (2 * 0.7**2)),
    "laplace": lambda r: np.exp(-r / 0.7),
    "imq": lambda r: (1 + (r / 0.7) ** 2) ** -0.5,
    "matern": lambda r: (1 + np.sqrt(3) * r / 0.7) * np.exp(-np.sqrt(3) * r / 0.7),
    "energy": lambda r: -r,
    "riesz": lambda r: -(r**1.4),
}
FIELDS = {"bandwidth": 0.7, "exponent": 1.4}


def half_mmd2(kernel, x, y):
    def mean(a, b):
        return np.mean([[kernel(np.linalg.norm(p - q)) for q in b] for p in a])

    return mean(x, x) / 2 - mean(x, y) + mean(y, y) / 2


@pytest.mark.parametrize("name", KERNELS)
def test_velocity_is_minus_n_times_the_gradient_of_half_mmd2(name, clouds, x64):
    x, y = clouds
    got = gmdwgf.load_drift("mmd", kernel=name, **FIELDS).velocity(jnp.asarray(x), jnp.asarray(y), KEY).v
    step = 1e-5
    for i, k in [(0, 0), (3, 1), (12, 0)]:
        shift = np.zeros_like(x)
        shift[i, k] = step
        slope = (half_mmd2(KERNELS[name], x + shift, y) - half_mmd2(KERNELS[name], x - shift, y)) / (2 * step)
        np.testing.assert_allclose(got[i, k], -len(x) * slope, atol=1e-8)


@pytest.mark.thorough
@pytest.mark.parametrize("name", KERNELS)
def test_functional_is_half_the_squared_mmd(name, clouds, x64):
    drift = gmdwgf.load_drift("mmd", kernel=name, **FIELDS)
    np.testing.assert_allclose(
        drift.functional(*map(jnp.asarray, clouds)), half_mmd2(KERNELS[name], *clouds), rtol=1e-12
    )


@pytest.mark.thorough
def test_energy_drift_in_one_dimension_is_twice_the_difference_of_distribution_functions(x64):
    # Claim 21, mid-ranks: 2 (F_q - F_p).
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 1)), rng.gamma(2.0, size=(14, 1))
    got = gmdwgf.load_drift("mmd", kernel="energy").velocity(jnp.asarray(x), jnp.asarray(y), KEY).v[:, 0]
    f_q = ((x < x.T).mean(0) + (x <= x.T).mean(0)) / 2
    f_p = ((y < x.T).mean(0) + (y <= x.T).mean(0)) / 2
    np.testing.assert_allclose(got, 2 * (f_q - f_p), atol=1e-12)


def test_gaussian_clouds_give_the_closed_form(x64):
    # Claim 19, within sampling error of large clouds.
    rng = np.random.default_rng(1)
    s, mean_q, mean_p = 0.8, np.array([-0.4, 0.2]), np.array([0.9, 0.1])
    cov_q, cov_p = np.array([[0.5, 0.2], [0.2, 0.4]]), np.array([[1.2, -0.3], [-0.3, 0.7]])
    x, y = rng.multivariate_normal(mean_q, cov_q, 40000), rng.multivariate_normal(mean_p, cov_p, 30000)
    at = np.array([[0.3, -0.5], [1.5, 0.4]])

    def term(mean, cov):
        c = cov + s**2 * np.eye(2)
        pulled = np.linalg.solve(c, (at - mean).T).T
        g = np.linalg.det(np.eye(2) + cov / s**2) ** -0.5 * np.exp(-np.sum((at - mean) * pulled, axis=1) / 2)
        return pulled * g[:, None]

    drift = gmdwgf.load_drift("mmd", kernel="gaussian", bandwidth=s)
    got = drift.velocity(jnp.asarray(x), jnp.asarray(y), KEY, at=jnp.asarray(at)).v
    np.testing.assert_allclose(got, term(mean_q, cov_q) - term(mean_p, cov_p), atol=0.01)


@pytest.mark.thorough
def test_u_estimator_divides_the_repulsion_by_n_minus_one(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    n = len(x)

    def parts(estimator):
        return gmdwgf.load_drift("mmd", kernel="gaussian", estimator=estimator, bandwidth=0.7).velocity(x, y, KEY).v

    at_particles = gmdwgf.load_drift("mmd", kernel="gaussian", bandwidth=0.7)
    attraction = parts("v") - at_particles.velocity(x, x[:1] + 1e6, KEY).v
    repulsion = parts("v") - attraction
    np.testing.assert_allclose(parts("u"), attraction + repulsion * n / (n - 1), atol=1e-10)


def test_noise_evaluates_the_field_at_perturbed_points(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    noisy = gmdwgf.load_drift("mmd", kernel="gaussian", noise=0.3).velocity(x, y, KEY).v
    at = x + 0.3 * jax.random.normal(KEY, x.shape, jnp.float32).astype(x.dtype)
    np.testing.assert_allclose(
        noisy, gmdwgf.load_drift("mmd", kernel="gaussian").velocity(x, y, KEY, at=at).v, atol=1e-12
    )


def test_u_estimator_with_noise_leaves_the_particle_itself_out(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    fields = {"kernel": "gaussian", "bandwidth": 0.7, "noise": 0.3}
    got = gmdwgf.load_drift("mmd", estimator="u", **fields).velocity(x, y, KEY).v
    at = x + 0.3 * jax.random.normal(KEY, x.shape, jnp.float32).astype(x.dtype)
    slope = lambda point, cloud: np.mean(
        [np.exp(-np.sum((c - point) ** 2) / (2 * 0.7**2)) * (c - point) / 0.7**2 for c in np.asarray(cloud)], axis=0
    )
    expected = [slope(p, y) - slope(p, np.delete(x, i, axis=0)) for i, p in enumerate(np.asarray(at))]
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_riesz_kernel_of_exponent_one_is_the_energy_kernel_and_shared_points_do_not_pull(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    y = y.at[:3].set(x[:3])
    energy = gmdwgf.load_drift("mmd", kernel="energy").velocity(x, y, KEY).v
    np.testing.assert_allclose(
        gmdwgf.load_drift("mmd", kernel="riesz", exponent=1.0).velocity(x, y, KEY).v, energy, atol=1e-12
    )
    sharp = gmdwgf.load_drift("mmd", kernel="riesz", exponent=0.5).velocity(x, y, KEY).v
    assert np.isfinite(sharp).all()


@pytest.mark.parametrize("exponent", [0.0, 2.0, -1.0])
def test_exponent_outside_the_open_interval_from_0_to_2_is_refused(exponent):
    with pytest.raises(ConfigError, match="exponent"):
        gmdwgf.load_drift("mmd", kernel="riesz", exponent=exponent)


def test_the_exponent_is_traced(clouds):
    x, y = map(jnp.asarray, clouds)
    traces = []

    @jax.jit
    def answer(drift):
        traces.append(1)
        return drift.velocity(x, y, KEY).v

    first, second = (answer(gmdwgf.load_drift("mmd", kernel="riesz", exponent=e)) for e in (0.7, 1.3))
    assert len(traces) == 1
    assert float(jnp.abs(first - second).max()) > 0.01


def test_several_bandwidths_are_the_mean_of_their_kernels(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    one = lambda bandwidth: gmdwgf.load_drift("mmd", kernel="laplace", bandwidth=bandwidth).velocity(x, y, KEY).v
    np.testing.assert_allclose(one([0.3, 1.1]), (one(0.3) + one(1.1)) / 2, atol=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize("kernel", ["laplace", "riesz"])
def test_weights_act_as_repeated_points(kernel, clouds, x64):
    assert_weights_act_as_repeated_points(gmdwgf.load_drift("mmd", kernel=kernel, **FIELDS), *clouds)


@pytest.mark.slow
def test_riesz_kernel_obeys_the_laws(x64):
    laws = ["shape_dtype_and_finite", "wasserstein_gradient_flow", "functional_gradient", "degenerate_clouds"]
    check_drift(gmdwgf.load_drift("mmd", kernel="riesz", exponent=0.6), laws)
