"""The least time that pairs can cost here: their exponentials and products, at the rates of this machine in its cache."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from common import median_times

ROWS, REPEATS = 64, 20
"""Rows of a tile, and how often a timed call goes over it."""


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
    tile, y_and_one = jax.random.uniform(key, (ROWS, m)), jax.random.normal(key, (m, d + 1))

    def again(step, start):
        compiled = jax.jit(lambda start: jax.lax.fori_loop(0, REPEATS, lambda _, carry: step(carry), start))
        return lambda: compiled(start)

    functions = {
        "exp": again(lambda tile: jnp.exp(-tile), tile),
        "product": again(lambda tile: tile[:, :d] @ y, tile),
        "barycentre": again(lambda tile: tile.at[:, : d + 1].set(1e-3 * (tile @ y_and_one)), tile),
    }
    times = median_times(functions, repeats=9)
    return Rates(**{name: float(spent.seconds.min()) / (REPEATS * ROWS * m) for name, spent in times.items()})
