"""The protocol of a generator."""

import abc
from typing import Any

from gmdwgf.hyperparameters import Configurable
from gmdwgf.typing import Key, Particles

Params = Any
"""A pytree of arrays."""


class AbstractGenerator(Configurable):
    """A one-step generator `x = f(z)`: the module holds its shape, `params` hold its weights."""

    @abc.abstractmethod
    def init(self, key: Key, n: int, dim: int) -> Params:
        """Parameters of a generator of points in `dim` dimensions, to be trained with batches of `n`."""

    @abc.abstractmethod
    def sample(self, params: Params, key: Key, n: int) -> Particles:
        """`n` points `[n dim]`, differentiable in `params`."""

    def loss_scale(self, n: int) -> float:
        """Factor on the gradient of the loss (a mean over the batch of `n`); 1 unless parameters belong to one particle each."""
        del n
        return 1.0
