"""The drift of Deng et al. 2026 (arXiv:2602.04770), Algorithm 2 as printed."""

import jax
import jax.numpy as jnp

from gmdwgf.config.fields import choice, flag, reals
from gmdwgf.drifts.affinity import Candidates, joint_drift, laplace
from gmdwgf.drifts.affinity_of_all import joint_drift_to_all
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.drifts.landmarks import TargetKernel
from gmdwgf.pairs import reductions
from gmdwgf.typing import Array, Float


class DengDrift(StatelessDrift):
    """Laplace affinities normalised over rows and columns, with cross weights.

    With K = exp(-|.| / temperature), candidates c = (targets, particles) in one row, and masses one a point:

        A_ic = K_ic / sqrt(sum_c' K_ic' * sum_i' K_i'c),      s+_i = sum_{c in y} A_ic,   s-_i = sum_{c in x} A_ic,
        v(x_i) = s-_i sum_{c in y} A_ic y_c - s+_i sum_{c in x} A_ic x_c,      summed over the temperatures.

    `gain: constant` divides v by s+ s-: v = sum_{c in y} A_ic y_c / s+_i - sum_{c in x} A_ic x_c / s-_i.
    Flow of: nothing; not curl-free. Local: the masses of distant modes do not change.
    Units: `temperature` in data units (scale of an unsquared L2 distance); v in data units, with `gain: cross` scaled by s+ s-.
    Self term: `self_mask` removes a particle from its own candidates, as in the paper (which adds 1e6 to its distance);
    the velocity is then not zero on identical clouds. `repulsion: reference` repels from as many further samples of the model
    instead, which do not move, and masks nothing (cross-fitting); without them (free particles, wrapped drifts, a direct call) each
    half of the batch repels the other. What `gain` and `repulsion` change is measured in experiments/additions. With `at` there are
    no self-pairs, and the column sums are still over the particles.
    Guidance negatives are candidates with their weight as multiplicity; as they are not particles, they enter no column sum.
    Choose: to reproduce the paper. The column normalisation strengthens targets that few particles are close to, so temperatures
    below the distance to the data also work.
    Fails: distant modes keep their masses; slow where s+ or s- is small; a temperature above the spacing of modes blurs them.
    Cost: two passes over the pairs for each temperature, O(n (n + m) d), streamed.
    Source: Deng et al. 2026 (arXiv:2602.04770) Algorithm 2; compared with the Sinkhorn flow: Gretton et al. 2026 (arXiv:2605.05118).
    Treating weights as fractional copies of a point is ours.
    """

    extrinsic = True

    temperature: Float[Array, " k"] = reals("data units", above=0)
    self_mask: bool = flag()
    gain: str = choice("cross", "constant", default="cross")
    repulsion: str = choice("batch", "reference", default="batch")

    def velocity(
        self, x, y, key, *, at=None, x_weights=None, y_weights=None, references=None, moments=None
    ) -> DriftOutput:
        del key
        n, m = x.shape[0], y.shape[0]
        x_cloud = x, n * reductions.masses(x_weights, x)
        y_cloud = y, m * reductions.masses(y_weights, y)
        none = x[:0], x_cloud[1][:0]
        if references is not None:
            others = references, jnp.full(len(references), n / len(references), x.dtype)
            v = self._towards(x_cloud, y_cloud, others, at, masked=False, moments=moments)
        elif self.repulsion == "reference" and at is None and n > 1:
            v = self._halves(x_cloud, y_cloud, none, moments)
        else:
            masked = self.self_mask and self.repulsion == "batch"
            v = self._towards(x_cloud, y_cloud, x_cloud, at, masked=masked, moments=moments)
        return DriftOutput(v, {"v_rms": rms(v)})

    def update_groups(self, states, x, y, keys, *, negatives=None, negative_weights=None):
        del keys
        negatives = x[:, :0] if negatives is None else negatives
        weights = jnp.zeros(negatives.shape[:2], x.dtype) if negative_weights is None else negative_weights
        ones = jnp.ones(x.shape[1], x.dtype), jnp.ones(y.shape[1], y.dtype)

        def one(x, y, others, w):
            x_cloud, y_cloud, negatives = (x, ones[0]), (y, ones[1]), (others, w)
            if self.repulsion == "reference" and x.shape[0] > 1:
                return self._halves(x_cloud, y_cloud, negatives)
            masked = self.self_mask and self.repulsion == "batch"
            return self._towards(x_cloud, y_cloud, _joined(x_cloud, negatives), masked=masked)

        v = jax.vmap(one)(x, y, negatives, weights)
        return DriftOutput(v, {"v_rms": jax.vmap(rms)(v)}), states

    def _halves(self, x_cloud, y_cloud, negatives, moments=None):
        """Drift of each half of the particles, repelled by the other half, which counts twice; so do the columns of its own."""
        (x, copies), half = x_cloud, x_cloud[0].shape[0] // 2
        scaled = lambda part: (x[part], copies[part] * jnp.sum(copies) / jnp.sum(copies[part]))
        first, second = scaled(slice(half)), scaled(slice(half, None))
        towards = lambda one, other: self._towards(
            one, y_cloud, _joined(other, negatives), masked=False, moments=moments
        )
        return jnp.concatenate([towards(first, second), towards(second, first)])

    def _towards(self, x_cloud, y_cloud, repelling, at=None, *, masked, moments=None):
        """Drift away from the cloud `repelling`, which begins with the particles if they are `masked`; clouds have multiplicities.

        Only the particles enter the column sums.
        """
        (x, x_copies), (y, y_copies), (others, copies) = x_cloud, y_cloud, repelling
        n_targets = y.shape[0]
        y = y if moments is None else moments[0].landmarks
        x, y, others, *rest = reductions.centred(x, y, others, *(() if at is None else (at,)))
        at, mask = rest[0] if rest else None, jnp.inf if masked else 0.0
        v = jnp.zeros_like(x if at is None else at)
        for index, temperature in enumerate(self.temperature.astype(x.dtype)):
            kernel = laplace(temperature)
            if moments is None:
                every, of_all = jnp.concatenate([others, y]), jnp.concatenate([copies, y_copies])
                candidates = Candidates(every, of_all, of_all, n_repelling=others.shape[0])
                v = v + joint_drift(at, x, x_copies, candidates, kernel, mask, 0.0, self.gain)
            else:
                sums = moments[index], y, n_targets
                v = v + joint_drift_to_all(at, x, x_copies, others, copies, *sums, kernel, mask, self.gain)
        return v

    def n_references(self, n: int, m: int) -> int:
        """As many as particles, in whose place they repel."""
        del m
        return n if self.repulsion == "reference" else 0

    def target_kernels(self) -> tuple[TargetKernel, ...]:
        of = lambda temperature: TargetKernel(lambda r2: jnp.exp(laplace(temperature)(r2)), has_columns=True)
        return tuple(of(temperature) for temperature in self.temperature)

    def tags(self) -> Tags:
        same = self.repulsion == "batch"
        return Tags(
            zero_at_equality=same and not self.self_mask,
            curl_free=False,
            flow_of=None,
            reach="local",
            permutation=same,
        )


def _joined(one: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[Array, Array]:
    """Points and multiplicities of two clouds as one."""
    return jnp.concatenate([one[0], other[0]]), jnp.concatenate([one[1], other[1]])
