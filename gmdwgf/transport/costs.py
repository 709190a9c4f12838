"""Ground costs of transport, and conversion of epsilon between conventions."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from gmdwgf.manifolds import AbstractManifold
from gmdwgf.pairs import reductions
from gmdwgf.pairs.kernels import distance, reciprocal_distance
from gmdwgf.typing import Array, Float, Particles, Point, Scalar, Targets


class Cost(NamedTuple):
    """A ground cost, defined by functions of r2 = |x - y|^2."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    """s with grad_x c(x, y) = s (x - y); 0 at coincident points where there is no gradient."""


COSTS: dict[str, Cost] = {
    "half_squared": Cost(value=lambda r2: r2 / 2, slope=jnp.ones_like),
    "euclidean": Cost(value=distance, slope=reciprocal_distance),
}
"""|x - y|^2 / 2 and |x - y|."""

GroundCost = str | AbstractManifold
"""A name of `COSTS`, or a manifold for half the squared geodesic distance."""


def cost_row(cost: GroundCost, point: Point, y: Targets) -> Float[Array, " m"]:
    """Costs c(point, y_j) for all j."""
    if isinstance(cost, AbstractManifold):
        return cost.distance(point, y) ** 2 / 2
    return COSTS[cost].value(reductions.squared_distances(point, y))


def cut_pairs(manifold: AbstractManifold, x: Particles, y: Targets) -> Scalar:
    """Share of pairs whose points are cut points of each other, for which log is 0."""
    row = lambda point: jnp.mean(manifold.is_cut(point, y).astype(x.dtype))
    return jnp.mean(reductions.over_points(row, x, y.shape[0]))


def centred(cost: GroundCost, *clouds: Array) -> tuple[Array, ...]:
    """Apply `reductions.centred` to clouds `x`, `y`, ... if the cost is invariant to translations."""
    return clouds if isinstance(cost, AbstractManifold) else reductions.centred(*clouds)


def full_cost_epsilon(epsilon: Scalar | float) -> Scalar | float:
    """Epsilon of the same problem with the full squared cost |x - y|^2, which is twice that for the half squared cost.

    | convention | Gibbs kernel | in terms of our epsilon |
    |---|---|---|
    | half cost (here, everywhere) | exp(-r^2 / 2 epsilon) | epsilon |
    | full cost (ott-jax, arXiv:2603.12366) | exp(-r^2 / epsilon') | epsilon' = 2 epsilon |
    | Gaussian kernel of standard deviation sigma | exp(-r^2 / 2 sigma^2) | sigma^2 = epsilon |
    | "temperature" of a squared distance | exp(-r^2 / tau) | tau = 2 epsilon = 2 sigma^2 |
    | cost r = |x - y| (not squared) | exp(-r / epsilon) | epsilon (no conversion) |

    Potentials, values, gradients and the relaxation rho of the full cost are twice those of the half cost. The tau_a = tau_b of
    ott-jax is rho / (rho + epsilon), the same for both; 1 is balanced.
    """
    return 2 * epsilon
