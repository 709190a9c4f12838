"""Sampling functions as targets."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from gmdwgf.config.fields import FieldError
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Array, Key, Targets


class FunctionTarget(AbstractTarget):
    """Points drawn by `function(key, n) -> [n d]`, which is traced and must derive its random numbers from `key`.

    Held-out points are new draws. The function is static, so another function recompiles. Raises FieldError (`function`) if it
    cannot be traced or does not return `n` points.
    """

    function: Callable[[Key, int], Array] = eqx.field(static=True)
    size: int = eqx.field(static=True)

    def __init__(self, function: Callable[[Key, int], Array]):
        name = getattr(function, "__name__", repr(function))
        draw = lambda key: jnp.asarray(function(key, 5))
        try:
            shape = jax.eval_shape(draw, jax.random.key(0)).shape
        except Exception as error:  # the user's code may fail in any way
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
            fix = f"must draw points [n d] from (key, n) with jax.random and jax.numpy; pass NumPy points as an array ({reason})"
            raise FieldError("function", name, fix) from error
        if len(shape) != 2 or shape[0] != 5 or shape[1] < 1:
            raise FieldError("function", name, f"must return n points [n d]; for n = 5 it returns {list(shape)}")
        self.function, self.size = function, shape[1]

    @property
    def dim(self) -> int:
        return self.size

    def sample(self, key: Key, n: int) -> Targets:
        return jnp.asarray(self.function(key, n)).astype(jnp.zeros(()).dtype)
