"""The flat torus."""

import jax.numpy as jnp

from gmdwgf.manifolds.base import AbstractManifold
from gmdwgf.pairs.kernels import distance
from gmdwgf.typing import Array, Scalar

_PERIOD = 2 * jnp.pi

N_IMAGES = 3
"""Images of a point on each side in a narrow wrapped Gaussian."""

WIDE = 2.0
"""Radians. Below this bandwidth images beyond `N_IMAGES` have weights below exp(-40), above it Fourier terms beyond `N_WAVES` do."""

N_WAVES = 5


def wrap(angle: Array) -> Array:
    """The angle in [-pi, pi] that differs by a multiple of 2 pi."""
    return angle - _PERIOD * jnp.round(angle / _PERIOD)


class Torus(AbstractManifold):
    """The flat torus T^d = (R / 2 pi)^d; coordinates are angles in radians, in [-pi, pi].

    log_x(y) is y - x wrapped to [-pi, pi]; a coordinate in which two points are opposite, a cut, is 0. Extrinsic kernels act on
    (cos x, sin x), which is an isometric embedding in R^(2d).
    """

    name = "torus"

    def project(self, x):
        return wrap(x)

    def tangent(self, x, u):
        del x
        return u

    def exp(self, x, v):
        return wrap(x + v)

    def log(self, x, y):
        turn = wrap(y - x)
        return jnp.where(_opposite(turn), 0.0, turn)

    def distance(self, x, y):
        return distance(jnp.sum(wrap(y - x) ** 2, axis=-1))

    def is_cut(self, x, y):
        return jnp.any(_opposite(wrap(y - x)), axis=-1)

    def intrinsic_dim(self, dim):
        return dim

    def embed(self, x):
        return jnp.concatenate([jnp.cos(x), jnp.sin(x)], axis=-1)

    def heat_kernel(self, x, y, bandwidth):
        """Product over coordinates of wrapped Gaussians of standard deviation `bandwidth`."""
        return jnp.prod(_wrapped_gaussian(wrap(y - x), bandwidth.astype(x.dtype)), axis=-1)


def _opposite(turn):
    return jnp.abs(turn) > jnp.pi - 16 * jnp.finfo(turn.dtype).eps


def _wrapped_gaussian(turn: Array, bandwidth: Scalar) -> Array:
    """sum_k exp(-(turn + 2 pi k)^2 / 2 h^2), divided by its value at 0: a sum over images if narrow, a Fourier series if wide."""
    images = _PERIOD * jnp.arange(-N_IMAGES, N_IMAGES + 1, dtype=turn.dtype)
    narrow_h = jnp.minimum(bandwidth, WIDE)
    narrow = lambda angle: jnp.sum(jnp.exp((angle[..., None] + images) ** 2 * (-0.5 / narrow_h**2)), axis=-1)
    waves = jnp.arange(1, N_WAVES + 1, dtype=turn.dtype)
    shrunk = 2 * jnp.exp(-((waves * jnp.maximum(bandwidth, WIDE)) ** 2) / 2)
    wide = lambda angle: 1 + jnp.sum(shrunk * jnp.cos(angle[..., None] * waves), axis=-1)
    here = jnp.zeros((), turn.dtype)
    return jnp.where(bandwidth < WIDE, narrow(turn) / narrow(here), wide(turn) / wide(here))
