"""The unit sphere."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import gammaln

from gmdwgf.manifolds.base import AbstractManifold
from gmdwgf.manifolds.series import cos_and_sinc
from gmdwgf.pairs.kernels import distance
from gmdwgf.typing import Array, Scalar

N_TERMS = 64
"""Degrees of harmonics in the heat kernel, enough for bandwidths of at least `SMALLEST_BANDWIDTH`."""

SMALLEST_BANDWIDTH = 0.1
"""Radians. At this bandwidth the first omitted degree has the weight exp(-64^2 h^2 / 2) = 1e-9 of the largest."""


def _dot(u, v):
    return jnp.sum(u * v, axis=-1, keepdims=True)


class Sphere(AbstractManifold):
    """The unit sphere S^(d-1) in R^d, with geodesic distances (angles) in radians.

        exp_x(v) = cos|v| x + sin|v| v/|v|,    log_x(y) = g u/|u|,  u = y - <x, y> x,    g = 2 atan(|x - y| / |x + y|).

    This form of the angle (Kahan) is accurate for all angles; arccos<x, y> loses half of the digits near 0 and pi. Cut points are
    antipodes.
    """

    name = "sphere"

    def project(self, x):
        """Divide by the length; the origin, which has no nearest point, goes to the first axis."""
        r2 = _dot(x, x)
        unit = x / distance(jnp.where(r2 > 0, r2, 1.0))
        return jnp.where(r2 > 0, unit, jnp.zeros_like(x).at[..., 0].set(1))

    def tangent(self, x, u):
        return u - _dot(x, u) * x

    def exp(self, x, v):
        cos, sinc = cos_and_sinc(_dot(v, v))
        return cos * x + sinc * v

    def log(self, x, y):
        u = self.tangent(x, self.tangent(x, y - x))  # twice: near antipodes the first leaves a part along x
        sine = distance(_dot(u, u))
        apart = (sine > 0) & ~self.is_cut(x, y)[..., None]
        ratio = self.distance(x, y)[..., None] / jnp.where(apart, sine, 1.0)
        return jnp.where(apart, ratio, jnp.where(_dot(x, y) > 0, 1.0, 0.0)) * u

    def distance(self, x, y):
        near, far = (jnp.sum(side**2, axis=-1) for side in (x - y, x + y))
        return 2 * jnp.arctan2(distance(near), distance(far))

    def is_cut(self, x, y):
        return jnp.sum((x + y) ** 2, axis=-1) < (16 * jnp.finfo(x.dtype).eps) ** 2

    def intrinsic_dim(self, dim):
        return dim - 1

    @property
    def smallest_bandwidth(self):
        return SMALLEST_BANDWIDTH

    def heat_kernel(self, x, y, bandwidth):
        """Sum over spherical harmonics, sum_l w_l P_l(<x, y>), w_l = softmax_l(log N_l - l (l + d - 2) h^2 / 2).

        P_l is the Legendre polynomial in dimension d (P_l(1) = 1), N_l the number of harmonics of degree l. For d = 2 it is the
        wrapped Gaussian, for d = 3 the sum of (2l + 1) exp(-l (l + 1) h^2 / 2) P_l.
        """
        return _zonal(jnp.sum(x * y, axis=-1), heat_weights(x.shape[-1], bandwidth.astype(x.dtype)), x.shape[-1])

    def check_dim(self, dim):
        if dim < 2:
            self._refuse_dim(dim, "at least 2 coordinates")


def heat_weights(dim: int, bandwidth: Scalar) -> Array:
    """Weights `[N_TERMS]` of the degrees in the heat kernel of S^(dim-1), which sum to one."""
    degree = np.arange(N_TERMS, dtype=float)
    if dim == 2:
        log_count = np.where(degree > 0, np.log(2.0), 0.0)
    else:
        ways = gammaln(degree + dim - 2) - gammaln(degree + 1) - gammaln(dim - 2.0) - np.log(dim - 2.0)
        log_count = np.log(2 * degree + dim - 2) + ways
    eigenvalues = jnp.asarray(degree * (degree + dim - 2), bandwidth.dtype)
    return jax.nn.softmax(jnp.asarray(log_count, bandwidth.dtype) - eigenvalues * bandwidth**2 / 2)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _zonal(cosine: Array, weights: Array, dim: int) -> Array:
    """sum_l weights_l P_l(cosine), by the recurrence (l + d - 2) P_(l+1) = (2 l + d - 2) t P_l - l P_(l-1)."""
    return _zonal_and_slope(cosine, weights, dim)[0]


@_zonal.defjvp
def _zonal_jvp(dim, primals, tangents):
    # Forward and reverse mode through the loop would store all degrees for every pair.
    (cosine, weights), (cosine_dot, weights_dot) = primals, tangents
    total, slope = _zonal_and_slope(cosine, weights, dim)
    return total, slope * cosine_dot + _zonal_and_slope(cosine, weights_dot, dim)[0]


def _zonal_and_slope(cosine: Array, weights: Array, dim: int) -> tuple[Array, Array]:
    """The sum and its derivative in the cosine. A loop, since compilers expand a fused recurrence exponentially."""

    def add(degree, carry):
        (before, before_slope), (now, now_slope), (total, slope) = carry
        a, b = 2 * degree + dim - 2, degree + dim - 2
        after = (a * cosine * now - degree * before) / b
        after_slope = (a * (now + cosine * now_slope) - degree * before_slope) / b
        weight = weights[degree + 1]
        return (now, now_slope), (after, after_slope), (total + weight * after, slope + weight * after_slope)

    one, zero = jnp.ones_like(cosine), jnp.zeros_like(cosine)
    sums = weights[0] + weights[1] * cosine, weights[1] * one
    return jax.lax.fori_loop(1, N_TERMS - 1, add, ((one, zero), (cosine, one), sums))[2]
