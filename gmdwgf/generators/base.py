"""The protocol of a generator."""

import abc
from typing import Any, NamedTuple

from gmdwgf.hyperparameters import Configurable, FieldError
from gmdwgf.typing import Array, Float, Int, Key, Particles

Params = Any
"""A pytree of arrays."""


class Condition(NamedTuple):
    """What a conditional generator is told of each point."""

    label: Int[Array, " n"]
    """The class that is asked for, 0, 1, ..."""
    guidance: Float[Array, " n"]
    """How far the guided law leans away from the unconditional one; 1 is no guidance."""


class AbstractGenerator(Configurable):
    """A one-step generator `x = f(z)`, or `x = f(z, condition)`: the module holds its shape, `params` hold its weights."""

    @abc.abstractmethod
    def init(self, key: Key, n: int, dim: int, n_classes: int = 0) -> Params:
        """Parameters of a generator of points in `dim` dimensions, to be trained with batches of `n`.

        With `n_classes` it is conditional. Raises FieldError (`n_classes`) where this generator cannot be.
        """

    @abc.abstractmethod
    def sample(self, params: Params, key: Key, n: int, condition: Condition | None = None) -> Particles:
        """`n` points `[n dim]`, differentiable in `params`; with `condition` one for each of its entries."""

    def loss_scale(self, n: int) -> float:
        """Factor on the gradient of the loss (a mean over the batch of `n`); 1 unless parameters belong to one particle each."""
        del n
        return 1.0


def unconditional(name: str, n_classes: int) -> None:
    """Raise FieldError if a generator that cannot be conditional is asked to."""
    if n_classes:
        raise FieldError("n_classes", n_classes, f"the generator {name} cannot be conditional; take mlp, conv or dit")
