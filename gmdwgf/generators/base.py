"""Interface of a generator."""

import abc
import functools
import math
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import jax
import optax

from gmdwgf.config.fields import Configurable, FieldError
from gmdwgf.typing import Array, Float, Int, Key, Particles, PyTree

Params = PyTree
"""A pytree of arrays."""


class Condition(NamedTuple):
    """Inputs of a conditional generator besides noise, one entry for each point."""

    label: Int[Array, " n"]
    """Class of each point, 0, 1, ..."""
    guidance: Float[Array, " n"]
    """Guidance scale of each point; 1 is no guidance."""


class AbstractGenerator(Configurable):
    """A one-step generator `x = f(z)` or `x = f(z, condition)`. The module stores the architecture, `params` the weights."""

    draws_anew: ClassVar[bool] = True
    """Whether another key gives other points; free particles are always the same ones."""

    @abc.abstractmethod
    def init(self, key: Key, n: int, dim: int, n_classes: int = 0) -> Params:
        """Initialise parameters for points in `dim` dimensions, trained with batches of size `n`.

        With `n_classes` > 0 the generator is conditional. Raises FieldError (`n_classes`) if it does not support classes.
        """

    @abc.abstractmethod
    def sample(self, params: Params, key: Key, n: int, condition: Condition | None = None) -> Particles:
        """Generate `n` points `[n dim]`, differentiable in `params`; `condition` has one entry for each point."""

    def riemannian(self, params: Params, gradient: Params) -> Params:
        """Gradient in the geometry of the parameters; the gradient itself where they are flat."""
        del params
        return gradient

    def moved(self, params: Params, updates: Params) -> Params:
        """Parameters after the updates of an optimiser: their sum where they are flat, otherwise the end of a geodesic."""
        return optax.apply_updates(params, updates)

    def loss_scale(self, n: int) -> float:
        """Factor on the gradient of the loss, a mean over a batch of `n`; n if each particle has its own parameters, otherwise 1."""
        del n
        return 1.0


def n_parameters(generator: AbstractGenerator, n: int, dim: int, n_classes: int = 0) -> int:
    """Count the parameters for batches of `n` points in `dim` dimensions, without allocating them.

    Raises FieldError if the generator does not support these sizes.
    """
    shapes = jax.eval_shape(_initialised(n, dim, n_classes), generator)
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))


@functools.lru_cache(maxsize=128)
def _initialised(n: int, dim: int, n_classes: int) -> Callable[[AbstractGenerator], Params]:
    """Function that initialises the parameters of a generator; jitted, so that each architecture is traced once in a process."""
    return jax.jit(lambda generator: generator.init(jax.random.key(0), n, dim, n_classes))


def check_condition(conditional: bool, condition: Condition | None) -> None:
    """Raise ValueError if a conditional generator has no condition, or an unconditional one has."""
    if conditional != (condition is not None):
        needs, given = ("need a", "none is given") if conditional else ("take no", "one is given")
        raise ValueError(f"parameters of this generator {needs} condition, but {given}")


def check_shape(shape: tuple[int, ...], dim: int) -> None:
    """Raise FieldError unless images of `shape` have `dim` entries."""
    if math.prod(shape) != dim:
        fix = f"has {math.prod(shape)} entries, but points of the target have {dim}; give their height, width and channels"
        raise FieldError("shape", list(shape), fix)


def unconditional(name: str, n_classes: int) -> None:
    """Raise FieldError if `n_classes` > 0, for generators that do not support classes."""
    if n_classes:
        raise FieldError("generator", name, "does not support classes; use mlp, conv or dit", section="")
