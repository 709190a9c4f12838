"""Wasserstein gradient flow of half the squared maximum mean discrepancy (zoo Z11)."""

import jax
import jax.numpy as jnp

from gmdwgf import pairwise
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.hyperparameters import choice, real, reals
from gmdwgf.kernels import KERNELS
from gmdwgf.typing import Array, Float, Particles, Scalar, Targets


class MMDDrift(StatelessDrift):
    """Attraction by the targets' kernel mean minus repulsion by the particles'.

        v(x_i) = mean_j grad_1 k(x_i, y_j) - mean_l grad_1 k(x_i, x_l),   k the mean of the kernels of all bandwidths.

    Flow of: F(q) = MMD^2(q, p) / 2, exactly, for the empirical law of the particles (v = -n dF/dx_i).
    Units: `bandwidth` in data units, one or a list; the energy kernel -|x - y| has none and ignores it.
    `noise` (data units) evaluates the field at x + noise * N(0, I) (Arbel et al. 2019, section 4); 0 is the plain flow.
    Self term: `v` divides the repulsion by n with the particle itself included (its gradient is 0), `u` by n - 1.
    Local for Gaussian and Laplace kernels, long range for the energy kernel.
    Source: Arbel et al. 2019 (arXiv:1906.04370); energy kernel: Székely and Rizzo.
    """

    bandwidth: Float[Array, " k"] = reals("data units", above=0)
    kernel: str = choice("gaussian", "laplace", "imq", "matern", "energy")
    estimator: str = choice("v", "u")
    noise: Scalar = real("data units", at_least=0)

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        queries = x if at is None else at
        if at is None:
            queries = queries + self.noise * jax.random.normal(key, queries.shape, queries.dtype)
        x, y, queries = pairwise.centred(x, y, queries)
        a, b = pairwise.masses(x_weights, x), pairwise.masses(y_weights, y)
        if self.estimator == "u" and at is None:
            a = a / jnp.maximum(1 - a, 1 / (2 * x.shape[0]))

        def pull(point):
            to_targets = self._gradient_weight(pairwise.squared_distances(point, y))
            to_particles = self._gradient_weight(pairwise.squared_distances(point, x))
            attraction = pairwise.weighted_differences(b * to_targets, point, y)
            return attraction - pairwise.weighted_differences(a * to_particles, point, x)

        v = pairwise.over_points(pull, queries, x.shape[0] + y.shape[0])
        return DriftOutput(v, {"v_rms": rms(v)})

    def functional(self, x: Particles, y: Targets) -> Scalar:
        """Half the squared MMD between the empirical laws (V-statistic)."""

        def mean_kernel(left, right):
            row = lambda point: jnp.mean(self._value(pairwise.squared_distances(point, right)))
            return jnp.mean(pairwise.over_points(row, left, right.shape[0]))

        return mean_kernel(x, x) / 2 - mean_kernel(x, y) + mean_kernel(y, y) / 2

    def _value(self, r2):
        return self._mean_over_bandwidths(KERNELS[self.kernel].value, r2)

    def _gradient_weight(self, r2):
        return self._mean_over_bandwidths(KERNELS[self.kernel].gradient_weight, r2)

    def _mean_over_bandwidths(self, profile, r2):
        return sum(profile(r2, h) for h in self.bandwidth.astype(r2.dtype)) / self.bandwidth.size

    def tags(self) -> Tags:
        flow = "MMD^2(q, p) / 2" if self.estimator == "v" else None
        return Tags(zero_at_equality=self.estimator == "v", curl_free=True, flow_of=flow,
                    reach="long" if self.kernel == "energy" else "local")
