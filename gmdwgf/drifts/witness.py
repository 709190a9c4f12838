"""Witness functions h = sum_l a_l k(., x_l) - sum_j c_j k(., y_j) of two clouds, and the Gram matrices to solve for c."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from gmdwgf.pairs import reductions
from gmdwgf.pairs.kernels import Profile
from gmdwgf.typing import Array, Float, Particles, Scalar, Targets


class Gram(NamedTuple):
    """Inner products between the kernels at the targets and the kernel mean mu_q of the particles."""

    yy: Float[Array, "m m"]
    """k(y_i, y_j), stored as a dense matrix because linear systems in it are solved."""
    yx: Float[Array, " m"]
    """mu_q(y_j)."""
    xx: Scalar
    """|mu_q|^2."""

    def squared_norm(self, coefficients: Float[Array, " m"]) -> Scalar:
        """|mu_q - sum_j c_j k(., y_j)|^2."""
        return self.xx + coefficients @ (self.times_yy(coefficients) - 2 * self.yx)

    def times_yy(self, coefficients: Float[Array, " m"]) -> Float[Array, " m"]:
        """sum_j k(y_i, y_j) c_j."""
        return self.yy @ coefficients


def gram(kernel: Profile, x: Particles, a: Float[Array, " n"], y: Targets) -> Gram:
    """Compute the inner products for the targets `y` and the particles `x` with masses `a`."""
    n, m = x.shape[0], y.shape[0]
    to_x = lambda point: jnp.sum(a * kernel.value(reductions.squared_distances(point, x)))
    to_y = lambda point: kernel.value(reductions.squared_distances(point, y))
    over = reductions.over_points
    return Gram(yy=over(to_y, y, m), yx=over(to_x, y, n), xx=jnp.sum(a * over(to_x, x, n)))


def descent(
    kernel: Profile,
    queries: Float[Array, "k d"],
    x: Particles,
    a: Float[Array, " n"] | Callable[[Array], Float[Array, " n"]],
    y: Targets,
    c: Float[Array, " m"],
) -> Float[Array, "k d"]:
    """-grad h at the `queries`: sum_j c_j grad k(., y_j) - sum_l a_l grad k(., x_l); `a` may depend on the row of the query."""

    def slope(row):
        index, point = row
        to_y, to_x = (kernel.gradient_weight(reductions.squared_distances(point, cloud)) for cloud in (y, x))
        masses = a(index) if callable(a) else a
        pull = reductions.weighted_differences(c * to_y, point, y)
        return pull - reductions.weighted_differences(masses * to_x, point, x)

    return reductions.over_points(slope, (jnp.arange(queries.shape[0]), queries), x.shape[0] + y.shape[0])
