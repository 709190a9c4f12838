"""What the additions do to a field: bias of a barycentre, velocity at q = p, and error of the attraction to all data."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gmdwgf
from experiments.additions.variants import DATASET, VARIANTS, H
from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.drifts.landmarks import moments_of
from gmdwgf.drifts.wrappers.nystrom import NystromDrift
from gmdwgf.pairs import reductions
from gmdwgf.typing import Array

NOISE = 0.3
"""Deviation of the queries from the data, in data units: particles on their way."""


def barycentre_bias(n: int, at: float, h: float, n_batches: int, seeds: int) -> list[dict[str, Any]]:
    """Mean error over batches of the weighted mean of `n` standard normal points at `at`, and its deviation; without and with abc.

    The weights are Gaussian, of bandwidth `h`; the exact mean is at / (1 + h^2).
    """

    @jax.jit
    def errors(key):
        y = jax.random.normal(key, (n_batches, n, 1))
        near = lambda cloud: reductions.softmax(-((cloud[:, 0] - at) ** 2) / (2 * h**2))
        both = lambda cloud: jnp.stack([near(cloud).mean(cloud)[0], near(cloud).corrected_mean(cloud)[0]])
        return jax.vmap(both)(y) - at / (1 + h**2)

    of_seeds = (np.asarray(errors(jax.random.key(seed)), float) for seed in range(seeds))
    return [{"bias": found.mean(0).tolist(), "sd": found.std(0).tolist()} for found in of_seeds]


def at_equality(name: str, n: int, n_batches: int, seeds: int) -> list[list[float]]:
    """Velocity of a particle where model and target are one law: squared length of its mean over batches, and mean of the square.

    A particle stands at each of 32 fixed points of the law; the others of its batch of `n`, the targets and the references are
    drawn anew. One pair of numbers for each seed. The squared length of the mean is estimated from two halves of the batches, so
    that it is unbiased.
    """
    variant, target = VARIANTS[name], gmdwgf.load_target(DATASET)
    drift = gmdwgf.load_drift(variant.drift, **variant.fields)
    places = target.sample(jax.random.key(2**20), 32)
    wants = drift.n_references(n, n)

    @jax.jit
    def mean_and_square(key):
        def one(key):
            keys = jax.random.split(key, 3)
            others, y = target.sample(keys[0], n - 1), target.sample(keys[1], n)
            further = {"references": target.sample(keys[2], n)} if wants else {}
            ask = lambda place: drift.update((), jnp.concatenate([place[None], others]), y, key, **further)[0].v[0]
            return jax.vmap(ask)(places)

        v = jax.lax.map(one, jax.random.split(key, n_batches))
        return jnp.mean(v, axis=0), jnp.mean(v**2, axis=0)

    found = []
    for seed in range(seeds):
        (one, square), (two, _) = (mean_and_square(jax.random.fold_in(jax.random.key(seed), half)) for half in range(2))
        found.append([float(jnp.mean(jnp.sum(one * two, axis=1))), float(jnp.mean(jnp.sum(square, axis=1)))])
    return found


def nystrom(
    drift: str, fields: dict[str, Any], sizes: list[int], n_data: int, seeds: int
) -> list[dict[str, list[float]]]:
    """Error of the velocity at 512 points due to landmarks, and due to a batch of as many targets; and seconds of a field."""
    asked = gmdwgf.load_drift(drift, **fields)
    velocity = jax.jit(lambda drift, x, y: drift.update((), x, y, jax.random.key(0))[0].v)
    return [_nystrom(asked, velocity, sizes, n_data, seed) for seed in range(seeds)]


def _nystrom(
    asked: AbstractDrift, velocity: Callable[..., Array], sizes: list[int], n_data: int, seed: int
) -> dict[str, list[float]]:
    target, keys = gmdwgf.load_target(DATASET), jax.random.split(jax.random.key(seed), 4)
    y = target.sample(keys[0], n_data)
    x = target.sample(keys[1], 512) + NOISE * jax.random.normal(keys[2], (512, 2))
    exact = velocity(asked, x, y)
    rms = lambda v: float(jnp.sqrt(jnp.mean(jnp.sum(v**2, axis=1))))
    found: dict[str, list[float]] = {"nystrom": [], "minibatch": [], "seconds nystrom": [], "seconds minibatch": []}
    for k in sizes:
        part = jax.random.permutation(jax.random.fold_in(keys[3], k), y)[:k]
        through = NystromDrift(asked, moments_of(asked.target_kernels(), part, jnp.split(y, 4), 1e-4))
        found["nystrom"].append(rms(velocity(through, x, y) - exact))
        found["minibatch"].append(rms(velocity(asked, x, part) - exact))
        found["seconds nystrom"].append(fastest(lambda through=through: velocity(through, x, y[:8])))
        found["seconds minibatch"].append(fastest(lambda part=part: velocity(asked, x, part)))
    return found


def fastest(work: Any) -> float:
    """Seconds of the fastest of some calls, after the first."""
    jax.block_until_ready(work())
    times = []
    for _ in range(20):
        start = time.perf_counter()
        jax.block_until_ready(work())
        times.append(time.perf_counter() - start)
    return min(times)


KERNELS: dict[str, tuple[str, dict[str, Any]]] = {
    "mean_shift (Laplace)": ("mean_shift", {"bandwidth": H}),
    "kl (Gaussian)": ("kl", {"bandwidth": H}),
    "mmd (energy)": ("mmd", {"kernel": "energy"}),
    "deng, constant gain": ("deng", {"temperature": H, "gain": "constant"}),
}
