"""One family of drifts: scale one affinity between particles and points, and compare the barycentres that it gives.

From the kernel K(x, c), scaled by a factor of the row and one of the column to S(x, c) = r(x) K(x, c) s(c), comes

    v(x) = speed(x) (B_p(x) - B_q(x)),     B(x) = sum_c w_c S(x, c) c / sum_c w_c S(x, c).

The row factor drops out of B, so the members differ in how the columns are corrected, and in the speed:

| drift | kernel | columns | rows | self-pairs | speed |
|---|---|---|---|---|---|
| kl | Gaussian | as they are | a block each | kept | 1 |
| deng | Laplace | a square root | joint | masked or kept | s+ s- |
| deng_released | Laplace, of D/S | a square root, floor on R C | joint | +100 or kept | s+ s-, then fixed RMS |
| sinkhorn_proxy | Gaussian | `ruiz_iters` square roots | a block each | kept | s+ s- or 1 |
| sinkhorn_steps | Gaussian | `n_iters` exact ones | a block each | kept | 1 |
| wflow | Gaussian, relative width | `n_iters` exact ones | a block each | other half | 1, then fixed RMS |
| sinkhorn | Gaussian, exp(-r/epsilon) | until exact, or relaxed | a block each | kept or other half | 1 |

A square root is Knight, Ruiz and Ucar's symmetric scaling: divide by the roots of row and column sums at once. An exact
correction is Sinkhorn's: divide by the column sums. Both end in the same plan. s+ and s- are the row sums of the scaled
affinities to the targets and to the particles (the cross weights).

Everything is in the log domain and streamed: the potentials f = epsilon log r and g = epsilon log s are the whole
state, and no n x m array is kept.
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
"""Where a field is wanted."""

Half = tuple[Float[Array, "_ d"], Weights]
"""Some of the particles, with their masses."""

SMALLEST_MEAN_SQUARE = 1e-8
"""The least mean square that an RMS normalisation divides by (the released loss of Deng et al.)."""

SMALLEST_SCALE = 1e-3
"""The least unit of length, in data units, that clouds are measured in (the released loss)."""


def centred_at(x: Particles, y: Targets, at: Points | None) -> tuple[Particles, Targets, Points | None]:
    """`pairwise.centred`, where `at` may be None."""
    x, y, *rest = reductions.centred(x, y, *(() if at is None else (at,)))
    return x, y, rest[0] if rest else None


def row_potential(
    at: Points, y: Targets, g: Float[Array, " m"], log_b: Float[Array, " m"], epsilon: Scalar
) -> Float[Array, " k"]:
    """The potential at each point of `at` that makes its row under `g` exact: -epsilon times the log of its row sum."""
    return reductions.over_points(lambda point: transport.softmin(point, y, g, log_b, epsilon), at, y.shape[0])


def sinkhorn_map(
    at: Points,
    x: Particles,
    log_a: Float[Array, " n"],
    y: Targets,
    log_b: Float[Array, " m"],
    epsilon: Scalar,
    n_iters: int,
) -> tuple[Points, Scalar]:
    """Barycentric map at `at` of the plan from `x` to `y` after `n_iters` corrections from g = 0; its marginal error.

    A correction makes the rows exact, then the columns; a row update ends. 0 corrections are the softmax of the
    Gaussian kernel. The error is the L1 distance of the columns' masses from b.
    """

    def corrected(g):
        return row_potential(y, x, row_potential(x, y, g, log_b, epsilon), log_a, epsilon)

    g = jax.lax.fori_loop(0, n_iters, lambda _, g: corrected(g), jnp.zeros(y.shape[0], y.dtype))
    error = jnp.sum(jnp.exp(log_b) * jnp.abs(jnp.expm1((g - corrected(g)) / epsilon)))
    return transport.barycentric_map(at, y, g, log_b, epsilon), error


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
    (`log_a` = -inf) ride along: they get their f, the columns do not see them.
    """

    def improve(_, fg):
        f, g = fg
        return (f + row_potential(rows, y, g, log_b, epsilon)) / 2, (g + row_potential(y, rows, f, log_a, epsilon)) / 2

    start = jnp.zeros(rows.shape[0], rows.dtype), jnp.zeros(y.shape[0], y.dtype)
    return jax.lax.fori_loop(0, n_iters, improve, start)


class Candidates(NamedTuple):
    """What the particles are compared with in a joint row, first they themselves, then all others."""

    points: Points
    copies: Weights
    """How often a candidate counts in the row sums."""
    weights: Weights
    """Factor of its finished affinity."""
    n_repelling: int
    """So many of the first candidates repel, the others attract."""


def joint_drift(
    at: Points | None,
    x: Particles,
    x_copies: Weights,
    candidates: Candidates,
    log_kernel: Callable[[Array], Array],
    self_mask: Scalar | float,
    product_floor: Scalar | float,
) -> Float[Array, "_ d"]:
    """The drift of joint rows with cross weights, at `at` (the particles `x` when None).

        A_ic = w_c sqrt(max(R_ic C_ic, floor)),   R softmax over the candidates, C softmax over the particles,
        v_i = s-_i sum_{c attracts} A_ic (c - x_i) - s+_i sum_{c repels} A_ic (c - x_i),

    `log_kernel` is a function of r^2; `self_mask` is taken from it where a particle meets itself. Columns are always
    normalised over the particles, each counted `x_copies` times; away from the particles there is no self-pair.
    """
    points, copies, weights, n_repelling = candidates
    n, c = x.shape[0], points.shape[0]
    repelling, attracting = points[:n_repelling], points[n_repelling:]
    own, log_copies = jnp.arange(c), jnp.log(copies)

    def log_column_sum(row):
        index, point = row
        logits = log_kernel(reductions.squared_distances(point, x))
        return reductions.log_sum_exp(jnp.log(x_copies) + jnp.where(own[:n] == index, logits - self_mask, logits))

    column = reductions.over_points(log_column_sum, (own, points), n)
    column = jnp.where(jnp.isneginf(column), jnp.inf, column)  # a lone masked particle repels nobody

    def one(row):
        index, point = row
        logits = log_kernel(reductions.squared_distances(point, points))
        logits = reductions.materialize(jnp.where(own == index, logits - self_mask, logits))
        log_root = logits - (reductions.log_sum_exp(log_copies + logits) + column) / 2
        affinity = reductions.materialize(weights * jnp.exp(jnp.maximum(log_root, jnp.log(product_floor) / 2)))
        push, pull = affinity[:n_repelling], affinity[n_repelling:]
        to_pull, to_push = reductions.combination(pull, attracting), reductions.combination(push, repelling)
        return jnp.sum(push) * to_pull - jnp.sum(pull) * to_push

    queries = x if at is None else at
    index = own[:n] if at is None else jnp.full(at.shape[0], -1)
    return reductions.over_points(one, (index, queries), c)


def laplace(temperature: Scalar, least_distance: Scalar | float = 0.0) -> Callable[[Array], Array]:
    """-r / temperature, the log kernel, as a function of r^2; no distance counts as less than `least_distance`."""
    return lambda r2: jnp.maximum(distance(r2), least_distance) * (-1 / temperature)


def rms_factor(v: Float[Array, "..."], unit: Scalar | float) -> Scalar:
    """Factor that gives `v`, measured in lengths of `unit`, a mean square of 1 over all its numbers."""
    return 1 / jnp.sqrt(jnp.maximum(jnp.mean((v / unit) ** 2), SMALLEST_MEAN_SQUARE))


def halves(x: Particles, weights: Weights | None) -> tuple[Half, Half]:
    """The first n // 2 particles with their masses, and the rest with theirs: each the other's independent sample."""
    half, a = x.shape[0] // 2, reductions.masses(weights, x)
    return (x[:half], a[:half]), (x[half:], a[half:])
