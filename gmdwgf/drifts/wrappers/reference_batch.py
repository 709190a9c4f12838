"""Reference batch: further samples of the model that interact like particles and do not move."""

import equinox as eqx
import jax.numpy as jnp

from gmdwgf.drifts.base import AbstractDrift, DriftOutput, Tags, rms
from gmdwgf.typing import Array


class ReferenceBatchDrift(AbstractDrift):
    """Velocity of the particles `x` in the cloud of `x` and `n` references r together.

        v(x_i) = drift(x and r, y)_i,   i one of the particles.

    Repulsion, column sums, transport plans and critics use all n_x + n_r points as the sample of the model; a self mask excludes
    only the particle itself. r are drawn without a gradient and do not move. If the drift is the flow of F, v is the flow of
    F(x and r) in x: -(n_x + n_r) dF/dx_i. Without `references` (a direct call) it is the drift itself.

    With `n_groups` > 1 (classes, sub-batches) the rows of x and of r are ordered by group, and each group has its share of r.

    Source: Zhang et al. 2026 (arXiv:2606.15553), Table 3.
    """

    drift: AbstractDrift
    n: int = eqx.field(static=True)
    n_groups: int = eqx.field(static=True)

    def init(self, key, x, y):
        return self.drift.init(key, x, y)

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None, references=None):
        if references is None:
            return self.drift.update(state, x, y, key, at=at, x_weights=x_weights, y_weights=y_weights)
        if x_weights is not None:  # a reference counts as much as the mean particle
            x_weights = self._joined(x_weights, jnp.full(references.shape[0], jnp.mean(x_weights), x.dtype))
        whole = self._joined(x, references)
        output, state = self.drift.update(state, whole, y, key, at=at, x_weights=x_weights, y_weights=y_weights)
        if at is not None:
            return output, state
        v = output.v.reshape(self.n_groups, -1, x.shape[1])[:, : x.shape[0] // self.n_groups].reshape(x.shape)
        return DriftOutput(v, output.info | {"v_rms": rms(v)}), state

    def _joined(self, particles: Array, references: Array) -> Array:
        parts = [rows.reshape(self.n_groups, -1, *rows.shape[1:]) for rows in (particles, references)]
        return jnp.concatenate(parts, axis=1).reshape(-1, *particles.shape[1:])

    def n_references(self, n: int, m: int) -> int:
        """Always `n`, the field."""
        del n, m
        return self.n

    def n_stored(self, n: int, m: int) -> int:
        """That of the drift with the references among its particles."""
        return self.drift.n_stored(n + self.n, m)

    def tags(self) -> Tags:
        return self.drift.tags()._replace(zero_at_equality=False, permutation=False)
