"""Entropic transport between clouds: the only file that talks to ott-jax.

Units. `epsilon` belongs to the cost as written, c = |x - y|^2 / 2 or c = |x - y|; the other conventions are in
`full_cost_epsilon`. The plan is

    pi_ij = a_i b_j exp((f_i + g_j - c_ij) / epsilon),

with the masses a, b outside the potentials, which are in cost units. It minimises <pi, c> + epsilon KL(pi | a b) with
its marginals held to a and b, or, with a `relaxation` rho, plus rho KL(pi 1 | a) + rho KL(pi^T 1 | b).

`potentials` and `self_potential` keep n x m arrays unless the solver is `streamed` (ott-jax's own streamed mode does not run
on present versions of jax); all else here goes through in tiles.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gmdwgf import newton, pairwise
from gmdwgf.kernels import distance, reciprocal_distance
from gmdwgf.plans import KeptPlans, Masses, Plans, TiledPlans
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


SOLVERS = ("newton", "ott", "streamed")


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
    threshold, ott-jax goes on from its potentials. `streamed`: the same with plans made in tiles, and after it plain
    iterations in tiles; nothing n x m is kept. Relaxed problems are ott-jax's, or plain iterations if streamed.
    `n_iters` counts Newton steps and the Sinkhorn iterations after them.
    Not differentiable, and need not be: by the envelope theorem the flow takes the plan as given.

    Single precision: logits are off by about 6e-8 times the largest potential over epsilon, and the marginals as much;
    what is reported is the error of the plan as computed. Thresholds below 1e-5, or an epsilon below 1e-4 of the largest
    cost, ask for double precision.
    """
    x, y = pairwise.centred(jax.lax.stop_gradient(x), jax.lax.stop_gradient(y))
    log_a, log_b = _finite_log_masses(x_weights, x), _finite_log_masses(y_weights, y)
    # Between shifted clouds the half squared cost differs by a sum of functions of x and of y, which exact marginals do
    # not see: it is solved where it is small.
    movable = cost == "half_squared" and relaxation is None
    shift = jnp.exp(log_a) @ x if movable else jnp.zeros_like(x[0])
    problem = _Problem(x - shift, y, log_a, log_b, epsilon, cost, relaxation)
    found = _SOLVERS[solver](problem, threshold, max_iters)
    return found._replace(f=found.f + (x - shift / 2) @ shift, g=found.g - y @ shift)


class _Problem(NamedTuple):
    """Transport between two clouds with log masses; see `potentials`."""

    x: Particles
    y: Targets
    log_a: Float[Array, " n"]
    log_b: Float[Array, " m"]
    epsilon: Scalar
    cost: str
    relaxation: Scalar | None

    @property
    def damping(self) -> Scalar | float:
        """What a relaxation leaves of an update."""
        return _damping(self.relaxation, self.epsilon)

    def log_affinity(self, point: Point, y: Targets) -> Float[Array, " m"]:
        return -COSTS[self.cost].value(pairwise.squared_distances(point, y)) / self.epsilon

    def log_affinities(self) -> Float[Array, "n m"]:
        return jax.vmap(lambda point: self.log_affinity(point, self.y))(self.x)

    @property
    def masses(self) -> Masses:
        return Masses(jnp.exp(self.log_a), jnp.exp(self.log_b))


def _by_ott(problem: _Problem, threshold: Scalar, max_iters: int, init=None) -> Potentials:
    """By ott-jax, from the potentials `init` if there are any."""
    from ott.geometry.geometry import Geometry
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.acceleration import Momentum
    from ott.solvers.linear.sinkhorn import Sinkhorn

    every, balanced = min(10, max_iters), problem.relaxation is None
    limit: Any = threshold
    epsilon: Any = problem.epsilon
    one: Any = jnp.ones((), problem.x.dtype)
    late = Momentum(start=2 * every, error_threshold=1.0, value=one, inner_iterations=every)
    solver: Any = Sinkhorn(
        threshold=limit,
        max_iterations=max_iters - max_iters % every,
        inner_iterations=every,
        momentum=late if balanced else None,
        recenter_potentials=not balanced,
    )
    # ott-jax measures entropy, not KL(pi | a b); with the masses inside the cost the two are the same problem.
    log_kernel = problem.log_affinities() + problem.log_a[:, None] + problem.log_b
    geometry = Geometry(-epsilon * log_kernel, epsilon=epsilon)
    a, b = problem.masses
    tau = problem.damping
    linear = LinearProblem(geometry, a, b) if balanced else _relaxed_problem()(geometry, a, b, _TracedTau(tau))
    solved = solver(linear) if init is None else solver(linear, init=init)
    checks = jnp.maximum(solved.n_iters // every - 1, 0)
    return Potentials(solved.f, solved.g, solved.n_iters, solved.errors[checks], solved.converged)


def _by_newton(problem: _Problem, threshold: Scalar, max_iters: int) -> Potentials:
    """By Newton on plans that are kept, and by ott-jax where that fails."""
    if problem.relaxation is not None:
        return _by_ott(problem, threshold, max_iters)
    plans = KeptPlans(problem.log_affinities(), problem.masses)
    return _newton_then(_by_ott, plans, problem, threshold, max_iters)


def _streamed(problem: _Problem, threshold: Scalar, max_iters: int) -> Potentials:
    """By Newton on plans made in tiles, and by plain iterations where that fails."""
    if problem.relaxation is not None:
        return _by_iterations(problem, threshold, max_iters)
    plans = TiledPlans(problem.x, problem.y, problem.log_affinity, problem.masses)
    return _newton_then(_by_iterations, plans, problem, threshold, max_iters)


def _newton_then(
    go_on: Callable[..., Potentials], plans: Plans, problem: _Problem, threshold: Scalar, max_iters: int
) -> Potentials:
    point, n_steps = newton.newton(plans, threshold, min(max_iters, newton.MAX_STEPS))
    f, g = problem.epsilon * point.f, problem.epsilon * point.g
    found = Potentials(f, g, n_steps, point.error, point.error <= threshold)

    def unfinished(found):
        more = go_on(problem, threshold, max_iters, (found.f, found.g))
        return more._replace(n_iters=found.n_iters + more.n_iters.astype(found.n_iters.dtype))

    return jax.lax.cond(found.converged, lambda found: found, unfinished, found)


def _by_iterations(problem: _Problem, threshold: Scalar, max_iters: int, init=None) -> Potentials:
    """By Sinkhorn iterations in tiles; the rows are exact, the error is that of the columns."""
    x, y, log_a, log_b, epsilon, cost, relaxation = problem

    def rows(g):
        update = lambda point: softmin(point, y, g, log_b, epsilon, cost)
        return problem.damping * pairwise.over_points(update, x, y.shape[0])

    def columns(f):
        return pairwise.over_points(lambda point: softmin(point, x, f, log_a, epsilon, cost), y, x.shape[0])

    def at(g, n_iters):
        f = rows(g)
        update = columns(f)
        return f, g, update, _marginal_error(g, update, jnp.exp(log_b), epsilon, relaxation), n_iters

    start = at(jnp.zeros_like(log_b) if init is None else init[1], jnp.asarray(0))
    unfinished = lambda carry: (carry[3] > threshold) & (carry[4] < max_iters)
    improve = lambda carry: at(problem.damping * carry[2], carry[4] + 1)
    f, g, _, error, n_iters = jax.lax.while_loop(unfinished, improve, start)
    return Potentials(f, g, n_iters, error, error <= threshold)


def _damping(relaxation: Scalar | None, epsilon: Scalar) -> Scalar | float:
    return 1.0 if relaxation is None else relaxation / (relaxation + epsilon)


def _marginal_error(
    g: Float[Array, " m"], update: Float[Array, " m"], b: Float[Array, " m"], epsilon: Scalar, relaxation: Scalar | None
) -> Scalar:
    """L1 distance of a marginal from the wanted one, where `update` is the potential that makes it b."""
    wanted = 0.0 if relaxation is None else jnp.expm1(-g / relaxation)
    return jnp.sum(b * jnp.abs(jnp.expm1((g - update) / epsilon) - wanted))


_SOLVERS = {"newton": _by_newton, "ott": _by_ott, "streamed": _streamed}


def self_potential(
    x: Particles,
    epsilon: Scalar,
    *,
    threshold: Scalar,
    max_iters: int,
    x_weights: Weights | None = None,
    cost: str = "half_squared",
    relaxation: Scalar | None = None,
    solver: str = "ott",
) -> Potentials:
    """Potential of a cloud with itself by averaged symmetric updates f <- (f + T f) / 2, a handful of which suffice.

    `streamed` makes the kernel anew in tiles for every update, the other `SOLVERS` keep it: |f| / epsilon is at most half
    of |log a| here, so that exp(f / epsilon) and exp(-c / epsilon) can be had apart, and an update is a matrix product.
    Source: Feydy et al. 2019 (arXiv:1810.08278), section 3.1; relaxed: Séjourné et al. 2019 (arXiv:1910.12958).
    """
    x = jax.lax.stop_gradient(x)
    x = pairwise.centred(x, x)[0]
    log_a = _finite_log_masses(x_weights, x)
    a, damping = jnp.exp(log_a), _damping(relaxation, epsilon)
    problem = _Problem(x, x, log_a, log_a, epsilon, cost, relaxation)

    if solver == "streamed":

        def row_update(f):
            return pairwise.over_points(lambda point: softmin(point, x, f, log_a, epsilon, cost), x, x.shape[0])
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
        return f, image, _marginal_error(f, image, a, epsilon, relaxation), n_iters + 1

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
    """Log masses in which a weight of zero is a number too small to be seen instead, so that its potential exists."""
    return jnp.maximum(pairwise.log_masses(weights, cloud), 2 * jnp.log(jnp.finfo(cloud.dtype).eps))


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
