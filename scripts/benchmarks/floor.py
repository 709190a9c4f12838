"""The least time that pairs can cost here: exponentials and arithmetic at this machine's peak rates, without any memory traffic."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from common import median_times

REPEATS = 20
"""How often a timed call makes the next tile from the last."""
FEW, MANY = 1, 3
"""Exponentials of a number in one pass over a tile. The difference of their times is theirs alone: loads and stores cancel."""
SIDE = 2048
"""Side of the square matrices from whose product the peak rate of multiply-adds is taken."""


class Rates(NamedTuple):
    """Seconds of one exponential and of one multiply-add, all cores together."""

    exp: float
    multiply_add: float

    def pair(self, d: int) -> float:
        """One exponential, an inner product of d numbers, and d + 1 terms of a barycentre with its normaliser."""
        return self.exp + (2 * d + 1) * self.multiply_add

    def kl(self, n: int, m: int, d: int) -> float:
        """The floor of the drift `kl`: n rows against m targets and n particles."""
        return n * (n + m) * self.pair(d)


def measure() -> Rates:
    """The rates, each at its best: of numbers in registers, at the vector width that XLA uses.

    An exponential includes the product before it and the sum after it, as in a kernel sum.
    """

    def exponentials(count: int):
        return lambda tile: sum(jnp.exp(-(k + 1.0) * tile) for k in range(count)) / count

    rows, columns = 64, 8192
    spent = seconds_a_pair({"few": exponentials(FEW), "many": exponentials(MANY)}, rows, columns)
    matrix = jax.random.normal(jax.random.key(0), (SIDE, SIDE)) / SIDE**0.5
    product = jax.jit(lambda a: a @ a).lower(matrix).compile()
    times = median_times({"product": lambda: product(matrix)}, repeats=9)
    return Rates((spent["many"] - spent["few"]) / (MANY - FEW), float(times["product"].seconds.min()) / SIDE**3)


def seconds_a_pair(steps: dict[str, Callable], rows: int, m: int) -> dict[str, float]:
    """The least time of each step from one tile of rows x m numbers to the next, divided by its size."""
    tile = jax.random.uniform(jax.random.key(1), (rows, m))

    def again(step):
        compiled = jax.jit(lambda start: jax.lax.fori_loop(0, REPEATS, lambda _, carry: step(carry), start))
        return lambda: compiled(tile)

    times = median_times({name: again(step) for name, step in steps.items()}, repeats=9)
    return {name: float(spent.seconds.min()) / (REPEATS * rows * m) for name, spent in times.items()}
