"""Compute potentials between two clouds with one of several solvers."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gmdwgf.pairs import reductions
from gmdwgf.transport import newton
from gmdwgf.transport.costs import GroundCost, centred
from gmdwgf.transport.iterations import solve_by_iterations
from gmdwgf.transport.ott import solve_ott
from gmdwgf.transport.plans import DensePlan, Plan, StreamedPlan
from gmdwgf.transport.problem import Potentials, TransportProblem, check_arguments, finite_log_masses, judged
from gmdwgf.typing import Particles, Scalar, Targets, Weights


@reductions.full_precision
def potentials(
    x: Particles,
    y: Targets,
    epsilon: Scalar,
    *,
    threshold: Scalar,
    max_iters: int,
    x_weights: Weights | None = None,
    y_weights: Weights | None = None,
    cost: GroundCost = "half_squared",
    relaxation: Scalar | None = None,
    solver: str = "ott",
) -> Potentials:
    """Compute the potentials between two clouds to an L1 marginal error of `threshold`, by one of the `SOLVERS`.

    `ott`: the Sinkhorn iterations of ott-jax, with momentum for balanced problems and translation-invariant updates for unbalanced
    ones (Séjourné et al. 2022). `newton`: truncated Newton on the dual (`gmdwgf.transport.newton`), with one step beyond the
    threshold; if it does not converge, ott-jax continues from its potentials. `streamed`: the same with plans in tiles, followed by
    Sinkhorn iterations in tiles if needed; stores no n x m array. Unbalanced problems use ott-jax, or Sinkhorn iterations if
    `streamed`.
    `n_iters` counts Newton steps and subsequent Sinkhorn iterations.
    Raises ValueError for an unknown solver or cost, and for an epsilon or relaxation that is not positive.
    Not differentiable: by the envelope theorem the gradient flow does not need derivatives of the plan.

    Single precision: logits, and hence marginals, have an error of about 3e-8 times the largest potential over epsilon. The reported
    error is that of the plan as computed; a plan whose rounding error exceeds `threshold` does not count as converged. Use float64
    for thresholds below 1e-5 or an epsilon below 1e-4 of the largest cost.
    """
    check_arguments(solver, cost, epsilon, relaxation)
    x, y = centred(cost, jax.lax.stop_gradient(x), jax.lax.stop_gradient(y))
    log_a, log_b = finite_log_masses(x_weights, x), finite_log_masses(y_weights, y)
    # Translating the clouds changes the half squared cost by a sum of functions of x and of y, which does not change the plan for
    # exact marginals: solve where the cost is small.
    movable = isinstance(cost, str) and cost == "half_squared" and relaxation is None
    shift = jnp.exp(log_a) @ x if movable else jnp.zeros_like(x[0])
    problem = TransportProblem(x - shift, y, log_a, log_b, epsilon, cost, relaxation)
    found = _SOLVERS[solver](problem, threshold, max_iters)
    found = found._replace(f=found.f + (x - shift / 2) @ shift, g=found.g - y @ shift)
    return judged(found, epsilon, threshold)


def _by_newton(problem: TransportProblem, threshold: Scalar, max_iters: int) -> Potentials:
    """Solve by Newton with stored plans, then by ott-jax if it does not converge."""
    if problem.relaxation is not None:
        return solve_ott(problem, threshold, max_iters)
    plans = DensePlan(problem.log_affinities(), problem.masses)
    return _newton_then(solve_ott, plans, problem, threshold, max_iters)


def _streamed(problem: TransportProblem, threshold: Scalar, max_iters: int) -> Potentials:
    """Solve by Newton with plans in tiles, then by Sinkhorn iterations if it does not converge."""
    if problem.relaxation is not None:
        return solve_by_iterations(problem, threshold, max_iters)
    plans = StreamedPlan(problem.x, problem.y, problem.log_affinity, problem.masses)
    return _newton_then(solve_by_iterations, plans, problem, threshold, max_iters)


def _newton_then(
    go_on: Callable[..., Potentials], plans: Plan, problem: TransportProblem, threshold: Scalar, max_iters: int
) -> Potentials:
    point, n_steps = newton.newton(plans, threshold, min(max_iters, newton.MAX_STEPS))
    f, g = problem.epsilon * point.f, problem.epsilon * point.g
    found = Potentials(f, g, n_steps, point.error, point.error <= threshold)

    def unfinished(found):
        more = go_on(problem, threshold, max_iters, (found.f, found.g))
        return more._replace(n_iters=found.n_iters + more.n_iters.astype(found.n_iters.dtype))

    return jax.lax.cond(found.converged, lambda found: found, unfinished, found)


_SOLVERS = {"newton": _by_newton, "ott": solve_ott, "streamed": _streamed}
