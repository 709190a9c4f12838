"""Claims 16 to 22: Gaussians, the line, and the weights of f-divergences.

Gaussians are grids with the masses of N(m, v), over which smooth integrals are exact to rounding.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import gmdwgf
from experiments.claims.common import KEY, H, claim, clouds, drift, gap, gaussian_grid, velocity
from experiments.common.mixtures import hermite
from gmdwgf.drifts import SlicedWassersteinDrift

MEAN_Q, A, MEAN_P, B = -0.3, 0.5, 0.7, 1.6
"""q = N(MEAN_Q, A), p = N(MEAN_P, B)."""

AT = jnp.asarray([[MEAN_Q - 0.5], [MEAN_Q], [MEAN_Q + 0.7]])


def on_gaussians(field) -> tuple[float, float]:
    """Slope of the field around the mean of q, and its value there."""
    (x, a), (y, b) = gaussian_grid(MEAN_Q, A), gaussian_grid(MEAN_P, B)
    v = velocity(field, x, y, AT, a, b)[:, 0]
    return float((v[2] - v[0]) / (AT[2, 0] - AT[0, 0])), float(v[1])


@claim(16, "score difference on Gaussians, different means, at three points", 1e-10)
def score_difference():
    (x, a), (y, b) = gaussian_grid(MEAN_Q, A), gaussian_grid(MEAN_P, B)
    expected = H**2 * ((AT - MEAN_Q) / (A + H**2) - (AT - MEAN_P) / (B + H**2))
    return gap(velocity(drift("score difference"), x, y, AT, a, b), expected)


@claim(16, "its slope b/(b+σ²) − a/(a+σ²)", 1e-10)
def slope_of_score_difference():
    return gap(on_gaussians(drift("score difference"))[0], B / (B + H**2) - A / (A + H**2))


@functools.cache
def sinkhorn_on_gaussians(epsilon):
    return on_gaussians(
        gmdwgf.load_drift("sinkhorn", self_term="same_batch", epsilon=epsilon, threshold=1e-12, max_iters=20000)
    )


def sinkhorn_slope(epsilon):
    return (np.sqrt(A * B + epsilon**2 / 4) - np.sqrt(A**2 + epsilon**2 / 4)) / A


@claim(17, "Sinkhorn slope [√(ab+ε²/4) − √(a²+ε²/4)]/a at ε = 0.8", 1e-9)
def sinkhorn_at_some_epsilon():
    return gap(sinkhorn_on_gaussians(0.8)[0], sinkhorn_slope(0.8))


@claim(17, "Sinkhorn shift m_p − m_q at ε = 0.8", 1e-9)
def sinkhorn_shift():
    return gap(sinkhorn_on_gaussians(0.8)[1], MEAN_P - MEAN_Q)


@claim(17, "slope at ε = 0.01 against the limit √(b/a) − 1", 1e-4)
def sinkhorn_at_small_epsilon():
    return gap(sinkhorn_on_gaussians(0.01)[0], np.sqrt(B / A) - 1)


@claim(17, "slope at ε = 1e6 against the limit 0", 1e-5)
def sinkhorn_at_large_epsilon():
    return gap(sinkhorn_on_gaussians(1e6)[0], 0)


PRINTED = {"0": 0.28205128, "1": 0.58718681, "3": 0.67588058, "∞": 0.67896697}


def recursion(n_iters, epsilon=0.8):
    """The slope after `n_iters` corrections, by precisions."""

    def row(variance):
        c = 0.0
        for _ in range(n_iters):
            inverse = 1 / (epsilon**2 * (1 / variance + 1 / epsilon + c))
            c = -(1 / epsilon - 1 / (epsilon**2 * (1 / A + inverse)))
        return 1 / (epsilon * (1 / variance + 1 / epsilon + c))

    return row(B) - row(A)


@functools.cache
def slope_after(n_iters):
    return on_gaussians(gmdwgf.load_drift("sinkhorn_steps", epsilon=0.8, n_iters=n_iters))[0]


@claim(
    18,
    "slope of the recursion, a = 0.5, b = 1.6, ε = 0.8, against the stated digits: K = {}",
    1e-8,
    each=PRINTED,
    why={
        "∞": "The digits .67896697 differ from claim 17's closed form, .678966947, by 2.3e-8: a misprint in the last digit. "
        "Recursion, closed form and drift agree with one another to the tolerances above and below."
    },
)
def printed_digits(k):
    return gap(recursion(50 if k == "∞" else int(k)), PRINTED[k])


@claim(18, "slope of the drift against the recursion: K = {} (∞ is 50)", 1e-10, each=PRINTED)
def drift_follows_recursion(k):
    n_iters = 50 if k == "∞" else int(k)
    return gap(slope_after(n_iters), recursion(n_iters))


@claim(19, "MMD velocity, Gaussian kernel, correlated Gaussians of the plane", 1e-10)
def mmd_on_gaussians():
    s, at = 0.8, jnp.asarray([[0.3, -0.5], [1.5, 0.4]])
    means = jnp.asarray([[-0.4, 0.2], [0.9, 0.1]])
    covariances = jnp.asarray([[[0.5, 0.2], [0.2, 0.4]], [[1.2, -0.3], [-0.3, 0.7]]])
    nodes, weights = hermite(60)
    x, y = (m + nodes @ jnp.linalg.cholesky(c).T for m, c in zip(means, covariances, strict=True))

    def term(mean, covariance):
        pulled = jnp.linalg.solve(covariance + s**2 * jnp.eye(2), (at - mean).T).T
        quadratic = jnp.sum((at - mean) * pulled, axis=1)
        return pulled * (jnp.linalg.det(jnp.eye(2) + covariance / s**2) ** -0.5 * jnp.exp(-quadratic / 2))[:, None]

    mmd = gmdwgf.load_drift("mmd", kernel="gaussian", bandwidth=s)
    v = velocity(mmd, x, y, at, weights, weights)
    return gap(v, term(means[0], covariances[0]) - term(means[1], covariances[1]))


@claim(
    20,
    "sliced Wasserstein on isotropic Gaussians in d = 3, (√(b/a) − 1)(x − m_q)/d + (m_p − m_q)/d, 20000 samples",
    0.02,
)
def sliced_on_gaussians():
    rng = np.random.default_rng(0)
    mean_q, mean_p = np.array([-0.4, 0.2, 0.0]), np.array([0.9, 0.1, -0.5])
    x, y = mean_q + A**0.5 * rng.normal(size=(20000, 3)), mean_p + B**0.5 * rng.normal(size=(30000, 3))
    at = np.array([[0.3, -0.5, 0.2], [-1.0, 0.4, 0.1]])
    # The corners of an icosahedron average quadratic functions of the direction exactly, so affine fields too.
    golden = (1 + 5**0.5) / 2
    corners = [np.roll([0, s, golden], shift) for s in (1, -1) for shift in range(3)]
    directions = jnp.asarray(np.array(corners) / np.sqrt(1 + golden**2))
    sliced = gmdwgf.load_drift("sliced_wasserstein", scale_by_dim=False)
    assert isinstance(sliced, SlicedWassersteinDrift)
    v = sliced.velocity_along(directions, jnp.asarray(x), jnp.asarray(y), at=jnp.asarray(at))
    return gap(v, ((np.sqrt(B / A) - 1) * (at - mean_q) + mean_p - mean_q) / 3)


def on_the_line(n, m):
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.normal(size=(n, 1))), jnp.asarray(rng.gamma(2.0, size=(m, 1)))


@claim(21, "energy drift on the line = 2 (F_q − F_p), mid-ranks, points in common", 1e-12)
def energy_on_the_line():
    x, y = on_the_line(9, 14)
    y = y.at[:3].set(x[:3])
    f_q, f_p = ((1 + jnp.sign(x.T - cloud)).mean(0) / 2 for cloud in (x, y))
    return gap(velocity(drift("MMD energy"), x, y)[:, 0], 2 * (f_q - f_p))


@claim(21, "sliced Wasserstein on the line = sorted matching", 1e-14)
def sliced_on_the_line():
    x, y = on_the_line(14, 14)
    matched = jnp.zeros_like(x).at[jnp.argsort(x[:, 0])].set(jnp.sort(y, axis=0))
    return gap(velocity(drift("sliced Wasserstein"), x, y), matched - x)


SLOPES = {
    "kl": lambda r: jnp.log(r) + 1,
    "reverse_kl": lambda r: -1 / r,
    "chi2": lambda r: 2 * (r - 1),
    "js": lambda r: jnp.log(2 * r / (1 + r)) / 2,
    "hellinger": lambda r: 1 - 1 / jnp.sqrt(r),
}
"""f' of D_f(q ‖ p) = E_p f(q / p)."""


@claim(22, "V = −∇ f'(q/p) by differences in x, relative: {}", 1e-7, each=SLOPES)
def f_divergence(divergence):
    x, y = clouds()
    at, step = y[:7] + 0.1, 1e-3

    def first_variation(points):
        density = lambda cloud: jnp.mean(jnp.exp(-jnp.sum((points[:, None] - cloud) ** 2, -1) / (2 * H**2)), axis=1)
        return SLOPES[divergence](density(x) / density(y))

    def derivative(axis):
        value = lambda t: first_variation(at + t * step * axis)
        return (8 * (value(1) - value(-1)) - (value(2) - value(-2))) / (12 * step)

    expected = -jax.vmap(derivative, out_axes=1)(jnp.eye(2))
    v = velocity(
        gmdwgf.load_drift("f_divergence", divergence=divergence, bandwidth=H, ratio_clip=1e6), x, y, at, key=KEY
    )
    return gap(v, expected) / float(jnp.max(jnp.abs(expected)))
