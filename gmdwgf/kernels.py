"""Radial kernels k(x, y) as profiles of the squared distance.

Each kernel is known by three functions of r2 = |x - y|^2 and the bandwidth h (data units):

- `value`            k
- `gradient_weight`  w with grad_x k(x, y) = w (y - x); 0 at coincident points where the gradient does not exist
- `sharp`            the companion k# with grad_x k#(x, y) = k(x, y) (y - x) (Franz et al., arXiv:2604.06333)

| name | k | note |
|---|---|---|
| gaussian | exp(-r^2 / 2h^2) | h is the standard deviation |
| laplace | exp(-r / h) | L2 distance, not squared, not L1 |
| imq | (1 + r^2/h^2)^(-1/2) | k# = -h^2 sqrt(1 + r^2/h^2) up to a constant: it has no positive companion |
| matern | (1 + s) exp(-s), s = sqrt(3) r/h | smoothness 3/2 (ours) |
| energy | -r | no bandwidth |
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

R2 = Float[Array, "..."]


class RadialKernel(NamedTuple):
    """Profile functions of (squared distance, bandwidth)."""

    value: Callable[[R2, Array], R2]
    gradient_weight: Callable[[R2, Array], R2]
    sharp: Callable[[R2, Array], R2]


def distance(r2: R2) -> R2:
    """sqrt(r2) whose derivative at 0 is 0 rather than NaN."""
    positive = r2 > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, r2, 1.0)), 0.0)


def reciprocal_distance(r2: R2) -> R2:
    """1 / r, and 0 at coincident points."""
    positive = r2 > 0
    return jnp.where(positive, 1.0 / jnp.sqrt(jnp.where(positive, r2, 1.0)), 0.0)


def _gaussian(r2, h):
    return jnp.exp(-r2 / (2 * h**2))


def _laplace(r2, h):
    return jnp.exp(-distance(r2) / h)


def _matern(r2, h):
    s = jnp.sqrt(3.0) * distance(r2) / h
    return (1 + s) * jnp.exp(-s)


def _matern_sharp(r2, h):
    s = jnp.sqrt(3.0) * distance(r2) / h
    return h**2 / 3 * (s**2 + 3 * s + 3) * jnp.exp(-s)


KERNELS: dict[str, RadialKernel] = {
    "gaussian": RadialKernel(
        value=_gaussian,
        gradient_weight=lambda r2, h: _gaussian(r2, h) / h**2,
        sharp=lambda r2, h: h**2 * _gaussian(r2, h),
    ),
    "laplace": RadialKernel(
        value=_laplace,
        gradient_weight=lambda r2, h: _laplace(r2, h) * reciprocal_distance(r2) / h,
        sharp=lambda r2, h: h * (distance(r2) + h) * _laplace(r2, h),
    ),
    "imq": RadialKernel(
        value=lambda r2, h: (1 + r2 / h**2) ** -0.5,
        gradient_weight=lambda r2, h: (1 + r2 / h**2) ** -1.5 / h**2,
        sharp=lambda r2, h: -(h**2) * (1 + r2 / h**2) ** 0.5,
    ),
    "matern": RadialKernel(
        value=_matern,
        gradient_weight=lambda r2, h: 3 / h**2 * jnp.exp(-jnp.sqrt(3.0) * distance(r2) / h),
        sharp=_matern_sharp,
    ),
    "energy": RadialKernel(
        value=lambda r2, h: -distance(r2) + 0 * h,
        gradient_weight=lambda r2, h: reciprocal_distance(r2) + 0 * h,
        sharp=lambda r2, h: distance(r2) ** 3 / 3 + 0 * h,
    ),
}
