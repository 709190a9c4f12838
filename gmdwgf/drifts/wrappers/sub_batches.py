"""Drift on sub-batches: each part of the particles interacts only with its own part of the targets."""

import equinox as eqx
import jax
import jax.numpy as jnp

from gmdwgf.drifts.base import AbstractDrift, DriftOutput, Tags, rms
from gmdwgf.pairs import reductions


class SubBatchDrift(AbstractDrift):
    """Apply `drift` to `n` sub-batches of consecutive rows separately; a drift with state has one state for each.

    Computes a factor `n` fewer pairs than the full batch, but is a different estimator, that of smaller clouds. The result depends
    on `n`, not on the devices that share the sub-batches. With `at` it is the mean velocity over all sub-batches. `info` contains
    means over them.
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
