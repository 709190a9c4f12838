"""Entropic transport between clouds: the only file that talks to ott-jax.

Units. `epsilon` belongs to the half squared cost c = |x - y|^2 / 2, so it is the square of a length and equals the sigma^2 of
the Gaussian exp(-|x - y|^2 / 2 sigma^2). With the full cost of ott-jax the same problem has epsilon_full = 2 epsilon, and
potentials and value are twice as large. The plan is

    pi_ij = a_i b_j exp((f_i + g_j - c_ij) / epsilon),

with the masses a, b outside the potentials (ott-jax keeps epsilon log a inside f).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gmdwgf import pairwise
from gmdwgf.typing import Array, Float, Particles, Scalar, Targets, Weights


class Potentials(NamedTuple):
    """Dual potentials `f` `[n]`, `g` `[m]` in cost units, and how well they solve the problem."""

    f: Float[Array, " n"]
    g: Float[Array, " m"]
    n_iters: Array
    marginal_error: Scalar
    """L1 distance between the plan's marginal and the wanted one."""
    converged: Array


def full_cost_epsilon(epsilon: Scalar) -> Scalar:
    """The epsilon of the same problem under the full squared cost: epsilon (half cost) = sigma^2, full = 2 sigma^2."""
    return 2 * epsilon


def softmin(point: Float[Array, " d"], y: Targets, g: Float[Array, " m"], log_b: Float[Array, " m"], epsilon: Scalar) -> Scalar:
    """-epsilon log sum_j b_j exp((g_j - c(point, y_j)) / epsilon): the potential at `point` that makes its row exact."""
    cost = pairwise.squared_distances(point, y) / 2
    return -epsilon * pairwise.log_sum_exp(log_b + (g - cost) / epsilon)


def barycentric_map(
    at: Particles, y: Targets, g: Float[Array, " m"], log_b: Float[Array, " m"], epsilon: Scalar
) -> Particles:
    """T(x) = sum_j pi(j | x) y_j of the plan with potential `g`, rows made exact by a last row update; any points `at`."""

    def mean_target(point):
        cost = pairwise.squared_distances(point, y) / 2
        return pairwise.softmax_weights(log_b + (g - cost) / epsilon) @ y

    return pairwise.over_points(mean_target, at, y.shape[0])


def potentials(
    x: Particles,
    y: Targets,
    epsilon: Scalar,
    *,
    threshold: Scalar,
    max_iters: int,
    x_weights: Weights | None = None,
    y_weights: Weights | None = None,
) -> Potentials:
    """Potentials between two clouds by the Sinkhorn solver of ott-jax, with momentum, to an L1 marginal error.

    Not differentiable, and need not be: by the envelope theorem the flow takes the plan as given.
    """
    from ott.geometry.pointcloud import PointCloud
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.acceleration import Momentum
    from ott.solvers.linear.sinkhorn import Sinkhorn

    x, y = pairwise.centred(jax.lax.stop_gradient(x), jax.lax.stop_gradient(y))
    log_a, log_b = pairwise.log_masses(x_weights, x), pairwise.log_masses(y_weights, y)
    check_every = min(10, max_iters)
    problem = LinearProblem(PointCloud(x, y, epsilon=full_cost_epsilon(epsilon)), a=jnp.exp(log_a), b=jnp.exp(log_b))
    solver = Sinkhorn(
        threshold=threshold,
        max_iterations=max_iters - max_iters % check_every,
        inner_iterations=check_every,
        momentum=Momentum(
            start=2 * check_every, error_threshold=1.0, value=jnp.ones((), x.dtype), inner_iterations=check_every
        ),
    )
    solved = solver(problem)
    checks = jnp.maximum(solved.n_iters // check_every - 1, 0)
    return Potentials(
        f=solved.f / 2 - epsilon * log_a,
        g=solved.g / 2 - epsilon * log_b,
        n_iters=solved.n_iters,
        marginal_error=solved.errors[checks],
        converged=solved.converged,
    )


def self_potential(
    x: Particles, epsilon: Scalar, *, threshold: Scalar, max_iters: int, x_weights: Weights | None = None
) -> Potentials:
    """Potential of a cloud with itself by averaged symmetric updates f <- (f + T f) / 2, a handful of which suffice.

    Source: Feydy et al. 2019 (arXiv:1810.08278), section 3.1.
    """
    (x,) = pairwise.centred(jax.lax.stop_gradient(x), x)[:1]
    log_a = pairwise.log_masses(x_weights, x)

    def updated(f):
        return pairwise.over_points(lambda point: softmin(point, x, f, log_a, epsilon), x, x.shape[0])

    def unfinished(carry):
        _, _, error, n_iters = carry
        return (error > threshold) & (n_iters < max_iters)

    def improve(carry):
        f, image, _, n_iters = carry
        f = (f + image) / 2
        image = updated(f)
        error = jnp.sum(jnp.exp(log_a) * jnp.abs(jnp.expm1((f - image) / epsilon)))
        return f, image, error, n_iters + 1

    zero = jnp.zeros(x.shape[0], x.dtype)
    start = (zero, updated(zero), jnp.asarray(jnp.inf, x.dtype), jnp.asarray(0))
    f, _, error, n_iters = jax.lax.while_loop(unfinished, improve, start)
    return Potentials(f, f, n_iters, error, error <= threshold)
