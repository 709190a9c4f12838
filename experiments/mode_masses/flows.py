"""Masses of the two modes on the way: the flow of particles, and the training of a network, both from wrong masses."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gmdwgf
from experiments.common import training
from experiments.common.mixtures import modes_of, two_modes
from experiments.mode_masses.drifts import SAME
from experiments.mode_masses.speeds import SHARE, cloud
from gmdwgf.metrics.modes import Modes, mode_counts
from gmdwgf.targets.mixtures import TwoModes

ETA = 0.1
"""Step of the particle flows: time is then the number of steps over ten."""


def masses(x: np.ndarray, target: TwoModes) -> tuple[list, list]:
    """Share of the samples that is nearer to the right mode, and share on a mode (3 sd); `x` is `[... n d]`."""
    clouds, n = x.reshape(-1, *x.shape[-2:]), x.shape[-2]
    belonging, is_on = _counts(clouds, modes_of(target))
    right, near = np.asarray(belonging)[:, 1] / n, np.asarray(is_on).sum(1) / n
    return right.reshape(x.shape[:-2]).tolist(), near.reshape(x.shape[:-2]).tolist()


@jax.jit
def _counts(clouds, modes: Modes):
    return jax.lax.map(lambda x: mode_counts(x, modes), clouds)


def particles(drift: str, fields: dict[str, Any], distances: Sequence[float], seeds: int, n_steps: int) -> Any:
    """Particles that start as samples of the two modes with masses 80 : 20; looked at after every tenth of the steps.

    Numbers are `[distance][seed][mark]`.
    """
    found: dict[str, list] = {"right": [], "near": []}
    marks = np.arange(11) * n_steps // 10
    for distance in distances:
        target = two_modes(distance=distance)
        problem = training.particle_flow(target, gmdwgf.load_drift(drift, **fields), n=200, n_steps=n_steps, eta=ETA)
        keys = jax.random.split(jax.random.key(0), seeds)
        start = jnp.stack([cloud(key, distance, target.noise, SHARE, 200, False) for key in keys])
        x = training.samples_of(problem, keys, marks, 200, {"x": start})
        for name, values in zip(found, masses(x, target), strict=True):
            found[name].append(values)
    return found


@functools.cache
def _wrong(distance: float, seeds: int, width: int, n_steps: int) -> Any:
    """Networks trained on the masses 80 : 20, by transport; a leading axis of seeds."""
    target = two_modes(distance=distance, fraction=1 - SHARE)
    drift = gmdwgf.load_drift("sinkhorn", **SAME)
    problem = training.network_training(target, drift, width=width, batch=256, n_steps=n_steps)
    return training.trained(problem, jax.random.split(jax.random.key(1), seeds), n_steps)


def networks(
    drift: str,
    fields: dict[str, Any],
    distances: Sequence[float],
    seeds: int,
    n_steps: int,
    width: int,
    flow_steps: int,
) -> Any:
    """Networks that have learnt the masses 80 : 20 are trained on 50 : 50; numbers are `[distance][seed][before, after]`.

    `freed` is the same for 200 samples of the network before, let go as particles: what the network's continuity adds to
    the points that it leaves between the modes is the difference.
    """
    found: dict[str, list] = {"right": [], "near": [], "freed": []}
    for distance in distances:
        target, asked = two_modes(distance=distance), gmdwgf.load_drift(drift, **fields)
        problem = training.network_training(target, asked, width=width, batch=256, n_steps=n_steps)
        keys, marks = jax.random.split(jax.random.key(2), seeds), np.array([0, n_steps])
        x = training.samples_of(problem, keys, marks, 2000, _wrong(distance, seeds, width, n_steps))
        right, near = masses(x, target)
        problem = training.particle_flow(target, asked, n=200, n_steps=flow_steps, eta=ETA)
        start, marks = {"x": jnp.asarray(x[:, 0, :200])}, np.array([0, flow_steps])
        freed, _ = masses(training.samples_of(problem, keys, marks, 200, start), target)
        for name, values in zip(found, (right, near, freed), strict=True):
            found[name].append(values)
    return found
