"""Asymmetry and curl of a drift, by central differences in double precision; they vanish for gradient flows."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gmdwgf.typing import Array, Float, Particles, Scalar

ROUNDING = 1e-10
"""Upper bound of rounding errors in a Jacobian that is zero."""


def jacobian(field: Callable[[Particles], Particles], x: Particles, step: float = 1e-5) -> Float[Array, "nd nd"]:
    """Jacobian of a map of clouds `[n d] -> [n d]`, flattened; works through solvers that stop gradients."""
    flat = x.ravel()

    def column(index):
        shift = jnp.zeros_like(flat).at[index].set(step)
        ahead, behind = (field((flat + sign * shift).reshape(x.shape)) for sign in (1.0, -1.0))
        return (ahead - behind).ravel() / (2 * step)

    return jax.lax.map(column, jnp.arange(flat.size)).T


def asymmetry(velocity: Callable[[Particles], Particles], x: Particles) -> float:
    """|J - J^T| / |J + J^T| of the particle Jacobian J = d v / d x, which is 0 if and only if v is a Wasserstein gradient flow.

    `velocity` is the map from the cloud `x` `[n d]` to its velocities, including self-interaction.
    """
    return float(_asymmetry(jacobian(velocity, x)))


def spatial_curl(field: Callable[[Particles], Particles], at: Particles) -> float:
    """|J - J^T| / |J + J^T| of the field at fixed clouds, maximum over the points `at`; 0 for a gradient field."""

    def one(point):
        return _asymmetry(jacobian(field, point[None, :]))

    return float(jnp.max(jax.lax.map(one, at)))


def _asymmetry(matrix: Float[Array, "k k"]) -> Scalar:
    """|J - J^T| / |J + J^T|; 0 if J is only rounding errors, as for a piecewise constant field."""
    symmetric, skew = jnp.linalg.norm(matrix + matrix.T), jnp.linalg.norm(matrix - matrix.T)
    return jnp.where(jnp.max(jnp.abs(matrix)) > ROUNDING, skew / symmetric, 0.0)
