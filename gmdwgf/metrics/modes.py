"""Mode coverage and mode masses, for targets with known modes.

A sample is assigned to the nearest mode, and is *on* it if it lies within the mode's radius (three standard deviations).
A mode is covered if the share of samples on it is at least a quarter of its mass under the target. The measured mass of a mode is
the share of all samples assigned to it.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from gmdwgf.manifolds import EUCLIDEAN, AbstractManifold, Euclidean
from gmdwgf.pairs.reductions import centred, over_points, squared_distances
from gmdwgf.typing import Particles

_COVERED = 0.25
"""Fraction of its target mass above which a mode counts as covered."""


class Modes(NamedTuple):
    """Centres `[k d]`, masses `[k]` under the target, which sum to one, and the radius (data units) of a mode."""

    centres: Float[Array, "k d"]
    masses: Float[Array, " k"]
    radius: Float[Array, ""] | float


def mode_counts(
    x: Particles, modes: Modes, manifold: AbstractManifold = EUCLIDEAN
) -> tuple[Int[Array, " k"], Int[Array, " k"]]:
    """Number of samples assigned to each mode, and number of samples on it, by geodesic distances on a manifold."""
    k, is_flat = modes.centres.shape[0], isinstance(manifold, Euclidean)
    x, centres = centred(x, modes.centres) if is_flat else (x, modes.centres)

    def membership(point):
        r2 = squared_distances(point, centres) if is_flat else manifold.distance(point, centres) ** 2
        belongs = jnp.arange(k) == jnp.argmin(r2)
        return belongs, belongs & (r2 <= modes.radius**2)

    belongs, is_on = over_points(membership, x, k)
    return jnp.sum(belongs, axis=0), jnp.sum(is_on, axis=0)


def mode_metrics(x: Particles, modes: Modes, manifold: AbstractManifold = EUCLIDEAN) -> dict[str, Array]:
    """`near` (share of samples on a mode), `covered`, `n_modes`, and the smallest and largest ratio of mass to target mass."""
    n = x.shape[0]
    belonging, is_on = mode_counts(x, modes, manifold)
    ratio = belonging / n / modes.masses
    return {
        "near": jnp.sum(is_on) / n,
        "covered": jnp.sum(is_on / n >= _COVERED * modes.masses),
        "n_modes": jnp.asarray(modes.masses.shape[0]),
        "mass_min": jnp.min(ratio),
        "mass_max": jnp.max(ratio),
    }
