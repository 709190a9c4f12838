"""Schedules: pure functions of the step with traced parameters, so that changing them does not recompile.

| name | value at step t, with s = min(t / n_steps, 1) |
|---|---|
| constant | value |
| linear | start + s (end - start) |
| exponential | start (end / start)^s |
| cosine | end + (start - end) (1 + cos(pi s)) / 2 |
| step | values[k], k the number of boundaries <= t |
"""

import abc
import functools
from typing import Any, TypeVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gmdwgf.config.fields import Configurable, FieldError, real, reals
from gmdwgf.typing import Array, Float, Scalar

__all__ = [
    "AbstractSchedule",
    "Constant",
    "Cosine",
    "Exponential",
    "Linear",
    "SCHEDULES",
    "Step",
    "value_at",
    "with_value",
]


class AbstractSchedule(Configurable):
    """Abstract base class of schedules, which map a step to a number."""

    @abc.abstractmethod
    def __call__(self, step: Scalar) -> Scalar:
        """The value at `step`."""

    @abc.abstractmethod
    def turns(self) -> list[float]:
        """Steps between which the value is monotone; bounds that hold at these steps hold for the entire run."""


class Constant(AbstractSchedule):
    """The same value at every step."""

    value: Scalar = real()

    def __call__(self, step: Scalar) -> Scalar:
        return self.value + 0 * step  # no mutants (sign flipped): nothing is added

    def turns(self) -> list[float]:
        return [0]


class AbstractRamp(AbstractSchedule):
    """Abstract base class of ramps from `start` to `end` in `n_steps` steps, constant afterwards."""

    start: eqx.AbstractVar[Scalar]
    end: eqx.AbstractVar[Scalar]
    n_steps: eqx.AbstractVar[Scalar]

    @abc.abstractmethod
    def between(self, s: Scalar) -> Scalar:
        """The value at the fraction `s` of the ramp."""

    def __call__(self, step: Scalar) -> Scalar:
        return self.between(jnp.minimum(step / self.n_steps, 1.0))

    def turns(self) -> list[float]:
        return [0, float(self.n_steps)]


class Linear(AbstractRamp):
    """start + s (end - start)."""

    start: Scalar = real()
    end: Scalar = real()
    n_steps: Scalar = real("steps", above=0)

    def between(self, s: Scalar) -> Scalar:
        return self.start + s * (self.end - self.start)


class Exponential(AbstractRamp):
    """start (end / start)^s: multiplies by a constant factor at every step."""

    start: Scalar = real(above=0)
    end: Scalar = real(above=0)
    n_steps: Scalar = real("steps", above=0)

    def between(self, s: Scalar) -> Scalar:
        return self.start * (self.end / self.start) ** s


class Cosine(AbstractRamp):
    """end + (start - end) (1 + cos(pi s)) / 2: flat at both ends."""

    start: Scalar = real()
    end: Scalar = real()
    n_steps: Scalar = real("steps", above=0)

    def between(self, s: Scalar) -> Scalar:
        return self.end + (self.start - self.end) * (1 + jnp.cos(jnp.pi * s)) / 2


class Step(AbstractSchedule):
    """values[k] from the k-th boundary on: `boundaries` are steps in ascending order, and there is one more of `values`."""

    values: Float[Array, " k"] = reals()
    boundaries: Float[Array, " j"] = reals("steps", at_least=0)

    def check_values(self) -> None:
        if isinstance(self.boundaries, Tracer):
            return
        boundaries = np.asarray(self.boundaries).tolist()
        if not np.all(np.diff(boundaries) > 0):
            raise FieldError("boundaries", boundaries, "must be in ascending order")
        if np.shape(self.values) != (len(boundaries) + 1,):
            fix = f"must be {len(boundaries) + 1} numbers, one more than the boundaries"
            raise FieldError("values", np.asarray(self.values).tolist(), fix)

    def __call__(self, step: Scalar) -> Scalar:
        return self.values[jnp.searchsorted(self.boundaries, step, side="right")]

    def turns(self) -> list[float]:
        return [0, *np.asarray(self.boundaries).tolist()]


SCHEDULES = {"constant": Constant, "linear": Linear, "exponential": Exponential, "cosine": Cosine, "step": Step}

M = TypeVar("M", bound=eqx.Module)


def value_at(module: eqx.Module, path: str) -> Any:
    """Value at a dotted path of field names and indices, e.g. `bandwidth` or `drifts.0.bandwidth`."""
    step_down = lambda node, name: node[int(name)] if name.isdigit() else getattr(node, name)
    return functools.reduce(step_down, path.split(".") if path else [], module)


def with_value(module: M, path: str, value: Scalar) -> M:
    """Copy of `module` with the real number at `path` replaced, also inside a trace; every entry of a list is replaced."""
    owner, _, name = path.rpartition(".")
    if name.isdigit():  # one number of a list
        numbers = value_at(module, owner)
        return eqx.tree_at(lambda tree: value_at(tree, owner), module, numbers.at[int(name)].set(value))
    new = jnp.broadcast_to(value, value_at(module, path).shape)
    return eqx.tree_at(lambda tree: value_at(tree, path), module, new)
