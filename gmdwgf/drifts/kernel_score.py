"""Difference of kernel scores for any positive kernel: kernel-gradient drifting (arXiv:2605.10727)."""

from gmdwgf.config.fields import choice, real
from gmdwgf.drifts import parzen
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags
from gmdwgf.pairs.kernels import LOG_KERNELS
from gmdwgf.typing import Scalar


class KernelScoreDrift(StatelessDrift):
    """Score of the targets' kernel density estimate minus that of the particles'.

        v(x) = grad log p_k(x) - grad log q_k(x),   r_k(x) = mean_{z ~ r} k(x, z),
        for the Laplace kernel  grad log r_k = E[k (z - x) / |z - x|] / (h E[k]),  with 0 for self-pairs.

    Flow of: nothing; a gradient field that vanishes everywhere only at q = p, as k is characteristic (all four kernels are).
    With the Gaussian kernel it is the `kl` drift divided by h^2. Local: the masses of distant modes do not change.
    Units: `bandwidth` h in data units; v in 1 / data units (the velocity of a KL, not multiplied by h^2).
    Self term: included.
    Choose: a curl-free drift with heavier tails than the Gaussian: Laplace attracts from further away at the same h.
    Fails: as `kl`; with Laplace, |v| stays of the order 1/h between two points that nearly coincide, so the particles keep
    oscillating at the end.
    Cost: one pass over the pairs, O(n (n + m) d), streamed.
    Source: Esteban-Casadevall et al. 2026 (arXiv:2605.10727); convergence of the conservative field: Balasubramanian 2026
    (arXiv:2605.22795). The Matern and the inverse multiquadric (imq) kernels are ours.
    """

    kernel: str = choice("laplace", "gaussian", "imq", "matern")
    bandwidth: Scalar = real("data units", above=0)

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        del key
        kernel = LOG_KERNELS[self.kernel]
        return parzen.score_difference(kernel, self.bandwidth, x, y, at, x_weights, y_weights)

    def tags(self) -> Tags:
        return Tags(zero_at_equality=True, curl_free=True, flow_of=None, reach="local")
