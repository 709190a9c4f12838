"""A target of which only the sizes are known: for a run that is read back without its data."""

import equinox as eqx
import jax

from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Array, Int, Key, Targets


class AbsentTarget(AbstractTarget):
    """Stands where a target stood, with its dimension and classes; its points are normal noise and mean nothing."""

    dim: int = eqx.field(static=True)  # type: ignore[assignment]
    n_classes: int = eqx.field(static=True)  # type: ignore[assignment]

    def sample(self, key: Key, n: int) -> Targets:
        return jax.random.normal(key, (n, self.dim))

    def sample_of(self, key: Key, labels: Int[Array, " n"]) -> Targets:
        return self.sample(key, labels.shape[0])
