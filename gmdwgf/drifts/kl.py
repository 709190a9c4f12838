"""Difference of Gaussian Parzen scores, which has the fixed point of the KL flow (arXiv:2605.05118)."""

from gmdwgf.config.fields import FieldError, choice, real
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags
from gmdwgf.drifts.heat import HeatDrift
from gmdwgf.drifts.landmarks import TargetKernel
from gmdwgf.drifts.mean_shift import BIAS, SELF_TERMS, kernel_of_shift, shift_difference
from gmdwgf.typing import Scalar


class KLDrift(StatelessDrift):
    """Mean shift towards the targets minus mean shift towards the particles, with a Gaussian kernel.

        v(x_i) = sum_j softmax_j(-|x_i - y_j|^2 / 2h^2) y_j - sum_l softmax_l(-|x_i - x_l|^2 / 2h^2) x_l
               = h^2 (grad log p_h - grad log q_h)(x_i),   p_h, q_h the Parzen densities of bandwidth h.

    Flow of: nothing. It is the velocity of KL(q || p) with both scores smoothed, and shares only the fixed point p = q with the
    flow of a smoothed KL, which is the drift `kl_wgf`. Insensitive to the relative masses of modes that are more than a few
    bandwidths apart. Equal to `mean_shift` with the Gaussian kernel.
    Units: `bandwidth` h in data units, the standard deviation of the kernel; v in data units.
    Self term: `keep` includes the particle itself (exactly zero on identical clouds), which narrows the learned distribution
    where a batch has few points within h; `leave_one_out` excludes it and has no such bias; `two_batch` uses the other half
    of the batch, which widens the learned distribution (all measured in experiments/fixed_point).
    Bias: `bias: abc` corrects both barycentres for the size of the batch, to first order. The drift then is h^2 times the gradient
    of log p_h + S_p / 2 - log q_h - S_q / 2, with S_r(x) the sum of the squared weights of the points of r at x.
    Manifolds: the tangent part, on the sphere h^2 times the gradient of log p_h - log q_h for the von Mises-Fisher kernel
    exp(<x, y> / h^2). `kernel` `heat` is the heat kernel of the manifold at time h^2 / 2 (`HeatDrift`), in flat space the Gaussian.
    Choose: the simplest drift, as a baseline; data of one length scale, close to the initial samples.
    Fails: h below the distance to the data sends all samples to one mode, h above the spacing of modes blurs them; distant
    modes keep their masses, since scores hardly depend on these (Wenliang and Kanagawa 2020, arXiv:2008.10087); coincident particles
    without attraction stay together (unstable: noise separates them).
    Cost: one pass over the pairs, O(n (n + m) d), streamed.
    Source: Deng et al. 2026 (arXiv:2602.04770) Eq. 8-11; Gretton et al. 2026 (arXiv:2605.05118); a difference of scores as a flow
    that reduces KL(q || p): Weber 2023 (arXiv:2304.12906); a Gaussian mean shift as one of the smoothed laws: Lai et al. 2026
    (arXiv:2603.07514); abc: Zhang et al. 2026 (arXiv:2604.27239).
    """

    extrinsic = True

    bandwidth: Scalar = real("data units (standard deviation)", above=0)
    self_term: str = choice(*SELF_TERMS)
    bias: str = choice(*BIAS, default="none")
    kernel: str = choice("gaussian", "heat", default="gaussian")

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None, moments=None) -> DriftOutput:
        del key
        shift = ("gaussian", self.bandwidth, self.self_term)
        found = None if moments is None else moments[0]
        return shift_difference(*shift, x, y, at, x_weights, y_weights, self.bias, found)

    def target_kernels(self) -> tuple[TargetKernel, ...]:
        return kernel_of_shift("gaussian", self.bandwidth)

    def geodesic(self, manifold):
        if self.kernel != "heat":
            return None
        if self.bias != "none":
            raise FieldError("bias", self.bias, "must be none with kernel=heat, whose mean shift has no barycentres")
        return HeatDrift(manifold, self.bandwidth, "log_ratio", self.self_term)

    def tags(self) -> Tags:
        return Tags(
            zero_at_equality=self.self_term == "keep",
            curl_free=True,
            flow_of=None,
            reach="local",
            permutation=self.self_term != "two_batch",
        )
