"""The drift of Deng et al. 2026 (arXiv:2602.04770), Algorithm 2 as printed."""

import jax
import jax.numpy as jnp

from gmdwgf.config.fields import flag, reals
from gmdwgf.drifts.affinity import Candidates, joint_drift, laplace
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.pairs import reductions
from gmdwgf.typing import Array, Float


class DengDrift(StatelessDrift):
    """Laplace affinities normalised over rows and columns, with cross weights.

    With K = exp(-|.| / temperature), candidates c = (targets, particles) in one row, and masses one a point:

        A_ic = K_ic / sqrt(sum_c' K_ic' * sum_i' K_i'c),      s+_i = sum_{c in y} A_ic,   s-_i = sum_{c in x} A_ic,
        v(x_i) = s-_i sum_{c in y} A_ic y_c - s+_i sum_{c in x} A_ic x_c,      summed over the temperatures.

    Flow of: nothing; not curl-free. Local: the masses of distant modes do not change.
    Units: `temperature` in data units (scale of an unsquared L2 distance); v in data units, scaled by s+ s-.
    Self term: `self_mask` removes a particle from its own candidates, as in the paper (which adds 1e6 to its distance);
    the velocity is then not zero on identical clouds. With `at` there are no self-pairs, and the column sums are still over the
    particles.
    Guidance negatives are candidates with their weight as multiplicity; as they are not particles, they enter no column sum.
    Choose: to reproduce the paper. The column normalisation strengthens targets that few particles are close to, so temperatures
    below the distance to the data also work.
    Fails: distant modes keep their masses; slow where s+ or s- is small; a temperature above the spacing of modes blurs them.
    Cost: two passes over the pairs for each temperature, O(n (n + m) d), streamed.
    Source: Deng et al. 2026 (arXiv:2602.04770) Algorithm 2. Treating weights as fractional copies of a point is ours.
    """

    extrinsic = True

    temperature: Float[Array, " k"] = reals("data units", above=0)
    self_mask: bool = flag()

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        del key
        n, m = x.shape[0], y.shape[0]
        x_copies, y_copies = n * reductions.masses(x_weights, x), m * reductions.masses(y_weights, y)
        v = self._towards(x, x_copies, y, y_copies, x[:0], x_copies[:0], at)
        return DriftOutput(v, {"v_rms": rms(v)})

    def update_groups(self, states, x, y, keys, *, negatives=None, negative_weights=None):
        del keys
        negatives = x[:, :0] if negatives is None else negatives
        weights = jnp.zeros(negatives.shape[:2], x.dtype) if negative_weights is None else negative_weights
        ones = jnp.ones(x.shape[1], x.dtype), jnp.ones(y.shape[1], y.dtype)
        v = jax.vmap(lambda x, y, others, w: self._towards(x, ones[0], y, ones[1], others, w))(x, y, negatives, weights)
        return DriftOutput(v, {"v_rms": jax.vmap(rms)(v)}), states

    def _towards(self, x, x_copies, y, y_copies, negatives, negative_copies, at=None):
        """Drift with additional negatives, which are candidates in the rows but do not enter the column sums."""
        x, y, negatives, *rest = reductions.centred(x, y, negatives, *(() if at is None else (at,)))
        at = rest[0] if rest else None
        points, copies = jnp.concatenate([x, negatives, y]), jnp.concatenate([x_copies, negative_copies, y_copies])
        candidates = Candidates(points, copies, copies, n_repelling=x.shape[0] + negatives.shape[0])
        mask = jnp.inf if self.self_mask else 0.0
        v = jnp.zeros_like(x if at is None else at)
        for temperature in self.temperature.astype(x.dtype):
            v = v + joint_drift(at, x, x_copies, candidates, laplace(temperature), mask, product_floor=0.0)
        return v

    def tags(self) -> Tags:
        return Tags(zero_at_equality=not self.self_mask, curl_free=False, flow_of=None, reach="local")
