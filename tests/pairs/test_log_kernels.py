import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.pairs.kernels import KERNELS, LOG_KERNELS, LOG_SHARP_KERNELS

DISTANCES = np.linspace(0.1, 3.0, 7)
FAMILIES = [(LOG_KERNELS, name, "value") for name in LOG_KERNELS]
FAMILIES += [(LOG_SHARP_KERNELS, name, "sharp") for name in LOG_SHARP_KERNELS]


@pytest.mark.thorough
@pytest.mark.parametrize(("family", "name", "profile"), FAMILIES)
def test_log_value_is_the_logarithm_of_the_kernel(family, name, profile, x64):
    r2 = jnp.asarray(DISTANCES**2)
    kernel = getattr(KERNELS[name], profile)
    np.testing.assert_allclose(family[name].log_value(r2, 0.7), np.log(kernel(r2, 0.7)), atol=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize(("family", "name", "profile"), FAMILIES)
def test_slope_times_the_displacement_is_the_gradient_of_the_logarithm(family, name, profile, x64):
    # With r2 = |x - y|^2: grad_x log k = 2 (x - y) d log k / d r2.
    r2 = jnp.asarray(DISTANCES**2)
    derivative = jax.vmap(jax.grad(lambda r2: family[name].log_value(r2, 0.7)))(r2)
    np.testing.assert_allclose(family[name].slope(r2, 0.7), -2 * derivative, rtol=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize("name", KERNELS)
def test_the_profiles_of_a_kernel_are_each_the_slope_of_the_next(name, x64):
    # grad_x k = gradient_weight (y - x) and grad_x k# = k (y - x), where grad_x = 2 (x - y) d / d r2.
    kernel, r2 = KERNELS[name], jnp.asarray(DISTANCES**2)
    slope = lambda profile: -2 * jax.vmap(jax.grad(lambda r2: profile(r2, 0.7)))(r2)
    np.testing.assert_allclose(kernel.gradient_weight(r2, 0.7), slope(kernel.value), rtol=1e-12)
    np.testing.assert_allclose(kernel.value(r2, 0.7), slope(kernel.sharp), rtol=1e-12)


@pytest.mark.parametrize("name", LOG_SHARP_KERNELS)
def test_the_gradient_of_the_companion_is_the_kernel_times_the_displacement(name, x64):
    r2 = jnp.asarray(DISTANCES**2)
    sharp = LOG_SHARP_KERNELS[name]
    slope_times_companion = sharp.slope(r2, 0.7) * np.exp(sharp.log_value(r2, 0.7))
    np.testing.assert_allclose(slope_times_companion, KERNELS[name].value(r2, 0.7), rtol=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize(("family", "name", "profile"), FAMILIES)
def test_logarithms_stay_finite_where_the_kernel_underflows(family, name, profile):
    for r2, h in [(1e8, 1e-3), (0.0, 1e-4), (1.0, 1e4)]:
        r2, h = jnp.float32(r2), jnp.float32(h)
        assert np.isfinite(family[name].log_value(r2, h))
        assert np.isfinite(family[name].slope(r2, h))
