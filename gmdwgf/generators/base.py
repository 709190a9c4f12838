"""The protocol of a generator."""

import abc
import math
from typing import Any, NamedTuple

import jax

from gmdwgf.config.fields import Configurable, FieldError
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


def n_parameters(generator: AbstractGenerator, n: int, dim: int, n_classes: int = 0) -> int:
    """How many numbers are trained, for batches of `n` points in `dim` dimensions; nothing is allocated.

    Raises FieldError where the generator cannot make such points.
    """
    shapes = jax.eval_shape(lambda: generator.init(jax.random.key(0), n, dim, n_classes))
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))


def check_condition(conditional: bool, condition: Condition | None) -> None:
    """Raise ValueError unless a conditional generator is told of its points, and any other is not."""
    if conditional != (condition is not None):
        asks, does = ("needs", "is not given one") if conditional else ("takes no", "is given one")
        raise ValueError(f"a generator of these parameters {asks} condition and {does}")


def check_shape(shape: tuple[int, ...], dim: int) -> None:
    """Raise FieldError unless pictures of `shape` are points in `dim` dimensions."""
    if math.prod(shape) != dim:
        fix = (
            f"has {math.prod(shape)} numbers and the points of the dataset {dim}; give their height, width and channels"
        )
        raise FieldError("shape", list(shape), fix)


def unconditional(name: str, n_classes: int) -> None:
    """Raise FieldError if a generator that cannot be conditional is asked to."""
    if n_classes:
        raise FieldError("generator", name, "cannot be conditional; take mlp, conv or dit", section="")
