"""The drift of `affinity.joint_drift` with all targets of a data set as candidates, through landmarks."""

from collections.abc import Callable

import jax.numpy as jnp

from gmdwgf.drifts.affinity import Points, log_column_sums
from gmdwgf.drifts.landmarks import Moments, attraction
from gmdwgf.pairs import reductions
from gmdwgf.typing import Array, Float, Particles, Scalar, Targets, Weights


def joint_drift_to_all(
    at: Points | None,
    x: Particles,
    x_copies: Weights,
    repelling: Float[Array, "c d"],
    copies: Weights,
    moments: Moments,
    landmarks: Targets,
    n_targets: int,
    log_kernel: Callable[[Array], Array],
    self_mask: Scalar | float,
    gain: str,
) -> Float[Array, "_ d"]:
    """`joint_drift` (without floor) whose attracting candidates are all targets, which together count as `n_targets`.

    The sums over targets in the rows, s+, and the attraction are those of `moments`, with the roots of the column sums interpolated
    from `landmarks`, the landmarks in the coordinates of `x`. `repelling` begins with `x` if there is a mask; `copies` are the
    multiplicities of `repelling`.
    """
    column = log_column_sums(repelling, x, x_copies, log_kernel, self_mask)
    log_roots = -log_column_sums(landmarks, x, x_copies, log_kernel, 0.0) / 2
    largest = jnp.max(log_roots)
    scaled = moments.with_columns(jnp.exp(log_roots - largest))
    own = jnp.arange(repelling.shape[0])

    def one(row):
        index, point = row
        logits = log_kernel(reductions.squared_distances(point, repelling))
        logits = jnp.where(own == index, logits - self_mask, logits)
        near = reductions.softmax(log_kernel(reductions.squared_distances(point, landmarks)))
        centre, _ = attraction(scaled, near, landmarks)
        log_of_targets = near.peak + jnp.log(n_targets * _positive(near.exponentials @ moments.weights))
        log_row = jnp.logaddexp(log_of_targets, reductions.log_sum_exp(jnp.log(copies) + logits))
        push = reductions.softmax(jnp.log(copies) + logits - (log_row + column) / 2)
        difference = centre - push.mean(repelling) - (1 - push.mass) * point
        if gain == "constant":
            return difference
        pull = n_targets * _positive(near.exponentials @ scaled.weights) * jnp.exp(near.peak + largest - log_row / 2)
        return pull * push.total * jnp.exp(push.peak) * difference

    index = jnp.arange(x.shape[0]) if at is None else jnp.full(at.shape[0], -1)
    queries = x if at is None else at
    return reductions.over_points(one, (index, queries), repelling.shape[0] + landmarks.shape[0])


def _positive(total: Scalar) -> Scalar:
    """A sum of affinities, which the approximation can make negative far from all landmarks: then 0."""
    return jnp.maximum(total, 0.0)
