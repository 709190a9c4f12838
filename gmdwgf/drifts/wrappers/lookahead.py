"""Lookahead: several steps of the flow of a batch before the regression."""

import equinox as eqx
import jax
import jax.numpy as jnp

from gmdwgf.drifts.base import AbstractDrift, DriftOutput, Tags
from gmdwgf.typing import Scalar

WEIGHTS = ("equal", "harmonic")


class LookaheadDrift(AbstractDrift):
    """Weighted sum of the velocities along `n` Euler steps of the batch towards the same targets.

        v = sum_k w_k v_k,   v_k = drift(x^k, y),   x^1 = x,   x^(k+1) = x^k + eta v_k,   k = 1 .. n.

    `equal`: w_k = 1, and the goal x + eta v is x^(n+1). `harmonic`: w_k = 1/k. The weights of the source are not published; both are
    ours. `info` is that of the first step. References that a drift draws itself would stay behind the particles, so it draws
    none: the Sinkhorn drift then compares halves. With `at` it is the drift itself.

    Source: Zhang et al. 2026 (arXiv:2605.04060).
    """

    drift: AbstractDrift
    n: int = eqx.field(static=True)
    weights: str = eqx.field(static=True)
    eta: Scalar

    def init(self, key, x, y):
        return self.drift.init(key, x, y)

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None):
        weights = {"x_weights": x_weights, "y_weights": y_weights}
        if at is not None:
            return self.drift.update(state, x, y, key, at=at, **weights)

        def ahead(carry, key):
            state, x = carry
            output, state = self.drift.update(state, x, y, key, **weights)
            return (state, x + self.eta * output.v), output

        (state, _), outputs = jax.lax.scan(ahead, (state, x), jax.random.split(key, self.n))
        k = jnp.arange(1, self.n + 1, dtype=x.dtype)
        v = jnp.tensordot(jnp.ones_like(k) if self.weights == "equal" else 1 / k, outputs.v, axes=1)
        return DriftOutput(v, jax.tree.map(lambda values: values[0], outputs.info)), state

    def n_stored(self, n: int, m: int) -> int:
        """That of the drift."""
        return self.drift.n_stored(n, m)

    def tags(self) -> Tags:
        return self.drift.tags()._replace(flow_of=None)
