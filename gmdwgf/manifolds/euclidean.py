"""Euclidean space."""

import jax.numpy as jnp

from gmdwgf.manifolds.base import AbstractManifold
from gmdwgf.pairs.kernels import distance


class Euclidean(AbstractManifold):
    """Flat space R^d: exp_x(v) = x + v, log_x(y) = y - x."""

    name = "euclidean"

    def project(self, x):
        return x

    def tangent(self, x, u):
        del x
        return u

    def exp(self, x, v):
        return x + v

    def log(self, x, y):
        return y - x

    def distance(self, x, y):
        return distance(jnp.sum((y - x) ** 2, axis=-1))

    def is_cut(self, x, y):
        return jnp.zeros(jnp.broadcast_shapes(x.shape, y.shape)[:-1], bool)

    def intrinsic_dim(self, dim):
        return dim

    def heat_kernel(self, x, y, bandwidth):
        return jnp.exp(jnp.sum((y - x) ** 2, axis=-1) * (-0.5 / bandwidth**2))


EUCLIDEAN = Euclidean()
