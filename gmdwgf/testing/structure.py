"""Two numbers that tell what kind of field a drift is, by central differences in double precision."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gmdwgf.typing import Array, Float, Particles, Scalar

ROUNDING = 1e-10
"""Largest entry that rounding leaves in a Jacobian of zeros."""


def jacobian(field: Callable[[Particles], Particles], x: Particles, step: float = 1e-5) -> Float[Array, "nd nd"]:
    """Jacobian of a map of clouds `[n d] -> [n d]`, flattened; works through solvers that stop gradients."""
    flat = x.ravel()

    def column(index):
        shift = jnp.zeros_like(flat).at[index].set(step)
        ahead, behind = (field((flat + sign * shift).reshape(x.shape)) for sign in (1.0, -1.0))
        return (ahead - behind).ravel() / (2 * step)

    return jax.lax.map(column, jnp.arange(flat.size)).T


def asymmetry(velocity: Callable[[Particles], Particles], x: Particles) -> float:
    """|J - J^T| / |J + J^T| of the particle Jacobian J = d v / d x (zoo claim 13): 0 exactly for Wasserstein gradient flows.

    `velocity` is the map from the whole cloud `x` `[n d]` to its velocities, self-interaction included.
    """
    return float(_asymmetry(jacobian(velocity, x)))


def spatial_curl(field: Callable[[Particles], Particles], at: Particles) -> float:
    """The same ratio for the field at fixed clouds (zoo claim 14), worst over the points `at`: 0 for a gradient field."""

    def one(point):
        return _asymmetry(jacobian(field, point[None, :]))

    return float(jnp.max(jax.lax.map(one, at)))


def _asymmetry(matrix: Float[Array, "k k"]) -> Scalar:
    """|J - J^T| / |J + J^T|, and 0 where J is nothing but rounding: the Jacobian of a field that is constant in pieces."""
    symmetric, skew = jnp.linalg.norm(matrix + matrix.T), jnp.linalg.norm(matrix - matrix.T)
    return jnp.where(jnp.max(jnp.abs(matrix)) > ROUNDING, skew / symmetric, 0.0)
