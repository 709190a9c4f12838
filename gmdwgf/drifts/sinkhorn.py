"""Wasserstein gradient flow of the Sinkhorn divergence (zoo Z9)."""

import jax.numpy as jnp

from gmdwgf import pairwise, transport
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.hyperparameters import count, real
from gmdwgf.typing import Scalar


class SinkhornDrift(StatelessDrift):
    """Transport to the targets minus transport of the particles to themselves.

        v(x_i) = T_qp(x_i) - T_qq(x_i),   T the barycentric maps of the entropic plans for the cost |x - y|^2 / 2.

    Flow of: the Sinkhorn divergence S(q, p) = OT(q, p) - OT(q, q)/2 - OT(p, p)/2, exactly when the plans are converged; zero
    only at q = p. Long range: mass moves between far modes, if the iterations suffice (their number grows like L^2 / epsilon).
    Units: `epsilon` in half squared cost units (the square of a length; sigma^2 of the matching Gaussian kernel).
    `threshold` is the L1 marginal error at which the solver stops, `max_iters` its cap; `converged`, `n_iters` and
    `marginal_error` are reported every step.
    Self term: the batch with itself, no diagonal mask.
    Source: Feydy et al. 2019 (arXiv:1810.08278); as a drift He et al. (arXiv:2603.12366), arXiv:2605.05118.
    """

    epsilon: Scalar = real("half squared cost units (length^2)", above=0)
    threshold: Scalar = real("L1 marginal error", above=0)
    max_iters: int = count()

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        del key
        queries = x if at is None else at
        x, y, queries = pairwise.centred(x, y, queries)
        log_a, log_b = pairwise.log_masses(x_weights, x), pairwise.log_masses(y_weights, y)
        stop = {"threshold": self.threshold, "max_iters": self.max_iters}
        to_targets = transport.potentials(x, y, self.epsilon, x_weights=x_weights, y_weights=y_weights, **stop)
        to_self = transport.self_potential(x, self.epsilon, x_weights=x_weights, **stop)
        v = transport.barycentric_map(queries, y, to_targets.g, log_b, self.epsilon)
        v = v - transport.barycentric_map(queries, x, to_self.f, log_a, self.epsilon)
        info = {
            "v_rms": rms(v),
            "n_iters": to_targets.n_iters.astype(v.dtype),
            "marginal_error": jnp.maximum(to_targets.marginal_error, to_self.marginal_error),
            "converged": (to_targets.converged & to_self.converged).astype(v.dtype),
        }
        return DriftOutput(v, info)

    def tags(self) -> Tags:
        return Tags(zero_at_equality=True, curl_free=True, flow_of="Sinkhorn divergence S_epsilon(q, p)", reach="long")
