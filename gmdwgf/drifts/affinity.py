"""Drifts that are differences of barycentres under scaled affinities.

A kernel K(x, c) is scaled by row and column factors to S(x, c) = r(x) K(x, c) s(c), and

    v(x) = speed(x) (B_p(x) - B_q(x)),     B(x) = sum_c w_c S(x, c) c / sum_c w_c S(x, c).

The row factor cancels in B, so these drifts differ only in the scaling of the columns and in the speed:

| drift | kernel | column scaling | row normalisation | self-pairs | speed |
|---|---|---|---|---|---|
| kl | Gaussian | none | per block | included | 1 |
| deng | Laplace | one square root | joint | masked or included | s+ s- |
| deng_released | Laplace, of D/S | one square root, floor on R C | joint | +100 or included | s+ s-, then fixed RMS |
| sinkhorn_proxy | Gaussian | `ruiz_iters` square roots | per block | included | s+ s- or 1 |
| sinkhorn_steps | Gaussian | `n_iters` Sinkhorn updates | per block | included | 1 |
| wflow | Gaussian, relative width | `n_iters` Sinkhorn updates | per block | other half | 1, then fixed RMS |
| sinkhorn | Gaussian, exp(-r/epsilon) | converged, or unbalanced | per block | included or other half | 1 |

A square root is one step of the symmetric scaling of Knight, Ruiz and Ucar: divide by the roots of the row and column sums at
once. A Sinkhorn update divides by the column sums. Both iterations converge to the same plan. s+ and s- are the row sums of the
scaled affinities to the targets and to the particles (the cross weights).

All computations are in the log domain and streamed: only the potentials f = epsilon log r and g = epsilon log s are stored,
never an n x m array.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gmdwgf import transport
from gmdwgf.pairs import reductions
from gmdwgf.pairs.kernels import distance
from gmdwgf.typing import Array, Float, Particles, Scalar, Targets, Weights

Points = Float[Array, "k d"]
"""Points at which a velocity is evaluated."""

Half = tuple[Float[Array, "_ d"], Weights]
"""Half of the particles, with their masses."""

SMALLEST_MEAN_SQUARE = 1e-8
"""Lower bound of the mean square in an RMS normalisation (the released loss of Deng et al.)."""

SMALLEST_SCALE = 1e-3
"""Lower bound of the length scale, in data units (the released loss of Deng et al.)."""


def centred_at(x: Particles, y: Targets, at: Points | None) -> tuple[Particles, Targets, Points | None]:
    """Apply `reductions.centred` to `x`, `y` and, if it is not None, `at`."""
    x, y, *rest = reductions.centred(x, y, *(() if at is None else (at,)))
    return x, y, rest[0] if rest else None


def row_potential(
    at: Points,
    y: Targets,
    g: Float[Array, " m"],
    log_b: Float[Array, " m"],
    epsilon: Scalar,
    cost: transport.GroundCost = "half_squared",
) -> Float[Array, " k"]:
    """Row update of Sinkhorn's algorithm at the points `at`: -epsilon times the log of the row sum under `g`."""
    return reductions.over_points(lambda point: transport.softmin(point, y, g, log_b, epsilon, cost), at, y.shape[0])


def sinkhorn_map(
    at: Points,
    x: Particles,
    log_a: Float[Array, " n"],
    y: Targets,
    log_b: Float[Array, " m"],
    epsilon: Scalar,
    n_iters: int,
) -> tuple[Points, Scalar]:
    """Barycentric map at `at` of the plan from `x` to `y` after `n_iters` Sinkhorn iterations from g = 0; its marginal error.

    An iteration updates the rows, then the columns; a final row update follows. With 0 iterations the plan is the softmax of
    the Gaussian kernel. The error is the L1 distance of the column marginal from b.
    """
    g, error = sinkhorn_potential(x, log_a, y, log_b, epsilon, n_iters)
    return transport.barycentric_map(at, y, g, log_b, epsilon), error


def sinkhorn_potential(
    x: Particles,
    log_a: Float[Array, " n"],
    y: Targets,
    log_b: Float[Array, " m"],
    epsilon: Scalar,
    n_iters: int,
    cost: transport.GroundCost = "half_squared",
) -> tuple[Float[Array, " m"], Scalar]:
    """Potential g after `n_iters` Sinkhorn iterations from g = 0, and the marginal error of its plan; see `sinkhorn_map`."""

    def corrected(g):
        return row_potential(y, x, row_potential(x, y, g, log_b, epsilon, cost), log_a, epsilon, cost)

    g = jax.lax.fori_loop(0, n_iters, lambda _, g: corrected(g), jnp.zeros(y.shape[0], y.dtype))
    return g, jnp.sum(jnp.exp(log_b) * jnp.abs(jnp.expm1((g - corrected(g)) / epsilon)))


def ruiz_potentials(
    rows: Particles,
    log_a: Float[Array, " n"],
    y: Targets,
    log_b: Float[Array, " m"],
    epsilon: Scalar,
    n_iters: int,
) -> tuple[Float[Array, " n"], Float[Array, " m"]]:
    """Potentials (f, g) after `n_iters` symmetric scalings S <- S / sqrt(row sum x column sum), from S = K.

    In potentials: f <- (f + row update of g) / 2 and g <- (g + column update of f) / 2, both at once. Rows of mass zero
    (`log_a` = -inf) get a potential f but do not affect g.
    """

    def improve(_, fg):
        f, g = fg
        return (f + row_potential(rows, y, g, log_b, epsilon)) / 2, (g + row_potential(y, rows, f, log_a, epsilon)) / 2

    start = jnp.zeros(rows.shape[0], rows.dtype), jnp.zeros(y.shape[0], y.dtype)
    return jax.lax.fori_loop(0, n_iters, improve, start)


class Candidates(NamedTuple):
    """Points in a joint row of affinities: the particles themselves, then all others."""

    points: Points
    copies: Weights
    """Multiplicity of each candidate in the row sums."""
    weights: Weights
    """Factor applied to each candidate's normalised affinity."""
    n_repelling: int
    """Number of leading candidates that repel; the others attract."""


def joint_drift(
    at: Points | None,
    x: Particles,
    x_copies: Weights,
    candidates: Candidates,
    log_kernel: Callable[[Array], Array],
    self_mask: Scalar | float,
    product_floor: Scalar | float,
    gain: str = "cross",
) -> Float[Array, "_ d"]:
    """Drift with jointly normalised rows and cross weights, at `at` (the particles `x` when None).

        A_ic = w_c sqrt(max(R_ic C_ic, floor)),   R softmax over the candidates, C softmax over the particles,
        v_i = s-_i sum_{c attracts} A_ic (c - x_i) - s+_i sum_{c repels} A_ic (c - x_i),

    With the `gain` constant in place of cross, v_i is divided by s+_i s-_i. `log_kernel` is a function of r^2, from which `self_mask`
    is subtracted for self-pairs. Columns are normalised over the particles, each counted `x_copies` times. When `at` is given there
    are no self-pairs. A mask of 0 allows candidates that do not begin with the particles.
    """
    points, copies, weights, n_repelling = candidates
    n, c = x.shape[0], points.shape[0]
    repelling, attracting = points[:n_repelling], points[n_repelling:]
    own, log_copies = jnp.arange(c), jnp.log(copies)

    column = log_column_sums(points, x, x_copies, log_kernel, self_mask)

    def one(row):
        index, point = row
        logits = log_kernel(reductions.squared_distances(point, points))
        logits = reductions.materialize(jnp.where(own == index, logits - self_mask, logits))
        log_root = logits - (reductions.log_sum_exp(log_copies + logits) + column) / 2
        log_root = jnp.maximum(log_root, jnp.log(product_floor) / 2)
        if gain == "constant":
            log_affinity = jnp.log(weights) + log_root
            push, pull = reductions.softmax(log_affinity[:n_repelling]), reductions.softmax(log_affinity[n_repelling:])
            return pull.mean(attracting) - push.mean(repelling) - (pull.mass - push.mass) * point
        affinity = reductions.materialize(weights * jnp.exp(log_root))
        push, pull = affinity[:n_repelling], affinity[n_repelling:]
        to_pull, to_push = reductions.combination(pull, attracting), reductions.combination(push, repelling)
        return jnp.sum(push) * to_pull - jnp.sum(pull) * to_push

    queries = x if at is None else at
    index = jnp.arange(n) if at is None else jnp.full(at.shape[0], -1)
    return reductions.over_points(one, (index, queries), c)


def log_column_sums(
    points: Points, x: Particles, x_copies: Weights, log_kernel: Callable[[Array], Array], self_mask: Scalar | float
) -> Float[Array, " c"]:
    """Log of the sum of each column of affinities over the particles `x`, with which `points` begin if there is a mask.

    A column without any is infinite: a single masked particle does not repel.
    """
    own = jnp.arange(x.shape[0])

    def one(row):
        index, point = row
        logits = log_kernel(reductions.squared_distances(point, x))
        masked = jnp.where(own == index, logits - self_mask, logits)
        return reductions.log_sum_exp(jnp.log(x_copies) + masked)

    column = reductions.over_points(one, (jnp.arange(points.shape[0]), points), x.shape[0])
    return jnp.where(jnp.isneginf(column), jnp.inf, column)


def laplace(temperature: Scalar, least_distance: Scalar | float = 0.0) -> Callable[[Array], Array]:
    """Log of the Laplace kernel, -max(r, least_distance) / temperature, as a function of r^2."""
    return lambda r2: jnp.maximum(distance(r2), least_distance) * (-1 / temperature)


def rms_factor(v: Float[Array, "..."], unit: Scalar | float) -> Scalar:
    """Factor that scales v / unit to a mean square of 1 over all entries."""
    return 1 / jnp.sqrt(jnp.maximum(jnp.mean((v / unit) ** 2), SMALLEST_MEAN_SQUARE))


def halves(x: Particles, weights: Weights | None) -> tuple[Half, Half]:
    """Split the particles and their masses into the first n // 2 and the rest, two independent samples."""
    half, a = x.shape[0] // 2, reductions.masses(weights, x)
    return (x[:half], a[:half]), (x[half:], a[half:])
