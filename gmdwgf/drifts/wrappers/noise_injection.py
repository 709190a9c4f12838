"""Noise injection: the drift is evaluated at noisy particles."""

import jax
import jax.numpy as jnp

from gmdwgf.drifts.base import AbstractDrift, Tags
from gmdwgf.typing import Scalar


class NoiseInjectionDrift(AbstractDrift):
    """Velocity at x + noise * N(0, I), in the field of the particles x themselves.

    The noisy points are not particles: they have no self-pairs, so the self terms `leave_one_out` and `two_batch` use all
    particles, as with `at`.

    Source: Arbel et al. 2019 (arXiv:1906.04370), section 4.
    """

    drift: AbstractDrift
    noise: Scalar

    def init(self, key, x, y):
        return self.drift.init(key, x, y)

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None, **references):
        key_noise, key = jax.random.split(key)
        noise = self.noise * jax.random.normal(key_noise, x.shape, jnp.float32).astype(x.dtype)
        queries = x + noise if at is None else at  # no mutants (sign flipped): symmetric noise
        weights = {"x_weights": x_weights, "y_weights": y_weights}
        return self.drift.update(state, x, y, key, at=queries, **weights, **references)

    def n_references(self, n: int, m: int) -> int:
        """Those of the drift."""
        return self.drift.n_references(n, m)

    def n_stored(self, n: int, m: int) -> int:
        """That of the drift."""
        return self.drift.n_stored(n, m)

    def tags(self) -> Tags:
        return self.drift.tags()._replace(zero_at_equality=False, flow_of=None, permutation=False, rotation=False)
