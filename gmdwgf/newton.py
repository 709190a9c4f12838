"""Truncated Newton on the dual of entropic transport: a handful of steps where Sinkhorn takes hundreds of iterations.

Eliminate f by its exact update. In units of epsilon, with G = g / epsilon + log b and S = -c / epsilon, the plan is

    P_ij = a_i softmax_j(S_ij + G_j)      (rows exact),      columns c_j = sum_i P_ij,

and the dual h(G) = <b, G> - <a, logsumexp_j(S + G)> is concave with gradient b - c and Hessian -(diag(c) - P^T diag(1/a) P).
The Newton step solves (diag(c) - P^T diag(1/a) P) v = b - c by conjugate gradients preconditioned with diag(c): two
matrix-vector products an iteration and no exponentials. The Markov operator in it has one eigenvalue near 1 for every slow
mode (mass between clusters) and the rest near 0, so few iterations do; plain Sinkhorn needs most of its own for just these.

Sources: Brauer et al. 2017; Tang et al. 2024 (ICLR); Kemertas, Farahmand and Jepson 2025 (arXiv:2504.02067). The safeguard
(a step that improves neither dual nor marginals is replaced by a plain Sinkhorn iteration) is ours. S and P are kept, n x m.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

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


class Dual(NamedTuple):
    """A dual point and what is known of it."""

    G: Float[Array, " m"]
    rows: Float[Array, " n"]
    """logsumexp_j(S + G): minus f / epsilon."""
    plan: Float[Array, "n m"]
    columns: Float[Array, " m"]
    value: Scalar
    error: Scalar
    """L1 distance of the columns from b."""


def newton(
    S: Float[Array, "n m"], log_a: Float[Array, " n"], log_b: Float[Array, " m"], threshold: Scalar, max_steps: int
) -> tuple[Dual, Array]:
    """The dual point where the marginal error is at most `threshold`, or after `max_steps`; and the steps taken."""
    a, b = jnp.exp(log_a), jnp.exp(log_b)

    longest = jnp.maximum(SHORT_ENOUGH, LONGEST * jnp.mean(-S))

    def at(G):
        G = G - jnp.max(G)
        logits = S + G
        rows = jax.nn.logsumexp(logits, axis=1)
        plan = jnp.exp(logits + (log_a - rows)[:, None])
        columns = jnp.sum(plan, axis=0)
        return Dual(G, rows, plan, columns, b @ G - a @ rows, jnp.sum(jnp.abs(b - columns)))

    def plain(point):
        tiny = jnp.finfo(b.dtype).tiny
        return at(point.G + jnp.where(b > 0, log_b - jnp.log(jnp.maximum(point.columns, tiny)), 0.0))

    def better(new, old):
        return (new.error < old.error) | (new.value > old.value + 1e-6 * jnp.abs(old.value))

    def step(carry):
        point, n = carry
        direction = _newton_direction(point, a, b)

        direction = direction * jnp.minimum(1.0, longest / jnp.max(jnp.abs(direction)))

        def shorter(search):
            t, _ = search
            return t / 2, at(point.G + t / 2 * direction)

        def too_long(search):
            t, tried = search
            return ~better(tried, point) & (t > SHORTEST)

        _, tried = jax.lax.while_loop(too_long, shorter, (jnp.ones((), S.dtype), at(point.G + direction)))
        use = better(tried, point)
        chosen = jax.tree.map(lambda new, old: jnp.where(use, new, old), tried, point)
        # The iteration after a Newton step evens out the columns; without one it is the fall-back.
        return jax.lax.cond(chosen.error <= threshold, lambda p: p, plain, chosen), n + 1

    start = jax.lax.fori_loop(0, WARM_UP, lambda _, point: plain(point), at(log_b))
    return jax.lax.while_loop(
        lambda c: (c[0].error > threshold) & (c[1] < max_steps), step, (start, jnp.zeros((), int))
    )


def _newton_direction(point: Dual, a: Float[Array, " n"], b: Float[Array, " m"]) -> Float[Array, " m"]:
    """Solve (diag(c) - P^T diag(1/a) P) v = b - c by preconditioned conjugate gradients, roughly."""
    c, plan = point.columns, point.plan
    residual = b - c
    scale = 1 / jnp.maximum(c, 1e-6 * jnp.maximum(b, jnp.finfo(b.dtype).tiny))
    inverse_a = jnp.where(a > 0, 1 / jnp.where(a > 0, a, 1.0), 0.0)
    apply = lambda v: c * v - (inverse_a * (plan @ v)) @ plan
    wanted = jnp.minimum(0.1, jnp.sqrt(point.error)) ** 2 * (residual @ (scale * residual))

    def unfinished(carry):
        _, r, _, rz, k = carry
        return (rz > wanted) & (k < MAX_CG)

    def improve(carry):
        v, r, p, rz, k = carry
        image = apply(p)
        curvature = p @ image
        alpha = jnp.where(curvature > 0, rz / jnp.where(curvature > 0, curvature, 1.0), 0.0)
        v, r = v + alpha * p, r - alpha * image
        z = scale * r
        new_rz = r @ z
        p = z + new_rz / rz * p
        return v, r, p, jnp.where(alpha > 0, new_rz, 0.0), k + 1

    z = scale * residual
    carry = (jnp.zeros_like(b), residual, z, residual @ z, jnp.zeros((), int))
    return jax.lax.while_loop(unfinished, improve, carry)[0]
