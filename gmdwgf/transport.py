"""Entropic transport between clouds: the only file that talks to ott-jax.

Units. `epsilon` belongs to the cost as written, c = |x - y|^2 / 2 or c = |x - y|; the other conventions are in
`full_cost_epsilon`. The plan is

    pi_ij = a_i b_j exp((f_i + g_j - c_ij) / epsilon),

with the masses a, b outside the potentials, which are in cost units. It minimises <pi, c> + epsilon KL(pi | a b) with
its marginals held to a and b, or, with a `relaxation` rho, plus rho KL(pi 1 | a) + rho KL(pi^T 1 | b).

`potentials` keeps the n x m cost, because ott-jax's own streamed mode does not run on present versions of jax; all else
here goes through in tiles.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gmdwgf import newton, pairwise
from gmdwgf.kernels import distance, reciprocal_distance
from gmdwgf.typing import Array, Float, Particles, Point, Scalar, Targets, Weights


class Cost(NamedTuple):
    """A ground cost by its profile functions of r2 = |x - y|^2."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    """s with grad_x c(x, y) = s (x - y), 0 at coincident points where there is no gradient."""


COSTS: dict[str, Cost] = {
    "half_squared": Cost(value=lambda r2: r2 / 2, slope=jnp.ones_like),
    "euclidean": Cost(value=distance, slope=reciprocal_distance),
}
"""|x - y|^2 / 2 and |x - y|."""


SOLVERS = ("newton", "ott")


class Potentials(NamedTuple):
    """Dual potentials `f` `[n]`, `g` `[m]` in cost units, and how well they solve the problem."""

    f: Float[Array, " n"]
    g: Float[Array, " m"]
    n_iters: Array
    marginal_error: Scalar
    """L1 distance between the plan's marginal and the wanted one (with a relaxation: summed over both marginals)."""
    converged: Array


def full_cost_epsilon(epsilon: Scalar | float) -> Scalar | float:
    """The epsilon of the same problem under the full squared cost |x - y|^2: twice ours, for the half cost.

    | convention | Gibbs kernel | in terms of our epsilon |
    |---|---|---|
    | half cost (here, everywhere) | exp(-r^2 / 2 epsilon) | epsilon |
    | full cost (ott-jax, arXiv:2603.12366) | exp(-r^2 / epsilon') | epsilon' = 2 epsilon |
    | Gaussian kernel of standard deviation sigma | exp(-r^2 / 2 sigma^2) | sigma^2 = epsilon |
    | "temperature" of a squared distance | exp(-r^2 / tau) | tau = 2 epsilon = 2 sigma^2 |
    | cost r = |x - y| (not squared) | exp(-r / epsilon) | epsilon, nothing to convert |

    Potentials, values, gradients and the relaxation rho of the full cost are twice those of the half cost. What ott-jax
    calls tau_a = tau_b is rho / (rho + epsilon), the same in both; 1 is balanced.
    """
    return 2 * epsilon


def softmin(
    point: Point,
    y: Targets,
    g: Float[Array, " m"],
    log_b: Float[Array, " m"],
    epsilon: Scalar,
    cost: str = "half_squared",
) -> Scalar:
    """-epsilon log sum_j b_j exp((g_j - c(point, y_j)) / epsilon): the potential that makes this row exact."""
    c = COSTS[cost].value(pairwise.squared_distances(point, y))
    return -epsilon * pairwise.log_sum_exp(log_b + (g - c) / epsilon)


def barycentric_map(
    at: Particles, y: Targets, g: Float[Array, " m"], log_b: Float[Array, " m"], epsilon: Scalar
) -> Particles:
    """T(x) = sum_j pi(j | x) y_j of the plan with potential `g` and a last row update, at any points `at`."""

    def mean_target(point):
        cost = pairwise.squared_distances(point, y) / 2
        return pairwise.softmax_weights(log_b + (g - cost) / epsilon) @ y

    return pairwise.over_points(mean_target, at, y.shape[0])


def pull(
    at: Particles,
    y: Targets,
    g: Float[Array, " m"],
    log_b: Float[Array, " m"],
    epsilon: Scalar,
    cost: str = "half_squared",
    relaxation: Scalar | None = None,
) -> Particles:
    """-(1 / a) sum_j pi(x, j) grad_x c(x, y_j) at `at`, of the plan with potential `g` and a last row update.

    For the half squared cost it is T(x) - x, for |x - y| the mean unit vector towards the targets. A relaxed plan gives
    a row the mass a exp(-f / rho) instead of a.
    """

    def one(point):
        r2 = pairwise.squared_distances(point, y)
        logits = log_b + (g - COSTS[cost].value(r2)) / epsilon
        weights = pairwise.softmax_weights(logits) * COSTS[cost].slope(r2)
        if relaxation is not None:
            weights = weights * jnp.exp(pairwise.log_sum_exp(logits) * epsilon / (relaxation + epsilon))
        return pairwise.weighted_differences(weights, point, y)

    return pairwise.over_points(one, at, y.shape[0])


def potentials(
    x: Particles,
    y: Targets,
    epsilon: Scalar,
    *,
    threshold: Scalar,
    max_iters: int,
    x_weights: Weights | None = None,
    y_weights: Weights | None = None,
    cost: str = "half_squared",
    relaxation: Scalar | None = None,
    solver: str = "ott",
) -> Potentials:
    """Potentials between two clouds to an L1 marginal error, by one of the `SOLVERS`.

    `ott`: the Sinkhorn iterations of ott-jax, balanced problems with momentum, relaxed ones with its translation-invariant
    updates (Séjourné et al. 2022). `newton`: truncated Newton on the dual (`gmdwgf.newton`); where that does not reach the
    threshold, ott-jax goes on from its potentials. Relaxed problems are always ott-jax's.
    Not differentiable, and need not be: by the envelope theorem the flow takes the plan as given.
    """
    x, y = pairwise.centred(jax.lax.stop_gradient(x), jax.lax.stop_gradient(y))
    log_a, log_b = _finite_log_masses(x_weights, x), _finite_log_masses(y_weights, y)
    cost_xy = jax.vmap(lambda point: COSTS[cost].value(pairwise.squared_distances(point, y)))(x)
    # ott-jax measures entropy, not KL(pi | a b); with the masses inside the cost the two are the same problem.
    shifted = cost_xy - epsilon * (log_a[:, None] + log_b[None, :])
    tau = None if relaxation is None else relaxation / (relaxation + epsilon)
    iterate = functools.partial(_solve, shifted, jnp.exp(log_a), jnp.exp(log_b), epsilon, tau, threshold, max_iters)
    if solver == "ott" or relaxation is not None:
        return iterate(None)
    steps = min(max_iters, newton.MAX_STEPS)
    point, n_steps = newton.newton(-cost_xy / epsilon, log_a, log_b, threshold, steps)
    found = Potentials(
        -epsilon * point.rows, epsilon * (point.G - log_b), n_steps, point.error, point.error <= threshold
    )

    def go_on(found):
        more = iterate((found.f, found.g))
        return more._replace(n_iters=found.n_iters + more.n_iters.astype(found.n_iters.dtype))

    return jax.lax.cond(found.converged, lambda found: found, go_on, found)


def _solve(cost_xy, a, b, epsilon, tau, threshold, max_iters, init) -> Potentials:
    from ott.geometry.geometry import Geometry
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.acceleration import Momentum
    from ott.solvers.linear.sinkhorn import Sinkhorn

    every = min(10, max_iters)
    one: Any = jnp.ones((), cost_xy.dtype)
    late = Momentum(start=2 * every, error_threshold=1.0, value=one, inner_iterations=every)
    solver: Any = Sinkhorn(
        threshold=threshold,
        max_iterations=max_iters - max_iters % every,
        inner_iterations=every,
        momentum=late if tau is None else None,
        recenter_potentials=tau is not None,
    )
    geometry = Geometry(cost_xy, epsilon=epsilon)
    balanced = tau is None
    problem = LinearProblem(geometry, a, b) if balanced else _relaxed_problem()(geometry, a, b, _TracedTau(tau))
    solved = solver(problem) if init is None else solver(problem, init=init)
    checks = jnp.maximum(solved.n_iters // every - 1, 0)
    return Potentials(solved.f, solved.g, solved.n_iters, solved.errors[checks], solved.converged)


def self_potential(
    x: Particles,
    epsilon: Scalar,
    *,
    threshold: Scalar,
    max_iters: int,
    x_weights: Weights | None = None,
    cost: str = "half_squared",
    relaxation: Scalar | None = None,
) -> Potentials:
    """Potential of a cloud with itself by averaged symmetric updates f <- (f + T f) / 2, a handful of which suffice.

    Source: Feydy et al. 2019 (arXiv:1810.08278), section 3.1; relaxed: Séjourné et al. 2019 (arXiv:1910.12958).
    """
    x = jax.lax.stop_gradient(x)
    x = pairwise.centred(x, x)[0]
    log_a = pairwise.log_masses(x_weights, x)
    damping = 1.0 if relaxation is None else relaxation / (relaxation + epsilon)

    def row_update(f):
        return pairwise.over_points(lambda point: softmin(point, x, f, log_a, epsilon, cost), x, x.shape[0])

    def unfinished(carry):
        _, _, error, n_iters = carry
        return (error > threshold) & (n_iters < max_iters)

    def improve(carry):
        f, image, _, n_iters = carry
        f = (f + damping * image) / 2
        image = row_update(f)
        wanted = 0.0 if relaxation is None else jnp.expm1(-f / relaxation)
        error = jnp.sum(jnp.exp(log_a) * jnp.abs(jnp.expm1((f - image) / epsilon) - wanted))
        return f, image, error, n_iters + 1

    zero = jnp.zeros(x.shape[0], x.dtype)
    start = (zero, row_update(zero), jnp.asarray(jnp.inf, x.dtype), jnp.asarray(0))
    f, _, error, n_iters = jax.lax.while_loop(unfinished, improve, start)
    return Potentials(f, f, n_iters, error, error <= threshold)


def entropic_cost(
    x: Particles,
    y: Targets,
    found: Potentials,
    epsilon: Scalar,
    cost: str = "half_squared",
    relaxation: Scalar | None = None,
) -> Scalar:
    """Minimum of the transport problem between two uniform clouds, by the dual value of the potentials found.

    The potentials count as constants, so that its gradient is that of the minimum (envelope theorem).
    """
    f, g = jax.lax.stop_gradient((found.f, found.g))
    log_b = pairwise.log_masses(None, y)

    def row_mass(row):
        point, height = row
        return jnp.exp((height - softmin(point, y, g, log_b, epsilon, cost)) / epsilon)

    def dual(h):
        return jnp.mean(h) if relaxation is None else -relaxation * jnp.mean(jnp.expm1(-h / relaxation))

    mass = jnp.mean(pairwise.over_points(row_mass, (x, f), y.shape[0]))
    return dual(f) + dual(g) - epsilon * (mass - 1)


def _finite_log_masses(weights: Weights | None, cloud: Particles) -> Float[Array, " n"]:
    """Log masses in which a weight of zero is the smallest number instead, so that its potential exists."""
    return jnp.maximum(pairwise.log_masses(weights, cloud), jnp.log(jnp.finfo(cloud.dtype).tiny))


class _TracedTau:
    """A traced tau below 1. In Python ott-jax asks `tau == 1.0` and `tau < 1.0`, and a traced number has no answer."""

    def __init__(self, value):
        self.value = value

    __eq__ = lambda self, other: False
    __lt__ = lambda self, other: True
    __mul__ = lambda self, other: self.value * getattr(other, "value", other)
    __rmul__ = __mul__
    __neg__ = lambda self: -self.value
    __sub__ = lambda self, other: self.value - other
    __rsub__ = lambda self, other: other - self.value


@functools.cache
def _relaxed_problem() -> Any:
    """ott-jax's linear problem with tau_a = tau_b = tau among its traced numbers, not in its structure."""
    from ott.problems.linear.linear_problem import LinearProblem

    @jax.tree_util.register_pytree_node_class
    class RelaxedProblem(LinearProblem):
        def __init__(self, geometry, a, b, tau):
            super().__init__(geometry, a, b, tau_a=tau, tau_b=tau)
            self.tau = tau

        def tree_flatten(self):
            return [self.geom, self._a, self._b, self.tau.value], {}

        @classmethod
        def tree_unflatten(cls, aux_data, children):
            del aux_data
            geometry, a, b, tau = children
            return cls(geometry, a, b, _TracedTau(tau))

    return RelaxedProblem
