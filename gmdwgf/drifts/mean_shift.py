"""Mean shift towards the targets minus mean shift towards the particles, for any radial kernel (arXiv:2602.04770)."""

import jax.numpy as jnp

from gmdwgf.config.fields import choice, real
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.drifts.landmarks import Moments, TargetKernel, attraction
from gmdwgf.pairs import reductions
from gmdwgf.pairs.kernels import KERNELS, LOG_KERNELS
from gmdwgf.typing import Array, Float, Particles, Scalar, Targets, Weights

SELF_TERMS = ("keep", "leave_one_out", "two_batch")

BIAS = ("none", "abc")
"""Corrections of the bias of a barycentre: none, or `Softmax.corrected_mean`."""


def shift_difference(
    kernel: str,
    bandwidth: Scalar,
    self_term: str,
    x: Particles,
    y: Targets,
    at: Float[Array, "k d"] | None,
    x_weights: Weights | None,
    y_weights: Weights | None,
    bias: str = "none",
    moments: Moments | None = None,
) -> DriftOutput:
    """Velocity of `MeanShiftDrift` at `at`, or, when None, at the particles with the self term `self_term`.

    With `moments` the attraction is that of all targets of a data set, through its landmarks, which take the place of `y`.
    """
    x, y, queries = reductions.centred(x, y if moments is None else moments.landmarks, x if at is None else at)
    log_a = reductions.log_masses(x_weights, x)
    log_b = reductions.log_masses(None if moments is not None else y_weights, y)
    log_kernel, n = LOG_KERNELS[kernel].log_value, x.shape[0]
    centre_of = reductions.Softmax.corrected_mean if bias == "abc" else reductions.Softmax.mean

    def shift(row):
        index, point = row
        to_targets = reductions.softmax(log_b + log_kernel(reductions.squared_distances(point, y), bandwidth))
        logits = log_a + log_kernel(reductions.squared_distances(point, x), bandwidth)
        if at is None:
            logits = jnp.where(reductions.self_term_mask(self_term, index, n), logits, -jnp.inf)
        to_particles = reductions.softmax(logits)
        alone = 1 - to_particles.mass  # 1 when the mask leaves no particle: then only the attraction acts
        if moments is None:
            pull, of_targets = centre_of(to_targets, y), to_targets.effective
        else:
            pull, of_targets = attraction(moments, to_targets, y)
        return pull - centre_of(to_particles, x) - alone * point, of_targets

    v, of_targets = reductions.over_points(shift, (jnp.arange(queries.shape[0]), queries), n + y.shape[0])
    told = "effective_targets" if moments is None else "out_of_reach"
    return DriftOutput(v, {"v_rms": rms(v), told: jnp.mean(of_targets)})


def kernel_of_shift(kernel: str, bandwidth: Scalar) -> tuple[TargetKernel, ...]:
    """The kernel of a mean shift, from whose sums over the targets the attraction follows."""
    return (TargetKernel(lambda r2: KERNELS[kernel].value(r2, bandwidth)),)


class MeanShiftDrift(StatelessDrift):
    """Kernel-weighted mean of the targets minus kernel-weighted mean of the particles.

        v(x_i) = m_p(x_i) - m_q(x_i),   m_r(x) = E_{z ~ r}[k(x, z) (z - x)] / E_{z ~ r}[k(x, z)].

    Flow of: nothing; a gradient field for the Gaussian kernel only (then it is the `kl` drift). With the Laplace kernel it is
    the population field of Deng et al., zero everywhere only at q = p. Local: the masses of distant modes do not change (with
    Laplace they relax in a time that grows exponentially with distance / h). Only imq is long range: a mode at a large
    distance has the weight h / distance, so its attraction is h times the ratio of the masses, independent of the distance.
    Units: `bandwidth` h in data units; v in data units.
    Self term: `keep` includes the particle itself (exactly zero on identical clouds), `leave_one_out` excludes it,
    `two_batch` uses the other half of the batch.
    Bias: m_p and m_q are ratios of means over a batch, with a bias of order 1 / batch size; `bias: abc` removes it to that order from
    both (`reductions.Softmax.corrected_mean`). What this changes is measured in experiments/additions.
    Choose: the drift of Deng et al. without their normalisation, or with another kernel.
    Fails: as `kl`; for all kernels but the Gaussian there is curl, and no functional need decrease during training.
    Cost: one pass over the pairs, O(n (n + m) d), streamed.
    Source: Deng et al. 2026 (arXiv:2602.04770) Eq. 8-12; only the Gaussian kernel is conservative: Franz et al. 2026
    (arXiv:2604.06333); the Laplace field: Balasubramanian 2026 (arXiv:2605.22795), in high dimension close to a difference of scores:
    Lai et al. 2026 (arXiv:2603.07514); abc: Zhang et al. 2026 (arXiv:2604.27239). The Matern and the inverse multiquadric (imq)
    kernels are ours.
    """

    extrinsic = True

    kernel: str = choice("laplace", "gaussian", "imq", "matern")
    bandwidth: Scalar = real("data units", above=0)
    self_term: str = choice(*SELF_TERMS)
    bias: str = choice(*BIAS, default="none")

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None, moments=None) -> DriftOutput:
        del key
        shift = (self.kernel, self.bandwidth, self.self_term)
        found = None if moments is None else moments[0]
        return shift_difference(*shift, x, y, at, x_weights, y_weights, self.bias, found)

    def target_kernels(self) -> tuple[TargetKernel, ...]:
        return kernel_of_shift(self.kernel, self.bandwidth)

    def tags(self) -> Tags:
        return Tags(
            zero_at_equality=self.self_term == "keep",
            curl_free=self.kernel == "gaussian",
            flow_of=None,
            reach="long" if self.kernel == "imq" else "local",
            permutation=self.self_term != "two_batch",
        )
