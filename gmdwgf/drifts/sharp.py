"""Drifts built on the companion k# of a kernel, whose gradient is the kernel's mean shift (arXiv:2604.06333)."""

from collections.abc import Callable

from gmdwgf.config.fields import FieldError, choice, real
from gmdwgf.drifts import parzen, witness
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.pairs import reductions
from gmdwgf.pairs.kernels import KERNELS, LOG_SHARP_KERNELS, Profile
from gmdwgf.typing import Particles, Scalar, Targets


class SharpDrift(StatelessDrift):
    """Mean shifts N_r(x) = E_{z ~ r}[k(x, z) (z - x)] as gradients of a companion kernel: grad_x k#(x, z) = k(x, z) (z - x).

        sharp_normalised:  v = N_p / p# - N_q / q# = grad log(p# / q#),   r#(x) = E_{z ~ r} k#(x, z),
        un_normalised:     v = N_p - N_q.

    Flow of: half the squared MMD of the kernel k# if un-normalised (exactly, v = -n dF/dx_i); nothing if normalised,
    but still a gradient field. Local, except for the un-normalised imq, whose companion -h^2 sqrt(1 + r^2/h^2) is a
    smooth energy kernel and long range. This companion is not positive, so imq cannot be normalised (FieldError).
    Units: `bandwidth` h in data units; v in 1 / data units if normalised (a difference of scores), data units if not.
    Self term: included (its mean shift is 0, but it counts in q#).
    Choose: a conservative alternative to the drift of Deng et al., with the same mean shifts, so that a scalar loss exists.
    Fails: as `kl`; un-normalised, v decays like the kernel and distant particles do not move.
    Cost: one pass over the pairs, O(n (n + m) d), streamed.
    Source: Franz et al. 2026 (arXiv:2604.06333). The Matern and the inverse multiquadric (imq) kernels are ours.
    """

    extrinsic = True

    kernel: str = choice("laplace", "gaussian", "imq", "matern")
    bandwidth: Scalar = real("data units", above=0)
    normalise: str = choice("sharp_normalised", "un_normalised")

    def check_values(self) -> None:
        if self.normalise == "sharp_normalised" and self.kernel not in LOG_SHARP_KERNELS:
            positive = ", ".join(LOG_SHARP_KERNELS)
            raise FieldError(
                "kernel", self.kernel, f"has no positive companion; {positive}, or normalise=un_normalised"
            )

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        del key
        if self.normalise == "sharp_normalised":
            companion = LOG_SHARP_KERNELS[self.kernel]
            return parzen.score_difference(companion, self.bandwidth, x, y, at, x_weights, y_weights)
        x, y, queries = reductions.centred(x, y, x if at is None else at)
        a, b = reductions.masses(x_weights, x), reductions.masses(y_weights, y)
        v = witness.descent(self._companion(), queries, x, a, y, b)
        return DriftOutput(v, {"v_rms": rms(v)})

    @property
    def functional(self) -> Callable[[Particles, Targets], Scalar] | None:
        """Half the squared MMD of k# between the empirical measures; None when normalised, as there is then no flow."""
        if self.normalise == "sharp_normalised":
            return None
        return lambda x, y: reductions.half_mmd2(self._companion().value, x, y)

    def _companion(self) -> Profile:
        """The companion kernel k#, whose gradient weight is k."""
        kernel, h = KERNELS[self.kernel], self.bandwidth
        return Profile(value=lambda r2: kernel.sharp(r2, h), gradient_weight=lambda r2: kernel.value(r2, h))

    def tags(self) -> Tags:
        flow = "MMD^2(q, p) / 2 of the companion kernel k#" if self.normalise == "un_normalised" else None
        return Tags(
            zero_at_equality=True, curl_free=True, flow_of=flow, reach="long" if self.kernel == "imq" else "local"
        )
