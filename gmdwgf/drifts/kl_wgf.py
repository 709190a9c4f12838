"""Wasserstein gradient flow of the KL divergence between smoothed distributions (arXiv:2605.05118)."""

import jax
import jax.numpy as jnp

from gmdwgf.config.fields import count, real
from gmdwgf.drifts import parzen
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.pairs import reductions
from gmdwgf.pairs.kernels import LOG_KERNELS
from gmdwgf.typing import Array, Float, Particles, Scalar, Targets, Weights


class KLWGFDrift(StatelessDrift):
    """Score difference averaged over Gaussian perturbations of the point, the outer convolution that `kl` omits.

        v(x) = E_xi[(grad log p_h - grad log q_h)(x + h xi)],   xi ~ N(0, I),   p_h, q_h the Parzen densities.

    Flow of: F(q) = KL(q_h || p_h), in expectation. With finitely many perturbations the estimator is unbiased, but its
    Jacobian in the particles is not symmetric (k(x + h xi, x') / q_h(x + h xi) is only after integration over xi), so it is
    tagged as the flow of nothing, and F stands in `estimates`. `average` accepts quadrature nodes in place of random draws, and then
    gives the exact flow.
    Units: `bandwidth` h in data units, the standard deviation of the kernel; v in 1 / data units, the velocity of F
    itself (not multiplied by h^2; for Gaussian q and p, whose scores are affine, it is the drift `kl` divided by h^2).
    `n_perturbations` antithetic pairs +xi, -xi are drawn from the key, so that affine parts of the scores are averaged exactly.
    All particles and both scores share them: for every draw, v is a gradient field, permutes with the particles, and is
    exactly zero on identical clouds. It is equivariant to rotations only in distribution.
    Self term: included. Local: the masses of distant modes do not change.
    Choose: when the true flow of a smoothed KL is needed, rather than only its fixed point.
    Fails: as `kl`, with additional noise when there are few perturbations.
    Cost: 2 `n_perturbations` times `kl`.
    Source: Gretton et al. 2026 (arXiv:2605.05118) for the flow; the estimator is ours.
    """

    estimates = "KL(q_h || p_h) estimated by random perturbations"

    bandwidth: Scalar = real("data units (standard deviation)", above=0)
    n_perturbations: int = count(of_numbers=True)

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        draws = jax.random.normal(key, (self.n_perturbations, x.shape[-1]), jnp.float32).astype(x.dtype)
        xi = jnp.concatenate([draws, -draws])
        equal = jnp.full(xi.shape[0], 1 / xi.shape[0], x.dtype)
        v, effective = self.average(x, y, xi, equal, at=at, x_weights=x_weights, y_weights=y_weights)
        return DriftOutput(v, {"v_rms": rms(v), "effective_targets": effective})

    def average(
        self,
        x: Particles,
        y: Targets,
        xi: Float[Array, "s d"],
        xi_weights: Float[Array, " s"],
        *,
        at: Float[Array, "k d"] | None = None,
        x_weights: Weights | None = None,
        y_weights: Weights | None = None,
    ) -> tuple[Float[Array, "k d"], Scalar]:
        """Weighted mean of the score difference over x + h xi, xi draws or nodes of N(0, I); effective number of targets."""
        x, y, queries = reductions.centred(x, y, x if at is None else at)
        log_a, log_b = reductions.log_masses(x_weights, x), reductions.log_masses(y_weights, y)
        h, gaussian = self.bandwidth, LOG_KERNELS["gaussian"]

        def at_node(point):
            q, p = parzen.estimate(gaussian, h, point, x, log_a), parzen.estimate(gaussian, h, point, y, log_b)
            return p.score - q.score, p.effective

        def pull(point):
            differences, effective = jax.vmap(at_node)(point + h * xi)
            return xi_weights @ differences, xi_weights @ effective

        v, effective = reductions.over_points(pull, queries, xi.shape[0] * (x.shape[0] + y.shape[0]))
        return v, jnp.mean(effective)

    def tags(self) -> Tags:
        return Tags(zero_at_equality=True, curl_free=True, flow_of=None, reach="local", rotation=False)
