"""How fast the over-full mode moves towards the other one, at one instant."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

import gmdwgf
from experiments.common.mixtures import two_modes
from experiments.common.training import velocity
from experiments.mode_masses.drifts import SIGMA
from gmdwgf.drifts.base import AbstractDrift

N, SHARE = 200, 0.8
"""Points in each cloud, and the share of the particles that is in the left mode; of the targets it is a half."""

TRANSPORT = (SHARE - 0.5) / SHARE
"""Mean displacement of the left mode by exact transport, in distances of the modes."""


def cloud(key, distance, noise, share: float, n: int, mirrored=False):
    """`n` points, `share` of them around the left centre: masses are counted, not drawn. The left ones come first.

    `mirrored`: half of each mode is the other half mirrored about its centre. Modes of two clouds then have the same means,
    and nothing is left of what a drift does about means that differ by chance.
    """
    parts = []
    for side, size in ((-1, round(share * n)), (1, n - round(share * n))):
        key, one, other = jax.random.split(key, 3)
        half = jax.random.normal(one, (size // 2, 2))
        rest = jnp.where(mirrored, -half, jax.random.normal(other, (size // 2, 2)))
        parts.append(jnp.asarray([side * distance / 2, 0.0]) + noise * jnp.concatenate([half, rest]))
    return jnp.concatenate(parts)


@functools.partial(jax.jit, static_argnames="seeds")
def _measured(drift: AbstractDrift, distances, noise, seeds: int):
    """Mean velocity of the left mode to the right, and RMS of the coordinates of the drift, each `[2 distances seeds]`."""

    def one(case):
        mirrored, distance, seed = case
        keys = jax.random.split(jax.random.key(seed), 4)
        x = cloud(keys[0], distance, noise, SHARE, N, mirrored)
        y = cloud(keys[1], distance, noise, 0.5, N, mirrored)
        # In random order, because some drifts take the two halves of a cloud for independent ones.
        order = jax.random.permutation(keys[2], N)
        x, y = x[order], y[jax.random.permutation(keys[3], N)]
        v = velocity(drift, x, y, keys[3])
        is_left = order < round(SHARE * N)
        return jnp.sum(jnp.where(is_left, v[:, 0], 0)) / jnp.sum(is_left), jnp.sqrt(jnp.mean(v**2))

    cases = jnp.meshgrid(jnp.asarray([False, True]), distances, jnp.arange(seeds), indexing="ij")
    shape = cases[0].shape
    return [answer.reshape(shape) for answer in jax.lax.map(one, [case.ravel() for case in cases])]


def speeds(drift: str, fields: dict[str, Any], distances: Sequence[float], seeds: int) -> Any:
    """Speed of the left mode and RMS of the drift, for plain and for mirrored clouds: a row a distance, a column a seed."""
    with jax.enable_x64(True):  # local drifts are followed down to a speed of 1e-12
        noise = two_modes().noise
        speed, rms = _measured(gmdwgf.load_drift(drift, **fields), jnp.asarray(distances), noise, seeds)
    parts = {"plain": 0, "mirrored": 1}
    return {name: {"speed": speed[k].tolist(), "rms": rms[k].tolist()} for name, k in parts.items()}


def by_steps(n_iters: int) -> tuple[str, dict[str, Any]]:
    return "sinkhorn_steps", {"epsilon": SIGMA**2, "n_iters": n_iters}


def by_scalings(n: int) -> tuple[str, dict[str, Any]]:
    return "sinkhorn_proxy", {"bandwidth": SIGMA, "ruiz_iters": n}
