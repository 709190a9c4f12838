"""Clouds at rest: starts, the search for a zero of the field, and what its Jacobian says of the flow near it."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gmdwgf
from experiments.common.mixtures import GaussianMixture, hermite
from gmdwgf.drifts.base import AbstractDrift, rms
from gmdwgf.drifts.kl_wgf import KLWGFDrift
from gmdwgf.drifts.sinkhorn import SinkhornDrift
from gmdwgf.metrics.mmd import energy
from gmdwgf.pairs.reductions import half_mmd2
from gmdwgf.testing.structure import jacobian

jax.config.update("jax_enable_x64", True)

H = 0.5
"""Bandwidth, Laplace scale, and root of epsilon: data units; the modes are 2.2 to 2.6 apart, their deviation is 0.3."""

CONVERGED = {"epsilon": H**2, "threshold": 1e-12, "max_iters": 5000, "self_term": "same_batch"}
DRIFTS: dict[str, tuple[str, dict[str, Any]]] = {
    "kl": ("kl", {"bandwidth": H}),
    "kl_wgf": ("kl_wgf", {"bandwidth": H}),
    "mean_shift": ("mean_shift", {"bandwidth": H}),
    "deng": ("deng", {"temperature": H}),
    "deng, unmasked": ("deng", {"temperature": H, "self_mask": False}),
    "sinkhorn_proxy": ("sinkhorn_proxy", {"bandwidth": H}),
    "sinkhorn": ("sinkhorn", CONVERGED),
    "mmd, Gaussian": ("mmd", {"kernel": "gaussian", "bandwidth": H}),
    "mmd, energy": ("mmd", {}),
    "sliced_wasserstein": ("sliced_wasserstein", {"n_projections": 32, "directions": "independent"}),
}
TARGET = GaussianMixture([0.4, 0.35, 0.25], [[-1.2, -0.6], [1.1, -0.7], [0.1, 1.5]], [0.09 * np.eye(2)] * 3)
M = 40
KINDS = ("one point", "few points", "one mode", "random", "spread")
ETA = {"deng": 2.0, "deng, unmasked": 2.0, "sinkhorn_proxy": 1.0}
"""Step of the flow; 0.5 for the others. These are slower by the weights of their affinities."""
AT_REST, STRANDED = 1e-9, 3.0
"""rms |V| of a cloud at rest; a particle so many data units (6 H) from every target is stranded: kernels do not reach it."""


def target_cloud(seed: int, m: int = M) -> jax.Array:
    return TARGET.sample(jax.random.key(seed), m).astype(float)


def starts(kind: str, key: jax.Array, n_starts: int, n: int) -> jax.Array:
    """Clouds `[n_starts n 2]` of one kind; `one point` and `few points` are exact coincidences, which the search keeps."""

    def one(key):
        a, b, c = jax.random.split(key, 3)
        noise = jax.random.normal(a, (n, 2))
        if kind == "one point":
            return jnp.broadcast_to(jax.random.normal(b, (2,)), (n, 2))
        if kind == "few points":
            centres = 1.5 * jax.random.normal(b, (4, 2))
            return centres[jax.random.randint(c, (n,), 0, 4)]
        if kind == "one mode":
            return TARGET.centres[jax.random.randint(b, (), 0, 3)] + 0.3 * noise
        return noise * (3.0 if kind == "spread" else 1.2)

    return jax.vmap(one)(jax.random.split(key, n_starts)).astype(float)


@cache
def drift_of(name: str) -> AbstractDrift:
    config, fields = DRIFTS[name]
    return gmdwgf.load_drift(config, **fields)


def field(drift: AbstractDrift, x: jax.Array, y: jax.Array) -> jax.Array:
    """V at the particles; directions of the sliced drift are held, and `kl_wgf` (times H^2) is integrated."""
    if isinstance(drift, KLWGFDrift):
        return H**2 * drift.average(x, y, *hermite(3))[0]
    return drift.update((), x, y, jax.random.key(0))[0].v


def each(drift: AbstractDrift) -> Callable:
    """Starts side by side; for Sinkhorn one after another, since its solver branches."""
    return jax.lax.map if isinstance(drift, SinkhornDrift) else lambda one, clouds: jax.vmap(one)(clouds)


def energy_distance(x: jax.Array, y: jax.Array) -> jax.Array:
    """2 E|x - y| - E|x - x'| - E|y - y'| between the clouds, every pair counted."""
    return 2 * half_mmd2(energy, x, y)


def far_from(y: jax.Array, n: int) -> float:
    """The energy distance that 99 of 100 choices of `n` of the targets themselves stay below: more is far."""
    choices = jax.vmap(lambda key: jax.random.choice(key, y, (n,), replace=False))(
        jax.random.split(jax.random.key(7), 500)
    )
    return float(jnp.quantile(jax.vmap(lambda x: energy_distance(x, y))(choices), 0.99))


@partial(jax.jit, static_argnames="n_steps")
def solve(drift: AbstractDrift, starts: jax.Array, y: jax.Array, n_steps: int) -> jax.Array:
    """Levenberg and Marquardt's search for min |V|^2 from every start."""

    def one(x):
        v_of = lambda x: field(drift, x, y)

        def step(_, carry):
            x, damping = carry
            v, slope = v_of(x), jacobian(v_of, x)
            normal = slope.T @ slope + damping * jnp.eye(x.size)
            move = -jnp.linalg.solve(normal, slope.T @ v.ravel()).reshape(x.shape)
            move = move * jnp.minimum(1, 1 / jnp.maximum(jnp.max(jnp.abs(move)), 1e-300))
            better = rms(v_of(x + move)) < rms(v)
            x = jnp.where(better, x + move, x)
            return x, jnp.clip(jnp.where(better, damping / 4, damping * 4), 1e-14, 1e6)

        return jax.lax.fori_loop(0, n_steps, step, (x, jnp.asarray(1e-2)))[0]

    return each(drift)(one, starts)


@partial(jax.jit, static_argnames="n_steps")
def flow(drift: AbstractDrift, starts: jax.Array, y: jax.Array, n_steps: int, eta: float) -> jax.Array:
    """Euler steps of dx/dt = V from every start."""
    one = lambda x: jax.lax.fori_loop(0, n_steps, lambda _, x: x + eta * field(drift, x, y), x)
    return each(drift)(one, starts)


@jax.jit
def examine(drift: AbstractDrift, clouds: jax.Array, y: jax.Array):
    """rms |V|, energy distance to the targets, distance of the most remote particle from them, Jacobian of every cloud."""

    def one(x):
        v_of = lambda x: field(drift, x, y)
        nearest = jnp.min(jnp.linalg.norm(x[:, None] - y, axis=-1), axis=1)
        return rms(v_of(x)), energy_distance(x, y), jnp.max(nearest), jacobian(v_of, x)

    return each(drift)(one, clouds)


def search(drift: str, seed: int, n: int, n_each: int, n_steps: int, flow_steps: int, m: int = M) -> dict[str, Any]:
    """What the search and the flow end in, from `n_each` starts of every kind against one target cloud of `m` points.

    The ends of the flow are polished by the search, so that a cloud that the flow approaches is at rest to rounding.
    """
    found, y = drift_of(drift), target_cloud(seed, m)
    keys = jax.random.split(jax.random.key(1000 + seed), len(KINDS))
    x = jnp.concatenate([starts(kind, key, n_each, n) for kind, key in zip(KINDS, keys, strict=True)])
    jitter = 1e-3 * jax.random.normal(jax.random.key(2000 + seed), x.shape)
    flowed = flow(found, x + jitter, y, flow_steps, ETA.get(drift, 0.5))
    return {
        "far": far_from(y, n),
        "kinds": [kind for kind in KINDS for _ in range(n_each)],
        "search": described(found, solve(found, x, y, n_steps), y),
        "flow": described(found, solve(found, flowed, y, n_steps), y),
        "flow_distance": np.asarray(jax.vmap(lambda cloud: energy_distance(cloud, y))(flowed)).tolist(),
    }


def described(drift: AbstractDrift, clouds: jax.Array, y: jax.Array) -> list[dict[str, Any]]:
    """rms |V|, energy distance, the remotest particle's distance and largest growth rate of every cloud, and the cloud."""
    size, distance, remote, slopes = map(np.asarray, examine(drift, clouds, y))
    rates = [np.linalg.eigvals(slope).real.max() if np.isfinite(slope).all() else np.inf for slope in slopes]
    rows = zip(size, distance, remote, rates, np.round(np.asarray(clouds), 5), strict=True)
    return [
        {"v": float(v), "distance": float(d), "remote": float(e), "rate": float(r), "cloud": cloud.tolist()}
        for v, d, e, r, cloud in rows
    ]
