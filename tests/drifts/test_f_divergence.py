import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.fields import FieldError
from gmdwgf.drifts.f_divergence import FDivergenceDrift
from gmdwgf.testing import check_drift
from tests.drifts import kernel_loops
from tests.drifts.kernel_loops import answer

H = 0.7
# D_f(q, p) = E_p f(q / p): KL(q, p), KL(p, q), chi squared of q from p, Jensen-Shannon, squared Hellinger.
F = {
    "kl": lambda r: r * jnp.log(r),
    "reverse_kl": lambda r: -jnp.log(r),
    "chi2": lambda r: (r - 1) ** 2,
    "js": lambda r: (r * jnp.log(r) - (1 + r) * jnp.log((1 + r) / 2)) / 2,
    "hellinger": lambda r: (jnp.sqrt(r) - 1) ** 2,
}
AT_RATIO = {"kl": lambda r: 1, "reverse_kl": lambda r: 1 / r, "chi2": lambda r: 2 * r}
AT_RATIO |= {"js": lambda r: 0.5 / (1 + r), "hellinger": lambda r: 0.5 / np.sqrt(r)}


def velocity(x, y, at=None, x_weights=None, y_weights=None, **fields):
    drift = gmdwgf.load_drift("f_divergence", **{"bandwidth": H, "ratio_clip": 1e6} | fields)
    return answer(drift, x, y, at, x_weights, y_weights)


def ratio(point, x, y):
    density = lambda cloud: jnp.mean(jnp.exp(-jnp.sum((point - cloud) ** 2, axis=-1) / (2 * H**2)))
    return density(x) / density(y)


@pytest.mark.parametrize("divergence", F)
def test_velocity_is_minus_the_gradient_of_the_first_variation(divergence, clouds, x64):
    # Claim 22: v = -grad f'(q_h / p_h), by automatic differentiation of f and by central differences in x.
    x, y = clouds
    at = y[:5] + 0.1
    got = np.asarray(velocity(x, y, at, divergence=divergence).v)
    first_variation = lambda point: jax.grad(F[divergence])(ratio(point, x, y))
    np.testing.assert_allclose(got, -jax.jit(jax.vmap(jax.grad(first_variation)))(at), atol=1e-10)
    values = jax.jit(jax.vmap(first_variation))
    for j, step in enumerate(1e-5 * np.eye(2)):
        ahead, behind = (values(at + sign * step) for sign in (1, -1))
        np.testing.assert_allclose(got[:, j], -(ahead - behind) / 2e-5, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("divergence", F)
def test_velocity_equals_the_double_loop_with_the_ratio_clipped(divergence, clouds, x64):
    x, y = clouds
    clip = 1.5
    ratios = np.asarray(jax.vmap(lambda p: ratio(p, x, y))(x))
    weights = AT_RATIO[divergence](np.clip(ratios, 1 / clip, clip))
    expected = kernel_loops.score_difference(x, x, y, H) * np.broadcast_to(weights, len(x))[:, None]
    v, info = velocity(x, y, divergence=divergence, ratio_clip=clip)
    np.testing.assert_allclose(v, expected, atol=1e-10)
    outside = (ratios < 1 / clip) | (ratios > clip)
    assert outside.mean() == info["clipped"]
    assert 0 < outside.mean() < 1
    np.testing.assert_allclose(info["weight_max"], np.max(weights), rtol=1e-12)


def test_the_kl_member_is_the_kl_drift_over_the_squared_bandwidth(clouds, x64):
    kl = answer(gmdwgf.load_drift("kl", bandwidth=H), *clouds).v
    np.testing.assert_allclose(velocity(*clouds, divergence="kl").v, kl / H**2, atol=1e-10)


def test_two_gaussians_give_the_velocity_of_the_closed_form(x64):
    # Smoothed laws N(m, variance + h^2): an affine score difference, weighted at the ratio of two normal densities.
    (x, a), (y, b) = kernel_loops.gaussian_grid(-0.4, 0.5), kernel_loops.gaussian_grid(0.9, 1.6)
    at = np.linspace(-1.0, 1.0, 5)[:, None]
    density = lambda mean, variance: np.exp(-((at - mean) ** 2) / (2 * variance)) / np.sqrt(variance)
    r = density(-0.4, 0.5 + H**2) / density(0.9, 1.6 + H**2)
    difference = (at + 0.4) / (0.5 + H**2) - (at - 0.9) / (1.6 + H**2)
    for divergence, weight in AT_RATIO.items():
        got = velocity(x, y, at, a, b, divergence=divergence).v
        np.testing.assert_allclose(got, weight(r) * difference, rtol=1e-6, atol=1e-8)


@pytest.mark.thorough
def test_far_from_the_targets_the_weights_stop_at_the_clip():
    # r = q_h / p_h is beyond all bounds at the particles: chi2 pulls 2c times as hard as kl, reverse_kl c times less.
    x, y = np.zeros((3, 2)), np.full((4, 2), 30.0)
    plain = np.asarray(velocity(x, y, divergence="kl").v)
    for divergence, factor in {"chi2": 20.0, "reverse_kl": 0.1, "js": 0.5 / 11, "hellinger": 0.5 / np.sqrt(10)}.items():
        np.testing.assert_allclose(velocity(x, y, divergence=divergence, ratio_clip=10.0).v, factor * plain, rtol=1e-5)


@pytest.mark.thorough
def test_weights_act_as_repeated_points(clouds, x64):
    drift = gmdwgf.load_drift("f_divergence", divergence="chi2", bandwidth=H, ratio_clip=1e6)
    kernel_loops.assert_weights_act_as_repeated_points(drift, *clouds)


@pytest.mark.thorough
def test_a_clip_below_one_is_refused():
    with pytest.raises(FieldError, match="ratio_clip=0.5: must be at least 1"):
        FDivergenceDrift("js", H, 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("law", ["curl_free", "wasserstein_gradient_flow", "degenerate_clouds", "extreme_scales"])
def test_the_steepest_member_obeys_the_laws(law):
    check_drift(gmdwgf.load_drift("f_divergence", divergence="chi2"), [law])
