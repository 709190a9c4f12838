import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import gmdwgf
from gmdwgf.config.fields import FieldError
from gmdwgf.drifts.sharp import SharpDrift
from gmdwgf.testing import check_drift
from gmdwgf.testing.structure import asymmetry
from tests.drifts import kernel_loops
from tests.drifts.kernel_loops import answer

H = 0.7
POSITIVE = ("gaussian", "laplace", "matern")


def load(normalise, kernel):
    return gmdwgf.load_drift("sharp", normalise=normalise, kernel=kernel, bandwidth=H)


@pytest.mark.parametrize("kernel", POSITIVE)
def test_the_companion_of_the_loops_is_the_integral_of_s_k(kernel):
    k, _, sharp = kernel_loops.profiles(H)[kernel]
    for r in (0.0, 0.4, 1.9):
        np.testing.assert_allclose(sharp(r), quad(lambda s: s * k(s), r, 60.0, epsabs=1e-12)[0], rtol=1e-8)


@pytest.mark.parametrize("kernel", kernel_loops.KERNELS)
def test_un_normalised_velocity_equals_the_double_loop(kernel, clouds, x64):
    x, y = clouds
    k = kernel_loops.profiles(H)[kernel].k
    expected = [
        kernel_loops.total_shift(p, y, k)[0] / len(y) - kernel_loops.total_shift(p, x, k)[0] / len(x) for p in x
    ]
    np.testing.assert_allclose(answer(load("un_normalised", kernel), x, y).v, expected, atol=1e-12)


@pytest.mark.parametrize("kernel", POSITIVE)
def test_normalised_velocity_equals_the_double_loop(kernel, clouds, x64):
    x, y = clouds
    k, _, sharp = kernel_loops.profiles(H)[kernel]

    def ratio(point, cloud):
        return kernel_loops.total_shift(point, cloud, k)[0] / sum(sharp(np.linalg.norm(c - point)) for c in cloud)

    got = answer(load("sharp_normalised", kernel), x, y).v
    np.testing.assert_allclose(got, [ratio(p, y) - ratio(p, x) for p in x], atol=1e-10)


@pytest.mark.parametrize("kernel", kernel_loops.KERNELS)
def test_un_normalised_velocity_is_minus_n_times_the_gradient_of_half_mmd2_of_the_companion(kernel, clouds, x64):
    # Claim 6, the functional written as a double loop and differentiated numerically and automatically.
    x, y = clouds
    sharp = kernel_loops.profiles(H)[kernel].sharp
    drift = load("un_normalised", kernel)

    def half_mmd2(x):
        mean = lambda a, b: np.mean([[sharp(np.linalg.norm(p - q)) for q in b] for p in a])
        return mean(x, x) / 2 - mean(x, y) + mean(y, y) / 2

    value, gradient = jax.jit(jax.value_and_grad(drift.functional))(jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(value, half_mmd2(x), atol=1e-13)
    v = answer(drift, x, y).v
    for i, j in [(0, 0), (12, 1)]:
        step = np.zeros_like(x)
        step[i, j] = 1e-5
        slope = (half_mmd2(x + step) - half_mmd2(x - step)) / 2e-5
        np.testing.assert_allclose(v[i, j], -len(x) * slope, atol=1e-8)
    np.testing.assert_allclose(v, -len(x) * gradient, atol=1e-10)


@pytest.mark.thorough
@pytest.mark.parametrize("kernel", POSITIVE)
def test_normalised_velocity_is_a_gradient_field(kernel, clouds, x64):
    # Claim 14, with exact derivatives.
    x, y = map(jnp.asarray, clouds)
    drift = load("sharp_normalised", kernel)
    field = lambda point: answer(drift, x, y, point[None]).v[0]
    jacobians = jax.jit(jax.vmap(jax.jacfwd(field)))(y[:4] + 0.15)
    assert np.abs(jacobians - jacobians.transpose(0, 2, 1)).max() < 1e-10
    assert np.abs(jacobians).max() > 0.1


@pytest.mark.thorough
def test_only_the_un_normalised_drift_is_a_flow(clouds, x64):
    # Claim 13.
    x, y = map(jnp.asarray, clouds)
    for kernel in ("laplace", "matern"):
        flow, shift = (load(normalise, kernel) for normalise in ("un_normalised", "sharp_normalised"))
        assert asymmetry(lambda x, drift=flow: answer(drift, x, y).v, x) < 1e-8
        assert asymmetry(lambda x, drift=shift: answer(drift, x, y).v, x) > 1e-2
        assert flow.tags().flow_of is not None
        assert shift.tags().flow_of is None
        assert shift.functional is None


@pytest.mark.thorough
def test_only_the_imq_companion_moves_mass_between_far_modes(x64):
    mode = 0.1 * np.random.default_rng(0).normal(size=(10, 2))
    overfull = np.repeat([0.8, 0.2], 10)
    for kernel in kernel_loops.KERNELS:
        x = np.concatenate([mode, mode + np.array([64.0, 0.0])])
        v = answer(load("un_normalised", kernel), x, x, None, overfull).v[:10, 0].mean()
        if kernel == "imq":
            np.testing.assert_allclose(v, (0.5 - 0.2) * H, rtol=0.01)
        else:
            assert abs(v) < 1e-9


@pytest.mark.thorough
@pytest.mark.parametrize("normalise", ["sharp_normalised", "un_normalised"])
def test_weights_act_as_repeated_points(normalise, clouds, x64):
    kernel_loops.assert_weights_act_as_repeated_points(load(normalise, "laplace"), *clouds)


def test_imq_cannot_be_normalised():
    with pytest.raises(FieldError, match="kernel=imq: has no positive companion"):
        SharpDrift("imq", H, "sharp_normalised")


@pytest.mark.slow
@pytest.mark.parametrize("law", ["functional_gradient", "zero_at_equality", "degenerate_clouds", "extreme_scales"])
@pytest.mark.parametrize("kernel", ["laplace", "imq"])
def test_un_normalised_members_obey_the_laws(kernel, law):
    check_drift(gmdwgf.load_drift("sharp", kernel=kernel, normalise="un_normalised"), [law])
