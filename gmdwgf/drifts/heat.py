"""Flows whose kernel is the heat kernel of a manifold, by differentiation of the first variation."""

import jax
import jax.numpy as jnp
from jax.core import Tracer

from gmdwgf.config.fields import FieldError, choice, piece, reals
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags
from gmdwgf.manifolds import AbstractManifold
from gmdwgf.pairs import reductions
from gmdwgf.typing import Array, Float

FLOOR = 1e-5
"""Uniform density added to a kernel whose logarithm is taken, relative to its peak: rounding errors of the harmonic sum are 1e-7."""


class HeatDrift(StatelessDrift):
    """Attraction by the gradient of the targets' kernel mean, repulsion by that of the particles', with the heat kernel k.

        difference:  v(x_i) = grad (p_k - q_k)(x_i),                      r_k(x) = E_{z ~ r} k(x, z),
        log_ratio:   v(x_i) = h^2 grad (log p_k - log q_k)(x_i),

    grad the Riemannian gradient and k the heat kernel of `manifold` at time h^2 / 2, divided by k(x, x): intrinsic, smooth also at
    cut points, and positive definite (a Gaussian of the geodesic distance is not). The drifts `mmd` and `kl` with kernel=heat.

    Flow of: half the squared MMD of k for `difference` (self term `keep`), exactly; nothing for `log_ratio`.
    Units: `bandwidth` h in units of the geodesic distance (radians), one or a list, whose kernels are averaged.
    Self term: `keep`, `leave_one_out` and `two_batch` as in the drift `kl`.
    Choose: where the kernel should not depend on the embedding: points far around a torus or sphere.
    Fails: `log_ratio` adds a uniform density of 1e-5 of the peak to k (ours), so it does not attract over more than about 5 h.
    Cost: one pass over the pairs, with a sum of 64 harmonics on the sphere and of 7 images per angle on a torus.
    Source: spherical harmonics: Müller 1966; as an MMD flow on a manifold ours, after Cao et al. 2026 (arXiv:2603.10592).
    """

    manifold: AbstractManifold = piece(AbstractManifold)
    bandwidth: Float[Array, "..."] = reals("data units", above=0)
    form: str = choice("difference", "log_ratio")
    self_term: str = choice("keep", "leave_one_out", "two_batch")

    def check_values(self) -> None:
        name, smallest = self.manifold.name, self.manifold.smallest_bandwidth
        if smallest is None:
            fix = f"is not implemented on manifold={name}; use an extrinsic kernel, e.g. kernel=gaussian"
            raise FieldError("kernel", "heat", fix)
        if not isinstance(self.bandwidth, Tracer) and float(jnp.min(self.bandwidth)) < smallest:
            fix = f"must be at least {smallest:g} for kernel=heat on manifold={name}; kernel=gaussian allows any"
            raise FieldError("bandwidth", float(f"{float(jnp.min(self.bandwidth)):.7g}"), fix)

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        del key
        a, b = reductions.masses(x_weights, x), reductions.masses(y_weights, y)
        queries = x if at is None else at

        def slope(row):
            index, point = row
            repelling = a
            if at is None:
                repelling = jnp.where(reductions.self_term_mask(self.self_term, index, a.size), a, 0)
                total = jnp.sum(repelling)
                repelling = repelling / jnp.where(total > 0, total, 1)
            return jax.grad(lambda point: self._height(point, y, b) - self._height(point, x, repelling))(point)

        slopes = reductions.over_points(slope, (jnp.arange(queries.shape[0]), queries), x.shape[0] + y.shape[0])
        v = self.manifold.gradient(queries, slopes)
        return DriftOutput(v, {"v_rms": self.manifold.rms(queries, v)})

    def _height(self, point, cloud, masses):
        """r_k, or h^2 log r_k, at one point."""
        scales = jnp.atleast_1d(self.bandwidth).astype(cloud.dtype)
        of = jnp.mean(jnp.stack([masses @ self.manifold.heat_kernel(point, cloud, h) for h in scales]))
        if self.form == "difference":
            return of
        return jnp.mean(scales**2) * jnp.log(jnp.maximum(of, 0) + FLOOR)

    def tags(self) -> Tags:
        flow = "MMD^2(q, p) / 2" if self.form == "difference" and self.self_term == "keep" else None
        return Tags(
            zero_at_equality=self.self_term == "keep",
            curl_free=True,
            flow_of=flow,
            reach="local",
            permutation=self.self_term != "two_batch",
            translation=False,
            rotation=False,
        )
