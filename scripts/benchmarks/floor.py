"""The least time that pairs can cost here: their exponentials and products, at the rates of this machine in its cache."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from common import median_times

ROWS, REPEATS = 64, 20
"""Rows of a tile, and how often a timed call makes the next from it."""


class Rates(NamedTuple):
    """Seconds a pair: one exponential, one inner product of points, one share in a barycentre (with its normaliser)."""

    exp: float
    product: float
    barycentre: float

    def kl(self, n: int, m: int) -> float:
        """The floor of the drift `kl`: n rows against m targets and n particles, one of each a pair."""
        return n * (n + m) * sum(self)


def measure(m: int, d: int) -> Rates:
    """The rates on tiles of `ROWS` x m numbers, for points in d dimensions."""
    key = jax.random.key(0)
    y = jax.random.normal(key, (d, m)) / d**0.5  # so that repeated products neither grow nor fade
    y_and_one = jax.random.normal(key, (m, d + 1))
    steps = {
        "exp": lambda tile: jnp.exp(-tile),
        "product": lambda tile: tile[:, :d] @ y,
        "barycentre": lambda tile: tile.at[:, : d + 1].set(1e-3 * (tile @ y_and_one)),
    }
    return Rates(**seconds_a_pair(steps, ROWS, m))


def seconds_a_pair(steps: dict[str, Callable], rows: int, m: int) -> dict[str, float]:
    """The least time of each step from one tile of rows x m numbers to the next, divided by its size."""
    tile = jax.random.uniform(jax.random.key(1), (rows, m))

    def again(step):
        compiled = jax.jit(lambda start: jax.lax.fori_loop(0, REPEATS, lambda _, carry: step(carry), start))
        return lambda: compiled(tile)

    times = median_times({name: again(step) for name, step in steps.items()}, repeats=9)
    return {name: float(spent.seconds.min()) / (REPEATS * rows * m) for name, spent in times.items()}
