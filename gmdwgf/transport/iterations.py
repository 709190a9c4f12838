"""Potentials by Sinkhorn iterations in tiles, and of a cloud with itself by averaged symmetric iterations."""

import jax
import jax.numpy as jnp

from gmdwgf.pairs import reductions
from gmdwgf.transport.costs import GroundCost, centred
from gmdwgf.transport.maps import softmin
from gmdwgf.transport.problem import (
    Potentials,
    TransportProblem,
    check_arguments,
    damping_of,
    finite_log_masses,
    judged,
    marginal_error,
)
from gmdwgf.typing import Particles, Scalar, Weights


def solve_by_iterations(problem: TransportProblem, threshold: Scalar, max_iters: int, init=None) -> Potentials:
    """Solve by Sinkhorn iterations in tiles; the row marginal is exact, and the error is that of the column marginal."""
    x, y, log_a, log_b, epsilon, cost, relaxation = problem

    def rows(g):
        update = lambda point: softmin(point, y, g, log_b, epsilon, cost)
        return problem.damping * reductions.over_points(update, x, y.shape[0])

    def columns(f):
        return reductions.over_points(lambda point: softmin(point, x, f, log_a, epsilon, cost), y, x.shape[0])

    def at(g, n_iters):
        f = rows(g)
        update = columns(f)
        return f, g, update, marginal_error(g, update, jnp.exp(log_b), epsilon, relaxation), n_iters

    start = at(jnp.zeros_like(log_b) if init is None else init[1], jnp.asarray(0))
    unfinished = lambda carry: (carry[3] > threshold) & (carry[4] < max_iters)
    improve = lambda carry: at(problem.damping * carry[2], carry[4] + 1)
    f, g, _, error, n_iters = jax.lax.while_loop(unfinished, improve, start)
    return Potentials(f, g, n_iters, error, error <= threshold)


@reductions.full_precision
def self_potential(
    x: Particles,
    epsilon: Scalar,
    *,
    threshold: Scalar,
    max_iters: int,
    x_weights: Weights | None = None,
    cost: GroundCost = "half_squared",
    relaxation: Scalar | None = None,
    solver: str = "ott",
) -> Potentials:
    """Potential of a cloud with itself by averaged symmetric updates f <- (f + T f) / 2, which converge in a few iterations.

    `streamed` recomputes the kernel in tiles for every update; the other `SOLVERS` store it. As |f| / epsilon is at most half of
    |log a|, exp(f / epsilon) and exp(-c / epsilon) can be computed separately, and an update is a matrix product.
    Raises ValueError for the same arguments as `potentials`.
    Source: Feydy et al. 2019 (arXiv:1810.08278), section 3.1; unbalanced: Séjourné et al. 2019 (arXiv:1910.12958).
    """
    check_arguments(solver, cost, epsilon, relaxation)
    x = jax.lax.stop_gradient(x)
    x = centred(cost, x, x)[0]
    log_a = finite_log_masses(x_weights, x)
    a, damping = jnp.exp(log_a), damping_of(relaxation, epsilon)
    problem = TransportProblem(x, x, log_a, log_a, epsilon, cost, relaxation)

    if solver == "streamed":

        def row_update(f):
            return reductions.over_points(lambda point: softmin(point, x, f, log_a, epsilon, cost), x, x.shape[0])
    else:
        kernel = jnp.exp(problem.log_affinities())
        row_update = lambda f: -epsilon * jnp.log(kernel @ (a * jnp.exp(f / epsilon)))

    def unfinished(carry):
        _, _, error, n_iters = carry
        return (error > threshold) & (n_iters < max_iters)

    def improve(carry):
        f, image, _, n_iters = carry
        f = (f + damping * image) / 2
        image = row_update(f)
        return f, image, marginal_error(f, image, a, epsilon, relaxation), n_iters + 1

    zero = jnp.zeros(x.shape[0], x.dtype)
    start = (zero, row_update(zero), jnp.asarray(jnp.inf, x.dtype), jnp.asarray(0))
    f, _, error, n_iters = jax.lax.while_loop(unfinished, improve, start)
    return judged(Potentials(f, f, n_iters, error, error <= threshold), epsilon, threshold)
