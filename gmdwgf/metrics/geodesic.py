"""Distances between clouds on a manifold, from the geodesic distances of their points.

`geodesic_energy` 2E g(x, y) - E g(x, x') - E g(y, y') is unbiased, like the energy distance. It is not a metric on every manifold:
on the sphere g has odd harmonics only (arccos t - pi/2 is odd), so it does not see differences that are symmetric under x -> -x
(Lyons 2013); the energy distance of the embedded points does. `geodesic_w2` sees all differences.
"""

import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.manifolds import AbstractManifold
from gmdwgf.metrics.wasserstein import w2_of_costs
from gmdwgf.pairs.reductions import over_points
from gmdwgf.typing import Particles, Scalar, Targets


def within(manifold: AbstractManifold, x: Particles) -> Scalar:
    """Mean geodesic distance of two distinct points; NaN for a single point."""
    n = x.shape[0]
    row = lambda point: jnp.sum(manifold.distance(point, x))  # that to itself is 0
    return jnp.sum(over_points(row, x, n)) / (n * (n - 1))


def geodesic_energy(manifold: AbstractManifold, x: Particles, y: Targets, within_y: Scalar) -> Scalar:
    """Unbiased geodesic energy distance; `within_y` is `within(manifold, y)`."""
    between = jnp.mean(over_points(lambda point: jnp.mean(manifold.distance(point, y)), x, y.shape[0]))
    return 2 * between - within(manifold, x) - within_y


def geodesic_w2(manifold: AbstractManifold, x: Particles, y: Targets) -> float:
    """Wasserstein-2 distance of two clouds of equal weights for the geodesic distance, exact."""
    return w2_of_costs(np.asarray(_squared_distances(manifold, x, y), np.float64))


@jax.jit
def _squared_distances(manifold, x, y):
    return jax.vmap(lambda point: manifold.distance(point, y) ** 2)(x)
