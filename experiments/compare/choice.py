"""Settings are chosen on other seeds than those that are reported; ranks come with the chance of the seeds in them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.common.record import Number


class Held(NamedTuple):
    """What a way of choosing the setting gives, a value a seed; each chosen on all the other seeds."""

    best: list[float]
    median: list[float]
    places: list[int]
    """Which setting `best` has."""
    chosen: Any
    """The setting that all seeds together choose, for what is trained on fresh seeds."""


def held_out(cells: Sequence[Sequence[float]], values: Sequence[Any]) -> Held:
    """`cells[k][s]` is the score of setting k and seed s, small is good: leave one seed out, choose, report that seed."""
    scores = np.nan_to_num(np.asarray(cells, float), nan=np.inf)
    best, median, places = [], [], []
    for seed in range(scores.shape[1]):
        order = np.argsort(np.delete(scores, seed, axis=1).mean(axis=1), kind="stable")
        places.append(int(order[0]))
        best.append(float(scores[order[0], seed]))
        median.append(float(scores[order[len(order) // 2], seed]))
    return Held(best, median, places, values[int(np.argmin(scores.mean(axis=1)))])


def ranks(scores: dict[str, list[float]], n_draws: int = 4000) -> dict[str, Number]:
    """The rank of every contender (1 is best) by its mean over the seeds, with 95 % of the bootstrap over seeds.

    Each draw takes the seeds of every contender anew, with replacement and independently.
    """
    rng = np.random.default_rng(0)
    table = np.array(list(scores.values()))
    drawn = rng.integers(table.shape[1], size=(n_draws, *table.shape))
    means = np.take_along_axis(np.broadcast_to(table, drawn.shape), drawn, axis=2).mean(axis=2)
    places = 1 + np.argsort(np.argsort(means, axis=1), axis=1)
    observed = 1 + np.argsort(np.argsort(table.mean(axis=1)))
    low, high = np.quantile(places, [0.025, 0.975], axis=0)
    numbers = map(Number, observed.astype(float), low, high)
    return dict(zip(scores, numbers, strict=True))


def measured_seconds(value: float) -> Number:
    """Seconds (or steps in a given time) of a machine: another one may need a third or three times of them."""
    return Number(value, value / 3, value * 3)
