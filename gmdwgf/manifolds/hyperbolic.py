"""Hyperbolic space in the Lorentz model."""

import jax.numpy as jnp

from gmdwgf.manifolds.base import AbstractManifold
from gmdwgf.manifolds.series import cosh_and_sinhc
from gmdwgf.pairs.kernels import distance


def _lorentz(u, v):
    """<u, v>_L = -u_0 v_0 + sum_i u_i v_i, with the last axis kept."""
    return jnp.sum(u[..., 1:] * v[..., 1:], axis=-1, keepdims=True) - u[..., :1] * v[..., :1]


class Hyperbolic(AbstractManifold):
    """Hyperbolic space H^(d-1) of curvature -1: the sheet <x, x>_L = -1, x_0 > 0 of a hyperboloid in d coordinates.

        exp_x(v) = cosh|v| x + sinh|v| v/|v|,    log_x(y) = g / sinh(g) (y + <x, y>_L x),    g = 2 asinh(|x - y|_L / 2).

    There are no cut points. Tangent vectors have <x, v>_L = 0 and the inner product <u, v>_L, so gradients raise the index:
    the sign of the first partial derivative changes before the projection. The coordinates are not an isometric embedding in
    Euclidean space, so extrinsic kernels are not invariant under isometries, and only gradients can be pulled back.
    """

    name = "hyperbolic"

    def project(self, x):
        """Keep the spatial coordinates and set x_0 = sqrt(1 + sum_i x_i^2)."""
        space = x[..., 1:]
        return jnp.concatenate([jnp.sqrt(1 + jnp.sum(space**2, axis=-1, keepdims=True)), space], axis=-1)

    def tangent(self, x, u):
        return u + _lorentz(x, u) * x

    def exp(self, x, v):
        cosh, sinhc = cosh_and_sinhc(jnp.maximum(_lorentz(v, v), 0.0))
        return cosh * x + sinhc * v

    def log(self, x, y):
        return self.tangent(x, y - x) / cosh_and_sinhc(self.distance(x, y)[..., None] ** 2)[1]

    def distance(self, x, y):
        # x_0 - y_0 from the spatial coordinates, without its cancellation.
        apart, together = x[..., 1:] - y[..., 1:], x[..., 1:] + y[..., 1:]
        higher = jnp.sum(apart * together, axis=-1) / (x[..., 0] + y[..., 0])
        return 2 * jnp.arcsinh(distance(jnp.sum(apart**2, axis=-1) - higher**2) / 2)

    def is_cut(self, x, y):
        return jnp.zeros(jnp.broadcast_shapes(x.shape, y.shape)[:-1], bool)

    def intrinsic_dim(self, dim):
        return dim - 1

    def inner(self, x, u, v):
        del x
        return _lorentz(u, v)[..., 0]

    @property
    def isometric(self):
        return False

    @property
    def smallest_bandwidth(self):
        return None

    def gradient(self, x, covector):
        raised = jnp.concatenate([-covector[..., :1], covector[..., 1:]], axis=-1)
        return self.tangent(x, raised)

    def check_dim(self, dim):
        if dim < 2:
            self._refuse_dim(dim, "at least 2 coordinates")
