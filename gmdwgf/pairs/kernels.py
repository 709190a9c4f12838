"""Radial kernels k(x, y) as profiles of the squared distance.

Each kernel is defined by three functions of r2 = |x - y|^2 and the bandwidth h (data units):

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
    """sqrt(r2), with derivative 0 rather than NaN at 0."""
    positive = r2 > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, r2, 1.0)), 0.0)


def reciprocal_distance(r2: R2) -> R2:
    """1 / r, and 0 at coincident points."""
    positive = r2 > 0
    return jnp.where(positive, 1.0 / jnp.sqrt(jnp.where(positive, r2, 1.0)), 0.0)


def _gaussian(r2, h):
    return jnp.exp(r2 * (-0.5 / h**2))


def _laplace(r2, h):
    return jnp.exp(distance(r2) * (-1 / h))


def _matern(r2, h):
    s = jnp.sqrt(3.0) * distance(r2) / h
    return (1 + s) * jnp.exp(-s)


def _matern_sharp(r2, h):
    s = jnp.sqrt(3.0) * distance(r2) / h
    return h**2 / 3 * (s**2 + 3 * s + 3) * jnp.exp(-s)


def _alike(r2, h):
    """Broadcast r^2 to the shape of a list of bandwidths, for a kernel without bandwidth."""
    return r2 + 0 * h  # no mutants: nothing is added


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
        value=lambda r2, h: -distance(_alike(r2, h)),
        gradient_weight=lambda r2, h: reciprocal_distance(_alike(r2, h)),
        sharp=lambda r2, h: distance(_alike(r2, h)) ** 3 / 3,
    ),
}


class LogKernel(NamedTuple):
    """Logarithm of a positive kernel, for sums that underflow: profile functions of (squared distance, bandwidth).

    `log_value` is log k; `slope` is s with grad_x log k(x, y) = s (y - x), 0 at coincident points where there is no gradient.
    """

    log_value: Callable[[R2, Array], R2]
    slope: Callable[[R2, Array], R2]


def _laplace_sharp_log(r2, h):
    r = distance(r2)
    return jnp.log(h) + jnp.log(r + h) - r / h


def _matern_log(r2, h):
    s = jnp.sqrt(3.0) * distance(r2) / h
    return jnp.log1p(s) - s


def _matern_slope(r2, h):
    return 3 / h**2 / (1 + jnp.sqrt(3.0) * distance(r2) / h)


def _matern_sharp_log(r2, h):
    s = jnp.sqrt(3.0) * distance(r2) / h
    return 2 * jnp.log(h) + jnp.log1p(s + s**2 / 3) - s


def _matern_sharp_slope(r2, h):
    s = jnp.sqrt(3.0) * distance(r2) / h
    return (1 + s) / (1 + s + s**2 / 3) / h**2


LOG_KERNELS: dict[str, LogKernel] = {
    "gaussian": LogKernel(log_value=lambda r2, h: r2 * (-0.5 / h**2), slope=lambda r2, h: jnp.ones_like(r2) / h**2),
    "laplace": LogKernel(
        log_value=lambda r2, h: distance(r2) * (-1 / h), slope=lambda r2, h: reciprocal_distance(r2) / h
    ),
    "imq": LogKernel(log_value=lambda r2, h: -jnp.log1p(r2 / h**2) / 2, slope=lambda r2, h: 1 / (h**2 + r2)),
    "matern": LogKernel(log_value=_matern_log, slope=_matern_slope),
}
"""The kernels of `KERNELS` that are positive."""


LOG_SHARP_KERNELS: dict[str, LogKernel] = {
    "gaussian": LogKernel(
        log_value=lambda r2, h: 2 * jnp.log(h) - r2 / (2 * h**2), slope=LOG_KERNELS["gaussian"].slope
    ),
    "laplace": LogKernel(log_value=_laplace_sharp_log, slope=lambda r2, h: 1 / (h * (distance(r2) + h))),
    "matern": LogKernel(log_value=_matern_sharp_log, slope=_matern_sharp_slope),
}
"""The companions k# of `KERNELS` that are positive."""


class Profile(NamedTuple):
    """A radial kernel with fixed parameters: `value` and `gradient_weight` as functions of the squared distance."""

    value: Callable[[R2], R2]
    gradient_weight: Callable[[R2], R2]


def mean_kernel(name: str, bandwidths: Float[Array, " k"]) -> Profile:
    """The mean over `bandwidths` (data units) of the kernel `name` of `KERNELS`."""

    def mean_of(profile):
        each = lambda r2: [profile(r2, h) for h in bandwidths.astype(r2.dtype)]
        return lambda r2: sum(each(r2), start=jnp.zeros_like(r2)) / bandwidths.size

    return Profile(mean_of(KERNELS[name].value), mean_of(KERNELS[name].gradient_weight))


def riesz_kernel(exponent: Array) -> Profile:
    """k = -r^s of exponent s in (0, 2): the energy kernel at s = 1. For s < 1 its gradient s r^(s-1) is unbounded as r -> 0.

    At coincident points the gradient is 0, as for the energy kernel. Source: Hertrich et al. 2024 (arXiv:2305.11463).
    """

    def power_of_distance(r2, power):
        positive = r2 > 0
        return jnp.where(positive, jnp.where(positive, r2, 1.0) ** (power / 2), 0.0)

    return Profile(
        lambda r2: -power_of_distance(r2, exponent), lambda r2: exponent * power_of_distance(r2, exponent - 2)
    )
