"""Difference of Gaussian Parzen scores: the drift whose fixed point is that of the KL flow (zoo Z1)."""

import jax.numpy as jnp

from gmdwgf import pairwise
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.hyperparameters import choice, real
from gmdwgf.typing import Scalar


class KLDrift(StatelessDrift):
    """Mean shift towards the targets minus mean shift towards the particles, with a Gaussian kernel.

        v(x_i) = sum_j softmax_j(-|x_i - y_j|^2 / 2h^2) y_j - sum_l softmax_l(-|x_i - x_l|^2 / 2h^2) x_l
               = h^2 (grad log p_h - grad log q_h)(x_i),   p_h, q_h the Parzen densities of bandwidth h.

    Flow of: nothing. It is the velocity of KL(q || p) with both scores smoothed; only its fixed point p = q is that of a
    smoothed KL. Blind to the relative mass of modes further apart than a few bandwidths.
    Units: `bandwidth` h in data units, the standard deviation of the kernel; v in data units.
    Self term: `keep` includes the particle itself (exactly zero on identical clouds), `leave_one_out` leaves it out,
    `two_batch` uses the other half of the batch.
    Source: Deng et al. 2026 (arXiv:2602.04770) Eq. 8-11; Gretton et al. 2026 (arXiv:2605.05118).
    """

    bandwidth: Scalar = real("data units (standard deviation)", above=0)
    self_term: str = choice("keep", "leave_one_out", "two_batch")

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        del key
        queries = x if at is None else at
        x, y, queries = pairwise.centred(x, y, queries)
        log_a, log_b = pairwise.log_masses(x_weights, x), pairwise.log_masses(y_weights, y)
        n = x.shape[0]

        def shift(row):
            index, point = row
            to_targets = pairwise.softmax_weights(log_b - pairwise.squared_distances(point, y) / (2 * self.bandwidth**2))
            logits = log_a - pairwise.squared_distances(point, x) / (2 * self.bandwidth**2)
            if at is None:
                logits = jnp.where(pairwise.others(self.self_term, index, n), logits, -jnp.inf)
            to_particles = pairwise.softmax_weights(logits)
            alone = 1 - jnp.sum(to_particles)  # 1 when the mask leaves nobody: then only the attraction acts
            v = to_targets @ y - to_particles @ x - alone * point
            return v, 1 / jnp.sum(to_targets**2)

        v, neighbours = pairwise.over_points(shift, (jnp.arange(queries.shape[0]), queries), n + y.shape[0])
        return DriftOutput(v, {"v_rms": rms(v), "effective_targets": jnp.mean(neighbours)})

    def tags(self) -> Tags:
        return Tags(zero_at_equality=self.self_term == "keep", curl_free=True, flow_of=None, reach="local",
                    permutation=self.self_term != "two_batch")
