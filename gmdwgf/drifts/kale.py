"""Wasserstein gradient flow of the KALE divergence, a KL divergence with an RKHS witness (arXiv:2106.08929)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy import linalg

from gmdwgf.config.fields import choice, count, real, reals
from gmdwgf.drifts import witness
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.drifts.witness import Gram
from gmdwgf.pairs import kernels, reductions
from gmdwgf.typing import Array, Float, Particles, Scalar, Targets

LONGEST = 5.0
"""Largest change of h at any target in one step, so that e^h changes by a factor of at most e^5."""

SHORTEST = 2.0**-20  # no mutants: any small number serves
"""Step length below which the line search stops: rounding then prevents any further decrease of the dual."""


class KaleDual(NamedTuple):
    """Dual iterate u = h(Y) `[m]`, its value, its squared Newton decrement and the number of steps taken."""

    u: Float[Array, " m"]
    value: Scalar
    decrement: Scalar
    n_iters: Array
    stuck: Array


class KALEDrift(StatelessDrift):
    """Gradient of an RKHS estimate of the log-density ratio, between MMD (lam large) and KL(q || p) (lam -> 0).

        KALE(q, p) = (1 + lam) max_h {1 + E_q h - E_p e^h - lam/2 |h|^2},   lam the `regularisation`,
        v = -(1 + lam) grad h,   h = (1/lam) (mu_q - sum_j alpha_j k(., y_j)),   alpha_j = b_j e^{h(y_j)},

    mu_q the kernel mean of the particles and b the masses of the targets (1/m). alpha minimises the dual

        D(alpha) = sum_j (alpha_j log(alpha_j / b_j) - alpha_j + b_j) + |mu_q - sum_j alpha_j k(., y_j)|^2 / (2 lam).

    D is minimised by Newton's method in the variable u = log(alpha / b) = h(Y). A step changes no entry of u by more than 5 and
    must decrease D, which bounds e^u and avoids overflow. The system matrix 1 + A^(1/2) K A^(1/2) / lam, A = diag(alpha), is never
    singular. The iteration stops when the Newton decrement is below the square root of the machine epsilon, after which one full
    step is exact to machine precision, or after `max_iters` steps. `converged`, `n_iters` and `decrement` are logged every step.
    A small lam needs more steps (h is of the order 1/lam where q has mass and p has none), which limits lam in practice.

    Flow of: KALE, exactly when the solver has converged. lam -> inf gives the drift `mmd`. Local, as the kernel is.
    Units: `regularisation` has none (k(x, x) = 1); `bandwidth` in data units, one or a list (the mean of the kernels); v in
    1 / data units.
    Memory: stores an m x m matrix and its Cholesky factor, as every Newton step solves a linear system.
    Self term: included (its gradient is 0). Every solve starts from h = 0, because each batch has new targets.
    Choose: a KL-like flow that is exact, and finite for clouds with disjoint supports.
    Fails: as `drmmd`; a small `regularisation` can need more Newton steps than `max_iters` (`converged` is then 0).
    Cost: a Cholesky factorisation, O(m^3), in each of the `n_iters` Newton steps; an m x m matrix. For small m.
    Source: Glaser, Arbel and Gretton 2021 (arXiv:2106.08929). The safeguards are ours.
    """

    extrinsic = True

    kernel: str = choice("gaussian", "laplace", "imq", "matern")
    bandwidth: Float[Array, " k"] = reals("data units", above=0)
    regularisation: Scalar = real("none (k(x, x) = 1)", above=0)
    max_iters: int = count()

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        del key
        x, y, queries = reductions.centred(x, y, x if at is None else at)
        a, b = reductions.masses(x_weights, x), reductions.masses(y_weights, y)
        kernel, lam = kernels.mean_kernel(self.kernel, self.bandwidth), self.regularisation
        solved = newton(witness.gram(kernel, x, a, y), b, lam, self.max_iters)
        v = (1 + lam) / lam * witness.descent(kernel, queries, x, a, y, b * jnp.exp(solved.u))
        info = {
            "v_rms": rms(v),
            "kale": (1 + lam) * solved.value,
            "n_iters": solved.n_iters.astype(v.dtype),
            "decrement": jnp.sqrt(solved.decrement),
            "converged": (solved.decrement <= jnp.finfo(v.dtype).eps).astype(v.dtype),
        }
        return DriftOutput(v, info)

    def functional(self, x: Particles, y: Targets) -> Scalar:
        """KALE between the empirical measures; its gradient treats alpha as constant (envelope theorem)."""
        x, y = reductions.centred(x, y)
        a, b = reductions.masses(None, x), reductions.masses(None, y)
        gram = witness.gram(kernels.mean_kernel(self.kernel, self.bandwidth), x, a, y)
        solved = newton(jax.lax.stop_gradient(gram), b, self.regularisation, self.max_iters)
        return (1 + self.regularisation) * dual_value(gram, b, self.regularisation, solved.u)

    def n_stored(self, n: int, m: int) -> int:
        """The kernel matrix of the targets."""
        return m * m

    def tags(self) -> Tags:
        return Tags(zero_at_equality=True, curl_free=True, flow_of="KALE(q, p)", reach="local")


def dual_value(gram: Gram, b: Float[Array, " m"], lam: Scalar, u: Float[Array, " m"]) -> Scalar:
    """D(b e^u)."""
    alpha = b * jnp.exp(u)
    return jnp.sum(alpha * u - b * jnp.expm1(u)) + gram.squared_norm(alpha) / (2 * lam)


def newton(gram: Gram, b: Float[Array, " m"], lam: Scalar, max_iters: int) -> KaleDual:
    """Minimise D from u = 0 by Newton's method with a backtracking line search."""
    eps = jnp.finfo(b.dtype).eps

    def unfinished(dual):
        return (dual.decrement > eps) & (dual.n_iters < max_iters) & ~dual.stuck

    def improve(dual):
        direction, decrement = newton_direction(gram, b, lam, dual.u)
        longest = jnp.minimum(1, LONGEST / jnp.max(jnp.abs(direction)))  # no mutants: any length serves
        value_at = lambda t: dual_value(gram, b, lam, dual.u + t * direction)
        # Rounding errors of D scale with |mu_q|^2 / lam. no mutants below: other safeguards would serve as well.
        rounding = 4 * eps * (dual.value + gram.xx / lam)  # no mutants
        least = 1e-4 * decrement  # no mutants
        too_long = lambda t: ~(value_at(t) <= dual.value - t * least + rounding) & (t > SHORTEST)  # no mutants
        t = jax.lax.while_loop(too_long, lambda t: t / 2, longest)  # no mutants: would never end
        stuck = ~(t > SHORTEST)  # also true for a direction that is not finite
        u = jnp.where(stuck, dual.u, dual.u + t * direction)
        return KaleDual(u, jnp.where(stuck, dual.value, value_at(t)), decrement, dual.n_iters + 1, stuck)

    zero = jnp.zeros_like(b)
    start = KaleDual(
        zero, dual_value(gram, b, lam, zero), jnp.asarray(jnp.inf, b.dtype), jnp.asarray(0), jnp.asarray(False)
    )
    return jax.lax.while_loop(unfinished, improve, start)


def newton_direction(gram: Gram, b: Float[Array, " m"], lam: Scalar, u: Float[Array, " m"]) -> tuple[Array, Scalar]:
    """Newton direction in u, and the square of the Newton decrement.

    With s = sqrt(alpha) and r = u - (mu_q(Y) - K alpha) / lam the gradient of D in alpha, the step in alpha is s z with
    (1 + s K s / lam) z = -s r; its ratio to alpha, written without dividing by an alpha that may be 0, is the step in u.
    """
    alpha = b * jnp.exp(u)
    s, r = jnp.sqrt(alpha), u - (gram.yx - gram.times_yy(alpha)) / lam
    matrix = s[:, None] * gram.yy * s / lam
    # Rounding errors of the order eps * trace can make the matrix indefinite; adding as much to the diagonal only perturbs the step.
    ridge = 1 + jnp.finfo(b.dtype).eps * b.size * jnp.trace(matrix)  # no mutants: bends only the step
    z = linalg.cho_solve(linalg.cho_factor(matrix + ridge * jnp.eye(b.size, dtype=b.dtype)), -s * r)
    return -r - gram.times_yy(s * z) / lam, jnp.maximum(-jnp.sum(z * s * r), 0)
