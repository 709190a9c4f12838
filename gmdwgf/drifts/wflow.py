"""The two-batch Sinkhorn drift of W-Flow (zoo Z10)."""

import jax.numpy as jnp

from gmdwgf import pairwise
from gmdwgf.drifts.affinity import SMALLEST_SCALE, centred, halves, rms_factor, sinkhorn_map
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.hyperparameters import count, flag, real
from gmdwgf.typing import Scalar


class WFlowDrift(StatelessDrift):
    """Transport to the targets minus transport to an independent batch of the model, by plans after K corrections.

        v(x_i) = T_qp(x_i) - T_qq'(x_i),   T as in the drift `sinkhorn_steps`, q' the other half of the batch.

    Flow of: nothing: not the gradient of the empirical divergence, but without its bias, by which a batch is drawn
    together because it is at no distance from itself. Curl-free; not zero on identical clouds. Reach as
    `sinkhorn_steps`.
    Units: with `scale_normalise`, `epsilon` belongs to coordinates in which the targets have RMS 1, times the
    dimension: in half squared cost units it is epsilon mean_j |y_j - mean y|^2; without, it is in those units itself.
    `rms_normalise` gives the drift in those coordinates a mean square of 1; `raw_rms` is its size before, in data
    units.
    Self term: the two halves of the batch are each other's q'; no mask. A lone particle is not repelled, and away from
    the particles (`at`) the whole batch is q'.
    Source: arXiv:2605.11755. The halves and the RMS about the mean are ours.
    """

    epsilon: Scalar = real("squared RMS of the targets, or half squared cost units", above=0)
    n_iters: int = count(at_least=0)
    scale_normalise: bool = flag()
    rms_normalise: bool = flag()

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        del key
        x, y, at = centred(x, y, at)
        log_a, log_b = pairwise.log_masses(x_weights, x), pairwise.log_masses(y_weights, y)
        unit, epsilon = jnp.ones((), y.dtype), self.epsilon
        if self.scale_normalise:
            spread = jnp.exp(log_b) @ jnp.sum((y - jnp.exp(log_b) @ y) ** 2, axis=1)
            unit = jnp.maximum(jnp.sqrt(spread / y.shape[1]), SMALLEST_SCALE)
            epsilon = epsilon * y.shape[1] * unit**2
        to_y, error = sinkhorn_map(x, x, log_a, y, log_b, epsilon, self.n_iters)
        raw = to_y - self._to_other_half(x, x_weights, epsilon)
        factor = rms_factor(raw, unit) if self.rms_normalise else 1.0
        if at is not None:
            to_y, _ = sinkhorn_map(at, x, log_a, y, log_b, epsilon, self.n_iters)
            to_x, _ = sinkhorn_map(at, x, log_a, x, log_a, epsilon, self.n_iters)
            raw = to_y - to_x
        v = factor * raw
        return DriftOutput(v, {"v_rms": rms(v), "raw_rms": rms(raw), "marginal_error": error})

    def _to_other_half(self, x, x_weights, epsilon):
        if x.shape[0] == 1:
            return x
        (first, a), (second, b) = halves(x, x_weights)
        log_a, log_b = pairwise.log_masses(a, first), pairwise.log_masses(b, second)
        return jnp.concatenate(
            [
                sinkhorn_map(first, first, log_a, second, log_b, epsilon, self.n_iters)[0],
                sinkhorn_map(second, second, log_b, first, log_a, epsilon, self.n_iters)[0],
            ]
        )

    def tags(self) -> Tags:
        return Tags(zero_at_equality=False, curl_free=True, flow_of=None, reach="local", permutation=False)
