"""Kernel density estimates of weighted clouds and their scores at one point, in the log domain.

    r_k(x) = sum_j b_j k(x, c_j),    grad log r_k(x) = sum_j w_j s(x, c_j) (c_j - x),
    w = softmax_j(log b_j + log k(x, c_j)),    s the slope of log k (see `kernels.LogKernel`).

The estimates do not underflow for small bandwidths or distant points. The kernel is not normalised: its constant is the same
for both clouds and cancels in scores, ratios and differences of logarithms.
"""

from typing import NamedTuple

import jax.numpy as jnp

from gmdwgf.drifts.base import DriftOutput, rms
from gmdwgf.pairs import reductions
from gmdwgf.pairs.kernels import LogKernel
from gmdwgf.typing import Array, Float, Particles, Point, Scalar, Targets, Weights


class Estimate(NamedTuple):
    """At one point: log r_k, its gradient (1 / data units) and the effective number of points."""

    log_density: Scalar
    score: Point
    effective: Scalar


def estimate(
    kernel: LogKernel, bandwidth: Scalar, point: Point, cloud: Targets, log_masses: Float[Array, " m"]
) -> Estimate:
    """Density and score, at `point` `[d]`, of the `cloud` `[m d]` with masses exp(`log_masses`) `[m]`."""
    r2 = reductions.squared_distances(point, cloud)
    logits = log_masses + kernel.log_value(r2, bandwidth)
    near = reductions.softmax(logits)
    score = reductions.weighted_differences(near.exponentials * kernel.slope(r2, bandwidth), point, cloud) / near.total
    return Estimate(near.log_sum, score, near.effective)


def score_difference(
    kernel: LogKernel,
    bandwidth: Scalar,
    x: Particles,
    y: Targets,
    at: Float[Array, "k d"] | None,
    x_weights: Weights | None,
    y_weights: Weights | None,
) -> DriftOutput:
    """Score of the targets' density minus score of the particles' density at `at`, by default at the particles."""
    x, y, queries = reductions.centred(x, y, x if at is None else at)
    log_a, log_b = reductions.log_masses(x_weights, x), reductions.log_masses(y_weights, y)

    def pull(point):
        q, p = estimate(kernel, bandwidth, point, x, log_a), estimate(kernel, bandwidth, point, y, log_b)
        return p.score - q.score, p.effective

    v, effective = reductions.over_points(pull, queries, x.shape[0] + y.shape[0])
    return DriftOutput(v, {"v_rms": rms(v), "effective_targets": jnp.mean(effective)})
