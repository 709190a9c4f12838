"""What the additions do to particles and to a generator."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import gmdwgf
from experiments.additions.variants import DATASET, VARIANTS
from experiments.common.training import samples_of
from gmdwgf.pairs import reductions
from gmdwgf.pairs.kernels import distance

N_LAST = 10
"""Clouds of particles on the last part of the way whose scores are averaged."""


def particles(name: str, n: int, n_steps: int, eta: float, seeds: int) -> list[float]:
    """Energy distance of `n` free particles from the law, the mean over the last clouds, for each seed."""
    variant = VARIANTS[name]
    numbers = {"n_steps": n_steps, "batch_size": n, "n_targets": n, "eta": eta} | variant.plan
    drift = gmdwgf.load_drift(variant.drift, **variant.fields)
    problem = gmdwgf.make_problem(DATASET, drift, generator="particles", **numbers)
    marks = n_steps // (2 * N_LAST) * np.arange(1, 2 * N_LAST + 1)
    clouds = samples_of(problem, jax.random.split(jax.random.key(1), seeds), marks, n)
    return [float(np.mean([energy_distance(x, distinct=False) for x in way[N_LAST:]])) for way in clouds]


def generator(name: str, width: int, batch: int, n_steps: int, seeds: int) -> list[float]:
    """Energy distance of 4,000 samples of a perceptron from the law, for each seed."""
    variant = VARIANTS[name]
    numbers = {"n_steps": n_steps, "batch_size": batch, "ema_decay": 0.0, "width": width, "depth": 2} | variant.plan
    drift = gmdwgf.load_drift(variant.drift, **variant.fields)
    problem = gmdwgf.make_problem(DATASET, drift, learning_rate=3e-3, **numbers)
    clouds = samples_of(problem, jax.random.split(jax.random.key(1), seeds), np.asarray([n_steps]), 4000)
    return [float(energy_distance(way[-1])) for way in clouds]


@functools.partial(jax.jit, static_argnames="distinct")
def energy_distance(x: jax.Array, distinct: bool = True) -> jax.Array:
    """2 E|x - y| - E|x - x'| - E|y - y'| with 4,000 fixed points y of the law; NaN after divergence.

    Over `distinct` pairs of x it is unbiased for the law that x are samples of. Particles are no independent samples: over all pairs
    it is the distance of their empirical measure, which is E|y - y'| / n for n samples of the law.
    """
    y = gmdwgf.load_target(DATASET).sample(jax.random.key(2**20), 4000)
    between = lambda point: jnp.mean(distance(reductions.squared_distances(point, y)))
    far = jnp.mean(reductions.over_points(between, x, y.shape[0]))
    found = 2 * far - _within(x, distinct) - _within(y, True)
    return jnp.where(jnp.isfinite(x).all(), found, jnp.nan)


def _within(x: jax.Array, distinct: bool) -> jax.Array:
    row = lambda point: jnp.sum(distance(reductions.squared_distances(point, x)))
    n = x.shape[0]
    return jnp.sum(reductions.over_points(row, x, n)) / (n * (n - 1 if distinct else n))
