"""A placeholder for the target of a run that is loaded without its data."""

import equinox as eqx
import jax

from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Array, Int, Key, Targets


class AbsentTarget(AbstractTarget):
    """Placeholder with the dimension and number of classes of a target; its samples are standard normal noise."""

    sizes: tuple[int, int] = eqx.field(static=True)
    """Dimension and number of classes."""

    @property
    def dim(self) -> int:
        return self.sizes[0]

    @property
    def n_classes(self) -> int:
        return self.sizes[1]

    def sample(self, key: Key, n: int) -> Targets:
        return jax.random.normal(key, (n, self.dim))

    def sample_of(self, key: Key, labels: Int[Array, " n"]) -> Targets:
        return self.sample(key, labels.shape[0])
