"""Algorithm 2 with a temperature that is learned while the generator trains."""

from typing import NamedTuple

import jax.numpy as jnp

from gmdwgf.config.fields import choice, flag, real
from gmdwgf.drifts.base import AbstractDrift, Tags
from gmdwgf.drifts.deng import DengDrift
from gmdwgf.pairs import reductions
from gmdwgf.pairs.kernels import distance
from gmdwgf.typing import Array, Float, Particles, Scalar, Targets


class LearnedTemperature(NamedTuple):
    """Logarithm of the temperature, relative to the mean distance of particles and targets."""

    log_temperature: Scalar


class DengLearnedDrift(AbstractDrift):
    """`deng` with one temperature, which descends a contrastive loss by one step before each evaluation.

    With distances d in units of the mean distance l between particles and targets, and masses a of the particles and b of the
    targets, the loss of a temperature t is that of telling targets from other particles by their distance,

        L(t) = -sum_i a_i log (S_i(y) / (S_i(y) + S_i(x without x_i))),     S_i(c) = sum_{j in c} mass_j exp(-d_ij / t),
        log t <- max(log floor, log t - rate dL / d log t),                 v = `deng` at temperature t l.

    A particle that is alone with its kind is told from data at small t, so t grows; among data it falls to the scale at which the
    two laws still differ.
    Flow of: nothing; not curl-free. Long range while t is large: at t = 1 the kernel reaches the mean distance.
    Units: `start` and `floor` are relative to l and have none, so that data need no temperature; v as `deng`, in data units.
    `temperature` in the logs is t l, in data units.
    Self term: that of `deng`; a particle is never its own candidate in the loss.
    Choose: if no temperature is known.
    Fails: where the loss is flat in t, as between equal laws, t wanders; the others of `deng`.
    Cost: `deng` at one temperature and one pass over the pairs more, O(n (n + m) d), streamed.
    Source: a public recipe for conditional speech models, whose optimiser is not stated; the plain step and masses in place of
    positives and negatives are ours. The field: Deng et al. 2026 (arXiv:2602.04770) Algorithm 2.
    """

    start: Scalar = real("mean distances", above=0)
    rate: Scalar = real("none", at_least=0)
    floor: Scalar = real("mean distances", above=0)
    self_mask: bool = flag()
    gain: str = choice("cross", "constant")

    def init(self, key, x, y) -> LearnedTemperature:
        del key, y
        return LearnedTemperature(jnp.log(self.start).astype(x.dtype))

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None):
        slope, length = self.slope(state.log_temperature, x, y, x_weights, y_weights)
        floor = jnp.log(self.floor).astype(x.dtype)
        learned = jnp.maximum(state.log_temperature - self.rate.astype(x.dtype) * slope, floor)
        temperature = length * jnp.exp(learned)
        drift = DengDrift(temperature=temperature[None], self_mask=self.self_mask, gain=self.gain, repulsion="batch")
        output = drift.velocity(x, y, key, at=at, x_weights=x_weights, y_weights=y_weights)
        return output._replace(info=output.info | {"temperature": temperature}), LearnedTemperature(learned)

    def slope(
        self, log_temperature: Scalar, x: Particles, y: Targets, x_weights=None, y_weights=None
    ) -> tuple[Scalar, Scalar]:
        """dL / d log t, which is sum_i a_i (E[d | all] - E[d | targets]) / t, and the mean distance l."""
        a, b = reductions.masses(x_weights, x), reductions.masses(y_weights, y)
        log_masses = jnp.concatenate([reductions.log_masses(y_weights, y), reductions.log_masses(x_weights, x)])
        x, y = reductions.centred(x, y)
        every, m = jnp.concatenate([y, x]), y.shape[0]

        def to_targets(point):
            return b @ distance(reductions.squared_distances(point, y))

        length = a @ reductions.over_points(to_targets, x, m)
        length = jnp.where(length > 0, length, 1)

        def excess(row: tuple[Array, Float[Array, " d"]]) -> Scalar:
            index, point = row
            d = distance(reductions.squared_distances(point, every)) / length
            is_self = jnp.arange(every.shape[0]) == m + index
            logits = jnp.where(is_self, -jnp.inf, log_masses - d * jnp.exp(-log_temperature))
            return reductions.softmax_weights(logits) @ d - reductions.softmax_weights(logits[:m]) @ d[:m]

        rows = jnp.arange(x.shape[0]), x
        return a @ reductions.over_points(excess, rows, every.shape[0]) * jnp.exp(-log_temperature), length

    def tags(self) -> Tags:
        return Tags(zero_at_equality=not self.self_mask, curl_free=False, flow_of=None, reach="long")
