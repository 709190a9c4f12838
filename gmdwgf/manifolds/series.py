"""cos r, sin(r)/r and their hyperbolic companions as smooth functions of r^2, with derivatives that are right at 0."""

import jax.numpy as jnp

from gmdwgf.pairs.kernels import distance
from gmdwgf.typing import Array

_SMALL = 1e-3
"""Value of r^2 below which four terms of the series are exact in double precision."""


def _even(r2: Array, first: Array, coefficients: tuple[float, float, float]) -> Array:
    """1 + c1 r^2 + c2 r^4 + c3 r^6 for small r^2, and otherwise `first`."""
    c1, c2, c3 = coefficients
    return jnp.where(r2 < _SMALL, 1 + r2 * (c1 + r2 * (c2 + r2 * c3)), first)


def cos_and_sinc(r2: Array) -> tuple[Array, Array]:
    """Cos r and sin(r)/r."""
    r = distance(jnp.where(r2 < _SMALL, 1.0, r2))
    return _even(r2, jnp.cos(r), (-1 / 2, 1 / 24, -1 / 720)), _even(r2, jnp.sin(r) / r, (-1 / 6, 1 / 120, -1 / 5040))


def cosh_and_sinhc(r2: Array) -> tuple[Array, Array]:
    """Cosh r and sinh(r)/r."""
    r = distance(jnp.where(r2 < _SMALL, 1.0, r2))
    return _even(r2, jnp.cosh(r), (1 / 2, 1 / 24, 1 / 720)), _even(r2, jnp.sinh(r) / r, (1 / 6, 1 / 120, 1 / 5040))
