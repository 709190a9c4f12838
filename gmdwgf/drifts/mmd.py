"""Wasserstein gradient flow of half the squared maximum mean discrepancy (Arbel et al. 2019, arXiv:1906.04370)."""

import jax
import jax.numpy as jnp
from jax.core import Tracer

from gmdwgf.config.fields import FieldError, choice, real, reals
from gmdwgf.drifts import witness
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.drifts.heat import HeatDrift
from gmdwgf.drifts.landmarks import TargetKernel
from gmdwgf.pairs import kernels, reductions
from gmdwgf.typing import Array, Float, Particles, Scalar, Targets

LONG_RANGE = ("energy", "riesz")


class MMDDrift(StatelessDrift):
    """Gradient of the targets' kernel mean minus gradient of the particles' kernel mean.

        v(x_i) = mean_j grad_1 k(x_i, y_j) - mean_l grad_1 k(x_i, x_l),   k the mean of the kernels of all bandwidths.

    Flow of: F(q) = MMD^2(q, p) / 2, exactly, for the empirical measure of the particles (v = -n dF/dx_i).
    Units: `bandwidth` in data units, one or a list. The energy kernel -|x - y| and the Riesz kernel -|x - y|^exponent ignore it.
    Only the Riesz kernel uses `exponent`, in (0, 2); with exponent 1 it is the energy kernel. With an exponent below 1 its
    gradient is unbounded at coincident points, so steps must be small compared with the distance between particles.
    `noise` (data units) evaluates the velocity at x + noise * N(0, I) (Arbel et al. 2019, section 4). The tags hold for 0.
    Self term: `v` divides the repulsion by n and includes the particle itself (its gradient is 0), `u` by n - 1 and excludes it.
    Local for kernels with a bandwidth, long range for energy and Riesz.
    Manifolds: the tangent part, the Riemannian gradient flow of F for the kernel of the embedded points. `kernel` `heat` is the heat
    kernel of the manifold at time bandwidth^2 / 2 (`HeatDrift`), in flat space the Gaussian.
    Choose: energy has no parameters, is long range, an exact flow, and has little sampling noise. Use it for small batches.
    Fails: energy and wide kernels are insensitive to fine structure, which is learned last; Gaussian kernels do not move distant
    particles.
    Cost: one pass over the pairs, O(n (n + m) d), streamed: the lowest of all pairwise drifts.
    Source: Arbel et al. 2019 (arXiv:1906.04370); energy: Székely and Rizzo 2013; Riesz: Hertrich et al. 2024 (arXiv:2305.11463); as a
    drift: Gretton et al. 2026 (arXiv:2605.05118). The gradient of the training loss is 2 eta times that of F on the batch: generators
    are trained as by Li, Swersky and Zemel 2015 (arXiv:1502.02761) and, with `u`, by Dziugaite, Roy and Ghahramani 2015
    (arXiv:1505.03906).
    """

    extrinsic = True

    kernel: str = choice("gaussian", "laplace", "imq", "matern", "energy", "riesz", "heat")
    bandwidth: Float[Array, " k"] = reals("data units", above=0, ignored_when={"kernel": LONG_RANGE})
    exponent: Scalar = real(
        "power of the distance",
        above=0,
        below=2,
        ignored_when={"kernel": ("gaussian", "laplace", "imq", "matern", "energy", "heat")},
    )
    estimator: str = choice("v", "u")
    noise: Scalar = real("data units", at_least=0)

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None, moments=None) -> DriftOutput:
        queries = x + self.noise * jax.random.normal(key, x.shape, jnp.float32).astype(x.dtype) if at is None else at
        x, y, queries = reductions.centred(x, y if moments is None else moments[0].landmarks, queries)
        a = reductions.masses(x_weights, x)
        b = reductions.masses(y_weights, y) if moments is None else moments[0].weights

        def without_itself(index):
            others = jnp.where(jnp.arange(a.size) == index, 0, a)
            total = jnp.sum(others)
            return others / jnp.where(total > 0, total, 1)

        masses = without_itself if self.estimator == "u" and at is None else a
        v = witness.descent(self._kernel(), queries, x, masses, y, b)
        return DriftOutput(v, {"v_rms": rms(v)})

    def target_kernels(self) -> tuple[TargetKernel, ...]:
        return (TargetKernel(self._kernel().value, is_definite=self.kernel not in LONG_RANGE),)

    def functional(self, x: Particles, y: Targets) -> Scalar:
        """Half the squared MMD between the empirical measures (V-statistic)."""
        return reductions.half_mmd2(self._kernel().value, x, y)

    def _kernel(self) -> kernels.Profile:
        if self.kernel == "riesz":
            return kernels.riesz_kernel(self.exponent)
        return kernels.mean_kernel("gaussian" if self.kernel == "heat" else self.kernel, self.bandwidth)

    def geodesic(self, manifold):
        if not isinstance(self.noise, Tracer) and self.noise > 0:
            raise FieldError(
                "noise", float(f"{float(self.noise):.7g}"), f"must be 0 on manifold={manifold.name}: noise leaves it"
            )
        if self.kernel != "heat":
            return None
        self_term = "keep" if self.estimator == "v" else "leave_one_out"
        return HeatDrift(manifold, self.bandwidth, "difference", self_term)

    def tags(self) -> Tags:
        return Tags(
            zero_at_equality=self.estimator == "v",
            curl_free=True,
            flow_of="MMD^2(q, p) / 2" if self.estimator == "v" else None,
            reach="long" if self.kernel in LONG_RANGE else "local",
        )
