"""Truncated Newton method on the dual of entropic transport: a few steps where Sinkhorn needs hundreds of iterations.

Eliminate f by its exact update. With S = -c / epsilon, and g and f in units of epsilon, the plan is

    P_ij = a_i softmax_j(S_ij + g_j + log b_j)      (rows exact),      columns c_j = sum_i P_ij,

and the dual h(g) = <b, g> - <a, logsumexp_j(S + g + log b)> is concave with gradient b - c and Hessian
-(diag(c) - P^T diag(1/a) P). The Newton step solves (diag(c) - P^T diag(1/a) P) v = b - c by conjugate gradients
preconditioned with diag(c). The Markov operator in it has one eigenvalue near 1 for every slow mode (mass between clusters) and the
others near 0, so a few iterations suffice; Sinkhorn's algorithm spends most of its iterations on the slow modes.

`gmdwgf.transport.plans` provides the plan, stored as a matrix or recomputed in tiles.

Sources: Brauer et al. 2017; Tang et al. 2024 (ICLR); Kemertas, Farahmand and Jepson 2025 (arXiv:2504.02067). The safeguard
(a step that improves neither dual nor marginals is replaced by a Sinkhorn iteration) is ours.
"""

import jax
import jax.numpy as jnp

from gmdwgf.transport.plans import DualPoint, Plan
from gmdwgf.typing import Array, Float, Scalar

WARM_UP = 5
"""Sinkhorn iterations before the first Newton step."""

MAX_STEPS = 50
"""Newton steps after which Sinkhorn iterations continue."""

MAX_CG = 60
"""Conjugate gradient iterations in one Newton step."""

LONGEST = 0.1
"""Longest step, as a fraction of the mean cost; between nearly disconnected clusters the Newton step is unbounded."""

SHORT_ENOUGH = 64.0
"""Lower bound of the longest step, in units of epsilon."""

SHORTEST = 1 / 64
"""Fraction of the step below which the line search stops and a Sinkhorn iteration replaces it."""

WELL_BELOW = 0.1
"""Fraction of the threshold below which no additional step is taken."""


def newton(plans: Plan, threshold: Scalar, max_steps: int) -> tuple[DualPoint, Array]:
    """Iterate to a marginal error of at most `threshold`, or for `max_steps`; returns the dual point and the number of steps.

    Takes one additional step if the error is not well below the threshold: the remaining error lies in the slow modes, where the
    velocity has ten times the error, and this step removes most of it.
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
        # A Sinkhorn iteration follows every Newton step to balance the columns, or replaces a rejected step.
        done = chosen.error <= threshold
        kept, after = jax.lax.cond(done, lambda *at: at, lambda *at: plain(plans, *at), kept, chosen)
        return kept, after, point.error, n + 1

    kept, point = jax.lax.fori_loop(0, WARM_UP, lambda _, at: plain(plans, *at), plans.start())
    never = jnp.full_like(threshold, jnp.inf)
    _, point, _, n = jax.lax.while_loop(unfinished, step, (kept, point, never, jnp.zeros((), int)))
    return point, n


def plain(plans: Plan, kept, point: DualPoint):
    """One Sinkhorn iteration: update columns, then rows."""
    b, columns = plans.masses.b, point.columns
    there = jnp.min(columns / b) > jnp.finfo(b.dtype).tiny ** 0.75
    near = lambda: point.g + jnp.log(b / columns)
    g = jax.lax.cond(there, near, lambda: plans.column_update(point.f))  # a column that underflows has no logarithm
    return plans.at(kept, g)


def _better(new: DualPoint, old: DualPoint, threshold: Scalar) -> Array:
    """Whether `new` improves dual value or marginal error; after convergence only the error counts."""
    higher = new.value > old.value + 1e-6 * jnp.abs(old.value)
    return (new.error < old.error) | (higher & (old.error > threshold))


def _direction(plans: Plan, kept, point: DualPoint) -> Float[Array, " m"]:
    """Solve (diag(c) - P^T diag(1/a) P) v = b - c approximately by preconditioned conjugate gradients."""
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
