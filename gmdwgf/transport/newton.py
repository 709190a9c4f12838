"""Truncated Newton on the dual of entropic transport: a handful of steps where Sinkhorn takes hundreds of iterations.

Eliminate f by its exact update. With S = -c / epsilon, and g and f in units of epsilon, the plan is

    P_ij = a_i softmax_j(S_ij + g_j + log b_j)      (rows exact),      columns c_j = sum_i P_ij,

and the dual h(g) = <b, g> - <a, logsumexp_j(S + g + log b)> is concave with gradient b - c and Hessian
-(diag(c) - P^T diag(1/a) P). The Newton step solves (diag(c) - P^T diag(1/a) P) v = b - c by conjugate gradients
preconditioned with diag(c). The Markov operator in it has one eigenvalue near 1 for every slow mode (mass between
clusters) and the rest near 0, so few iterations do; plain Sinkhorn needs most of its own for just these.

How the plan is had, kept or made anew in tiles, is the business of `gmdwgf.transport.plans`.

Sources: Brauer et al. 2017; Tang et al. 2024 (ICLR); Kemertas, Farahmand and Jepson 2025 (arXiv:2504.02067). The safeguard
(a step that improves neither dual nor marginals is replaced by a plain Sinkhorn iteration) is ours.
"""

import jax
import jax.numpy as jnp

from gmdwgf.transport.plans import DualPoint, Plan
from gmdwgf.typing import Array, Float, Scalar

WARM_UP = 5
"""Plain iterations before the first Newton step."""

MAX_STEPS = 50
"""Newton steps after which the problem is handed on to plain iterations."""

MAX_CG = 60
"""Iterations of conjugate gradients in one Newton step."""

LONGEST = 0.1
"""Longest step tried, as a fraction of the mean cost: between clusters that hardly touch, the Newton step has no bound."""

SHORT_ENOUGH = 64.0
"""A step this long, in units of epsilon, is tried in any case."""

SHORTEST = 1 / 64
"""Fraction of that step below which the search gives up for a plain iteration."""

WELL_BELOW = 0.1
"""Fraction of the threshold at which no last step is taken."""


def newton(plans: Plan, threshold: Scalar, max_steps: int) -> tuple[DualPoint, Array]:
    """The dual point where the marginal error is at most `threshold`, or after `max_steps`; and the steps taken.

    One step more is taken from there if the error is not well below: what is left of the marginals lies in the slow modes,
    where the velocity is off by ten times as much, and this step takes nearly all of it away.
    """
    longest = jnp.maximum(SHORT_ENOUGH, LONGEST * plans.mean_cost())

    def unfinished(carry):
        _, point, before, n = carry
        return (point.error > WELL_BELOW * threshold) & (before > threshold) & (n < max_steps)

    def step(carry):
        kept, point, _, n = carry
        direction = _direction(plans, kept, point)
        direction = direction * jnp.minimum(1.0, longest / jnp.max(jnp.abs(direction)))

        def shorter(search):
            t, kept, _ = search
            return t / 2, *plans.at(kept, point.g + t / 2 * direction)

        def too_long(search):
            t, _, tried = search
            return ~_better(tried, point, threshold) & (t > SHORTEST)

        first = jnp.ones_like(threshold), *plans.at(kept, point.g + direction)
        _, kept, tried = jax.lax.while_loop(too_long, shorter, first)
        use = _better(tried, point, threshold)
        chosen = jax.tree.map(lambda new, old: jnp.where(use, new, old), tried, point)
        # The iteration after a Newton step evens out the columns; without one it is the fall-back.
        done = chosen.error <= threshold
        kept, after = jax.lax.cond(done, lambda *at: at, lambda *at: plain(plans, *at), kept, chosen)
        return kept, after, point.error, n + 1

    kept, point = jax.lax.fori_loop(0, WARM_UP, lambda _, at: plain(plans, *at), plans.start())
    never = jnp.full_like(threshold, jnp.inf)
    _, point, _, n = jax.lax.while_loop(unfinished, step, (kept, point, never, jnp.zeros((), int)))
    return point, n


def plain(plans: Plan, kept, point: DualPoint):
    """One Sinkhorn iteration: columns exact, then rows."""
    b, columns = plans.masses.b, point.columns
    there = jnp.min(columns / b) > jnp.finfo(b.dtype).tiny ** 0.75
    near = lambda: point.g + jnp.log(b / columns)
    g = jax.lax.cond(there, near, lambda: plans.column_update(point.f))  # a column that underflows has no logarithm
    return plans.at(kept, g)


def _better(new: DualPoint, old: DualPoint, threshold: Scalar) -> Array:
    """By either measure; but what has converged is left for a lesser error alone."""
    higher = new.value > old.value + 1e-6 * jnp.abs(old.value)
    return (new.error < old.error) | (higher & (old.error > threshold))


def _direction(plans: Plan, kept, point: DualPoint) -> Float[Array, " m"]:
    """Solve (diag(c) - P^T diag(1/a) P) v = b - c by preconditioned conjugate gradients, roughly."""
    b, c = plans.masses.b, point.columns
    normal_operator, residual = plans.normal_operator(kept, point), b - c
    scale = 1 / jnp.maximum(c, 1e-6 * b)
    wanted = jnp.minimum(0.1, jnp.sqrt(point.error)) ** 2 * (residual @ (scale * residual))

    def unfinished(carry):
        _, r, _, rz, k = carry
        return (rz > wanted) & (k < MAX_CG)

    def improve(carry):
        v, r, p, rz, k = carry
        image = c * p - normal_operator(p)
        curvature = p @ image
        alpha = jnp.where(curvature > 0, rz / jnp.where(curvature > 0, curvature, 1.0), 0.0)
        v, r = v + alpha * p, r - alpha * image
        z = scale * r
        new_rz = r @ z
        p = z + new_rz / rz * p
        return v, r, p, jnp.where(alpha > 0, new_rz, 0.0), k + 1

    z = scale * residual
    carry = (jnp.zeros_like(residual), residual, z, residual @ z, jnp.zeros((), int))
    return jax.lax.while_loop(unfinished, improve, carry)[0]
