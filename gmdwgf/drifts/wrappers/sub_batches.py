"""A field of sub-batches: each part of the particles sees only its own part of the targets."""

import equinox as eqx
import jax
import jax.numpy as jnp

from gmdwgf.drifts.base import AbstractDrift, DriftOutput, Tags, rms
from gmdwgf.pairs import reductions


class SubBatchDrift(AbstractDrift):
    """`drift` asked of `n` sub-batches by themselves, in the order of the rows; a drift with state keeps one for each.

    Cheaper than the full batch, which sees n x m pairs, by a factor `n`, and a different estimator: that of smaller clouds.
    Its numbers depend on `n` and not on the devices that share the sub-batches. Away from the particles it is the mean of the
    fields of all sub-batches. `info` holds means over them.
    """

    drift: AbstractDrift
    n: int = eqx.field(static=True)

    def init(self, key, x, y):
        return jax.vmap(self.drift.init)(jax.random.split(key, self.n), self._parts(x), self._parts(y))

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None):
        def one(part):
            state, key, x, y, a, b = part
            return self.drift.update(state, x, y, key, at=at, x_weights=a, y_weights=b)

        weights = (None if masses is None else self._parts(masses) for masses in (x_weights, y_weights))
        parts = (state, jax.random.split(key, self.n), self._parts(x), self._parts(y), *weights)
        output, state = reductions.over_devices(lambda share: jax.lax.map(one, share), parts)
        v = output.v.reshape(x.shape) if at is None else jnp.mean(output.v, axis=0)
        return DriftOutput(v, jax.tree.map(jnp.mean, output.info) | {"v_rms": rms(v)}), state

    def _parts(self, rows):
        return rows.reshape(self.n, rows.shape[0] // self.n, *rows.shape[1:])

    def tags(self) -> Tags:
        return self.drift.tags()._replace(zero_at_equality=False, flow_of=None, permutation=False)
