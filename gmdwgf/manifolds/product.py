"""Products of manifolds."""

import math

import jax.numpy as jnp
import numpy as np

from gmdwgf.config.fields import FieldError, counts_of_any_length, pieces
from gmdwgf.manifolds.base import AbstractManifold
from gmdwgf.pairs.kernels import distance


class Product(AbstractManifold):
    """Product of manifolds: coordinates are those of the `parts` one after the other, `dims` of them each.

    Squared distances and inner products are sums over the parts; all else acts on every part separately.
    """

    name = "product"

    parts: tuple[AbstractManifold, ...] = pieces(AbstractManifold, "manifolds")
    dims: tuple[int, ...] = counts_of_any_length("coordinates of each part")

    def check_values(self) -> None:
        if len(self.dims) != len(self.parts):
            raise FieldError("dims", list(self.dims), f"must be {len(self.parts)} integers, one for each part")
        for part, dim in zip(self.parts, self.dims, strict=True):
            part.check_dim(dim)

    def _split(self, x):
        return jnp.split(x, np.cumsum(self.dims)[:-1], axis=-1)

    def _each(self, name, *arrays):
        """Results of the method `name` of every part, for its coordinates of the arrays."""
        columns = zip(*map(self._split, arrays), strict=True)
        return [getattr(part, name)(*own) for part, own in zip(self.parts, columns, strict=True)]

    def _joined(self, name, *arrays):
        return jnp.concatenate(self._each(name, *arrays), axis=-1)

    def project(self, x):
        return self._joined("project", x)

    def tangent(self, x, u):
        return self._joined("tangent", x, u)

    def exp(self, x, v):
        return self._joined("exp", x, v)

    def log(self, x, y):
        return self._joined("log", x, y)

    def distance(self, x, y):
        return distance(jnp.sum(jnp.stack(self._each("distance", x, y)) ** 2, axis=0))

    def is_cut(self, x, y):
        return jnp.stack(self._each("is_cut", x, y)).any(axis=0)

    def intrinsic_dim(self, dim):
        del dim
        return sum(part.intrinsic_dim(own) for part, own in zip(self.parts, self.dims, strict=True))

    def inner(self, x, u, v):
        return jnp.sum(jnp.stack(self._each("inner", x, u, v)), axis=0)

    def gradient(self, x, covector):
        return self._joined("gradient", x, covector)

    def embed(self, x):
        return self._joined("embed", x)

    def heat_kernel(self, x, y, bandwidth):
        columns = zip(self.parts, self._split(x), self._split(y), strict=True)
        return math.prod(part.heat_kernel(own_x, own_y, bandwidth) for part, own_x, own_y in columns)

    @property
    def isometric(self) -> bool:
        return all(part.isometric for part in self.parts)

    @property
    def smallest_bandwidth(self) -> float | None:
        each = [part.smallest_bandwidth for part in self.parts]
        return None if None in each else max(bandwidth or 0.0 for bandwidth in each)

    def check_dim(self, dim):
        if dim != sum(self.dims):
            self._refuse_dim(dim, f"{sum(self.dims)} coordinates, the sum of dims={list(self.dims)}")
