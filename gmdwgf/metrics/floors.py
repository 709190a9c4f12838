"""Floors of metrics: the scores of fresh data against the held-out points, and the `gap` of a model above them.

A target that can be sampled indefinitely gives independent clouds. A file gives clouds of different training rows, drawn by index:

- n rows for each cloud, disjoint from those of all other clouds if there are enough training rows: these are independent clouds;
- otherwise n rows of a new permutation for each cloud (subsampling, m out of n). The mean over clouds is still unbiased. Clouds share
  rows, which shrinks the variance of an average by 1 - n / N, so the standard deviation is divided by sqrt(1 - n / N). For degenerate
  parts of a statistic this is too little, which makes the standard deviation at most 25 % too small as long as n <= N / 2.

The mean is conditional on the held-out points, which are fixed. Source: Politis, Romano and Wolf 1999, chapter 2.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.typing import Array, Key, Targets

SCORED = ("energy_distance", "mmd2", "sliced_w2")
"""Metrics of the gap: each is sensitive to other differences, and none needs modes or a classifier."""


class Floor(NamedTuple):
    """Score of fresh data against the held-out points: mean and standard deviation over several clouds."""

    mean: float
    sd: float


def gap(values: Mapping[str, float], floor: Mapping[str, Floor]) -> float:
    """The largest distance of a metric of `SCORED` above the mean of its floor, in standard deviations of its floor.

    Fresh data score about 1, the expected maximum of three correlated standard normal numbers. A model within 3 is not distinguished
    from data by any of the metrics at this number of samples. NaN if one of the metrics is NaN.
    """
    above = [in_deviations(values[name], floor[name]) for name in SCORED]
    return math.nan if any(map(math.isnan, above)) else max(above)


def in_deviations(value: float, floor: Floor) -> float:
    """How far a score is above the mean of its floor, in standard deviations of the floor."""
    above = value - floor.mean
    return above / floor.sd if floor.sd > 0 else 0.0 if above <= 0 else math.inf


def n_per_cloud(n: int, n_rows: int | None) -> int:
    """Size of a cloud: `n`, or half of the training rows of a file if these are fewer."""
    return n if n_rows is None else max(min(n, n_rows // 2), 2)


def fresh_clouds(target, key: Key, n_clouds: int, n: int) -> list[Targets]:
    """Draw clouds of `n` fresh points each."""
    if target.n_rows is None:
        return [_drawn(target, one, n) for one in jax.random.split(key, n_clouds)]
    key_rows, key_noise = jax.random.split(key)
    seed = np.random.default_rng(np.asarray(jax.random.key_data(key_rows)).ravel())
    if n_clouds * n <= target.n_rows:
        parts = seed.permutation(target.n_rows)[: n_clouds * n].reshape(n_clouds, n)
    else:
        parts = [seed.permutation(target.n_rows)[:n] for _ in range(n_clouds)]
    return [
        _rows(target, one, jnp.asarray(index))
        for one, index in zip(jax.random.split(key_noise, n_clouds), parts, strict=True)
    ]


def floors(scores: Sequence[Mapping[str, float]], n: int, n_rows: int | None) -> dict[str, Floor]:
    """Mean and standard deviation of every metric over the scores of clouds of `n` points each.

    The gap of each cloud is computed from the scores of the others, so that it is that of a cloud that the floor has not seen.
    """
    is_independent = n_rows is None or len(scores) * n <= n_rows
    shared = 1.0 if is_independent else 1 - n / (n_rows or n)
    by_name = {name: np.array([score[name] for score in scores], float) for name in scores[0]}
    found = {name: Floor(float(s.mean()), float(s.std(ddof=1)) / math.sqrt(shared)) for name, s in by_name.items()}
    gaps = [_gap_from_others(by_name, cloud) for cloud in range(len(scores))] if len(scores) > 2 else [0.0, 1.0]
    return {"gap": Floor(float(np.mean(gaps)), float(np.std(gaps, ddof=1))), **found}


def _gap_from_others(by_name: Mapping[str, np.ndarray], cloud: int) -> float:
    values = {name: float(by_name[name][cloud]) for name in SCORED}
    others = {name: np.delete(by_name[name], cloud) for name in SCORED}
    return gap(values, {name: Floor(float(s.mean()), float(s.std(ddof=1))) for name, s in others.items()})


@eqx.filter_jit
def _drawn(target, key: Key, n: int) -> Targets:
    return target.sample(key, n)


@eqx.filter_jit
def _rows(target, key: Key, index: Array) -> Targets:
    return target.rows(key, index)
