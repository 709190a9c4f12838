import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.testing import check_drift
from gmdwgf.testing.structure import asymmetry
from tests.drifts import kernel_loops
from tests.drifts.kernel_loops import answer

H = 0.7


def load(kernel):
    return gmdwgf.load_drift("kernel_score", kernel=kernel, bandwidth=H)


@pytest.mark.parametrize("kernel", kernel_loops.KERNELS)
def test_velocity_equals_the_double_loop(kernel, clouds, x64):
    x, y = clouds
    k, slope, _ = kernel_loops.profiles(H)[kernel]
    expected = [kernel_loops.score(p, y, k, slope) - kernel_loops.score(p, x, k, slope) for p in x]
    got = answer(load(kernel), x, y)
    np.testing.assert_allclose(got.v, expected, atol=1e-10)
    np.testing.assert_allclose(got.info["effective_targets"], kernel_loops.effective_targets(x, y, k), rtol=1e-10)


@pytest.mark.thorough
def test_the_laplace_score_is_a_mean_of_unit_vectors_over_the_bandwidth(x64):
    # Targets at distances 1 and 2, to the right and above, count e^{-1/h} and e^{-2/h}; the particle adds nothing.
    y = np.array([[1.0, 0.0], [0.0, 2.0]])
    w = np.exp(-np.array([1.0, 2.0]) / H)
    v = answer(load("laplace"), np.zeros((1, 2)), y).v[0]
    np.testing.assert_allclose(v, w / w.sum() / H, rtol=1e-12)


@pytest.mark.parametrize("kernel", kernel_loops.KERNELS)
def test_velocity_is_the_gradient_of_the_log_ratio_and_has_no_curl(kernel, clouds, x64):
    # Claims 1 and 14: the potential is differentiated automatically, twice.
    x, y = map(jnp.asarray, clouds)
    at = y[:4] + 0.15
    profile = {
        "gaussian": lambda r: jnp.exp(-(r**2) / (2 * H**2)),
        "laplace": lambda r: jnp.exp(-r / H),
        "imq": lambda r: 1 / jnp.sqrt(1 + (r / H) ** 2),
        "matern": lambda r: (1 + jnp.sqrt(3) * r / H) * jnp.exp(-jnp.sqrt(3) * r / H),
    }[kernel]

    def log_ratio(point):
        density = lambda cloud: jnp.mean(profile(jnp.linalg.norm(point - cloud, axis=-1)))
        return jnp.log(density(y)) - jnp.log(density(x))

    drift = load(kernel)
    field = lambda point: answer(drift, x, y, point[None]).v[0]
    at_all = lambda of_one: jax.jit(jax.vmap(of_one))(at)
    np.testing.assert_allclose(at_all(field), at_all(jax.grad(log_ratio)), atol=1e-10)
    np.testing.assert_allclose(at_all(jax.jacfwd(field)), at_all(jax.hessian(log_ratio)), atol=1e-10)


def test_the_gaussian_member_is_the_kl_drift_over_the_squared_bandwidth(clouds, x64):
    kl = answer(gmdwgf.load_drift("kl", bandwidth=H), *clouds).v
    np.testing.assert_allclose(answer(load("gaussian"), *clouds).v, kl / H**2, atol=1e-10)


@pytest.mark.thorough
def test_even_the_smoothest_member_is_not_a_flow(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    assert asymmetry(lambda x: answer(load("imq"), x, y).v, x) > 1e-2


@pytest.mark.thorough
def test_weights_act_as_repeated_points(clouds, x64):
    kernel_loops.assert_weights_act_as_repeated_points(load("laplace"), *clouds)


@pytest.mark.slow
@pytest.mark.parametrize("law", ["zero_at_equality", "degenerate_clouds", "extreme_scales"])
def test_another_member_obeys_the_laws(law):
    check_drift(gmdwgf.load_drift("kernel_score", kernel="matern"), [law])
