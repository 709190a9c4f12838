"""Quantities computed from potentials in tiles: row updates, barycentric maps, attractions, and the entropic cost."""

import jax
import jax.numpy as jnp

from gmdwgf.manifolds import AbstractManifold
from gmdwgf.pairs import reductions
from gmdwgf.transport.costs import COSTS, GroundCost, cost_row
from gmdwgf.transport.problem import Potentials
from gmdwgf.typing import Array, Float, Particles, Point, Scalar, Targets


def softmin(
    point: Point,
    y: Targets,
    g: Float[Array, " m"],
    log_b: Float[Array, " m"],
    epsilon: Scalar,
    cost: GroundCost = "half_squared",
) -> Scalar:
    """-epsilon log sum_j b_j exp((g_j - c(point, y_j)) / epsilon): the row update of Sinkhorn's algorithm at one point."""
    return -epsilon * reductions.log_sum_exp(log_b + (g - cost_row(cost, point, y)) / epsilon)


def barycentric_map(
    at: Particles, y: Targets, g: Float[Array, " m"], log_b: Float[Array, " m"], epsilon: Scalar
) -> Particles:
    """T(x) = sum_j pi(j | x) y_j at the points `at`, for the plan with potential `g` and a final row update."""

    def mean_target(point):
        cost = reductions.squared_distances(point, y) / 2
        return reductions.softmax(log_b + (g - cost) / epsilon).mean(y)

    return reductions.over_points(mean_target, at, y.shape[0])


def pull(
    at: Particles,
    y: Targets,
    g: Float[Array, " m"],
    log_b: Float[Array, " m"],
    epsilon: Scalar,
    cost: GroundCost = "half_squared",
    relaxation: Scalar | None = None,
) -> Particles:
    """-(1 / a) sum_j pi(x, j) grad_x c(x, y_j) at `at`, for the plan with potential `g` and a final row update.

    For the half squared cost this is T(x) - x, for |x - y| the mean unit vector towards the targets, for a geodesic cost the mean of
    log_x(y). In an unbalanced plan a row has mass a exp(-f / rho) instead of a.
    """

    def one(point):
        logits = log_b + (g - cost_row(cost, point, y)) / epsilon
        weights = reductions.softmax_weights(logits)
        if not isinstance(cost, AbstractManifold):
            weights = weights * COSTS[cost].slope(reductions.squared_distances(point, y))
        if relaxation is not None:
            weights = weights * jnp.exp(reductions.log_sum_exp(logits) * epsilon / (relaxation + epsilon))
        if isinstance(cost, AbstractManifold):
            return reductions.combination(weights, cost.log(point, y))
        return reductions.weighted_differences(weights, point, y)

    return reductions.over_points(one, at, y.shape[0])


def entropic_cost(
    x: Particles,
    y: Targets,
    found: Potentials,
    epsilon: Scalar,
    cost: GroundCost = "half_squared",
    relaxation: Scalar | None = None,
) -> Scalar:
    """Minimum of the transport problem between two uniform clouds, as the dual value of the computed potentials.

    The potentials are treated as constants, which gives the gradient of the minimum (envelope theorem).
    """
    f, g = jax.lax.stop_gradient((found.f, found.g))
    log_b = reductions.log_masses(None, y)

    def row_mass(row):
        point, height = row
        return jnp.exp((height - softmin(point, y, g, log_b, epsilon, cost)) / epsilon)

    def dual(h):
        return jnp.mean(h) if relaxation is None else -relaxation * jnp.mean(jnp.expm1(-h / relaxation))

    mass = jnp.mean(reductions.over_points(row_mass, (x, f), y.shape[0]))
    return dual(f) + dual(g) - epsilon * (mass - 1)
