"""Unbiased MMD^2 and energy distance: U-statistics, which exclude self-pairs.

    mmd2(x, y) = mean_{i != l} k(x_i, x_l) + mean_{j != l} k(y_j, y_l) - 2 mean_{ij} k(x_i, y_j)

With k(x, y) = -|x - y| the same formula is the energy distance 2 E|x - y| - E|x - x'| - E|y - y'|, so one pass over the pairs
computes both. The expectation over draws is the distance between the two distributions (no square root is taken, which would
bias it). It is 0 for equal distributions, so single values can be negative. A cloud of one point has no pair and gives NaN.

Source: Gretton et al. 2012, Lemma 6; Székely and Rizzo 2013.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gmdwgf.pairs.kernels import KERNELS, R2, distance
from gmdwgf.pairs.reductions import centred, over_points, squared_distances
from gmdwgf.typing import Particles, Targets

KernelProfile = Callable[[R2], Any]
"""One kernel or a dictionary of kernels, as functions of |x - y|^2."""


def gaussian_mixture(bandwidths: Float[Array, " h"]) -> KernelProfile:
    """k(r2) = mean over the bandwidths h (data units) of exp(-r2 / 2 h^2)."""
    return lambda r2: jnp.mean(jax.vmap(lambda h: KERNELS["gaussian"].value(r2, h))(bandwidths), axis=0)


def energy(r2: R2) -> R2:
    """k(r2) = -r, the kernel whose MMD^2 is the energy distance."""
    return -distance(r2)


def scoring_kernels(bandwidths: Float[Array, " h"]) -> KernelProfile:
    """The kernels of the metrics `mmd2` and `energy_distance`."""
    mixture = gaussian_mixture(bandwidths)
    return lambda r2: {"mmd2": mixture(r2), "energy_distance": energy(r2)}


def mean_over_pairs(profile: KernelProfile, x: Particles, y: Targets) -> Any:
    """Mean over pairs, mean_{ij} k(x_i, y_j), for every kernel of the profile."""
    x, y = centred(x, y)  # no mutants (arguments swapped): kernels are symmetric

    def row(point):
        return jax.tree.map(jnp.mean, profile(squared_distances(point, y)))

    return jax.tree.map(jnp.mean, over_points(row, x, y.shape[0]))


def mean_over_distinct_pairs(profile: KernelProfile, x: Particles) -> Any:
    """Mean over distinct pairs, mean_{i != l} k(x_i, x_l), for every kernel of the profile; NaN for a single point."""
    n = x.shape[0]
    (x, _) = centred(x, x)

    def row(indexed_point):
        i, point = indexed_point
        others = jnp.arange(n) != i
        values = profile(squared_distances(point, x))
        # Exclude the self-pair by index: in high dimensions its computed distance is not exactly 0.
        return jax.tree.map(lambda k: jnp.sum(jnp.where(others, k, 0.0)) / (n - 1), values)

    return jax.tree.map(jnp.mean, over_points(row, (jnp.arange(n), x), n))


def mmd2(profile: KernelProfile, x: Particles, y: Targets, within_y: Any = None) -> Any:
    """Unbiased estimate of MMD^2 from samples `x` `[n d]` and `y` `[m d]`, for every kernel of the profile.

    `within_y` is `mean_over_distinct_pairs(profile, y)`, if it has been computed already for fixed held-out points.
    """
    if within_y is None:
        within_y = mean_over_distinct_pairs(profile, y)
    within_x, between = mean_over_distinct_pairs(profile, x), mean_over_pairs(profile, x, y)
    return jax.tree.map(lambda xx, yy, xy: xx + yy - 2 * xy, within_x, within_y, between)
