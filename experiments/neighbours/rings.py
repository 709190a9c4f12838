"""Flows of particles towards three rings: Chen et al. 2025 (DrMMD) and Hertrich et al. 2024 (Riesz kernels, slices)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gmdwgf
from experiments.common import record, training
from experiments.neighbours.common import N_SHOWN, Row, Sizes
from gmdwgf.metrics.wasserstein import exact_w2
from gmdwgf.targets.toy import PlanarTarget
from gmdwgf.typing import Key, Targets

CHEN, HERTRICH = "Chen et al.", "Hertrich et al."
BANDWIDTH, N, MARKS = 0.3, 150, 10


class ThreeRings(PlanarTarget):
    """Three circles of radius 0.3 at the corners of a triangle of side 1.1, centred on the origin.

    The points are evenly spaced on the circles and the same for every key, so that only the start of a flow is random.
    """

    def sample(self, key: Key, n: int) -> Targets:
        del key
        ring, place = jnp.divmod(jnp.arange(n), n // 3)
        corner = 2 * jnp.pi * ring / 3 + jnp.pi / 2
        angle = 2 * jnp.pi * place / (n // 3)
        on_circle = lambda radius, angle: radius * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
        return on_circle(1.1 / 3**0.5, corner) + on_circle(0.3, angle)


DRMMD = {
    f"drmmd, lam {lam:g}": ("drmmd", {"kernel": "gaussian", "bandwidth": BANDWIDTH, "regularisation": lam}, 0.1 * lam)
    for lam in (1e-1, 1e-2)
}
"""Config, fields, and step: the authors' is 0.1 lam; that of MMD is the one to which lam = inf leads."""

DRMMD["mmd"] = ("mmd", {"kernel": "gaussian", "bandwidth": BANDWIDTH}, 0.2)
RIESZ = {f"riesz {r:g}": ("mmd", {"kernel": "riesz", "exponent": r}, 0.05) for r in (0.5, 1.0, 1.5)}
RIESZ["sliced"] = ("sliced_mmd", {"n_projections": 32, "directions": "independent"}, 0.05)
RIESZ["gaussian"] = ("mmd", {"kernel": "gaussian", "bandwidth": BANDWIDTH}, 0.2)


def flow(drift: str, fields: dict[str, Any], eta: float, start: str, n_steps: int, seeds: int) -> dict[str, Any]:
    """W2 `[seed][mark]` between the particles and the rings; they start around the origin, or near a point 5 away."""
    target = ThreeRings()
    problem = training.particle_flow(target, gmdwgf.load_drift(drift, **fields), n=N, n_steps=n_steps, eta=eta)
    keys = jax.random.split(jax.random.key(0), seeds)
    place, spread = {"around": ([0.0, 0.0], 0.5), "far": ([5.0, 0.0], 0.01)}[start]
    x = jnp.stack([jnp.asarray(place) + spread * jax.random.normal(key, (N, 2)) for key in keys])
    seen = training.samples_of(problem, keys, np.arange(MARKS + 1) * (n_steps // MARKS), N, {"x": x})
    y = np.asarray(target.sample(keys[0], N))
    distances = [[exact_w2(cloud, y) for cloud in run] for run in seen]
    return {"w2": distances, "samples": np.round(seen[0, -1, :N_SHOWN], 3).tolist()}


N_DIRECTIONS = (16, 64, 256, 1024)


def slices(seeds: int) -> list[list[float]]:
    """Relative RMS error of the sliced energy drift against that over all pairs, `[directions][seed]`."""
    y = ThreeRings().sample(jax.random.key(0), N)
    energy = gmdwgf.load_drift("mmd", kernel="energy")

    def error(n: int, seed: int) -> float:
        key, start = jax.random.split(jax.random.key(seed))
        x = jax.random.normal(start, (N, 2))
        whole = training.velocity(energy, x, y, key)
        sliced = training.velocity(
            gmdwgf.load_drift("sliced_mmd", n_projections=n, directions="independent"), x, y, key
        )
        return float(jnp.linalg.norm(sliced - whole) / jnp.linalg.norm(whole))

    return [[error(n, seed) for seed in range(seeds)] for n in N_DIRECTIONS]


def measure(experiment: record.Experiment, sizes: Sizes) -> dict[str, Any]:
    ask = lambda entry, start: experiment.cell(
        flow,
        drift=entry[0],
        fields=entry[1],
        eta=entry[2],
        start=start,
        n_steps=sizes.particle_steps,
        seeds=sizes.seeds,
    )
    cells: dict[str, Any] = {name: ask(entry, "around") for name, entry in DRMMD.items()}
    cells |= {name: ask(entry, "far") for name, entry in RIESZ.items()}
    return cells | {"slices": experiment.cell(slices, seeds=4 * sizes.seeds)}


def rows(cells: dict[str, Any]) -> list[Row]:
    end = {name: record.mean_of_seeds([run[-1] for run in cells[name]["w2"]]) for name in RIESZ}
    found = []
    for name in list(DRMMD)[:-1]:
        pairs = zip(cells[name]["w2"], cells["mmd"]["w2"], strict=True)
        ratio = record.mean_of_seeds([run[-1] / other[-1] for run, other in pairs])
        says = f"{name}, three rings: W2 at the end over that of MMD with the same kernel, below 1"
        found.append(Row(CHEN, says, ratio, "ratio", ratio.high < 1))
    for name in list(RIESZ)[:-1]:
        says = f"{name}: from a point 5 away the flow finds the rings (W2)"
        found.append(Row(HERTRICH, says, end[name], "W2", end[name].high < 0.15))
    found.append(Row(HERTRICH, "a Gaussian kernel does not (W2)", end["gaussian"], "W2", end["gaussian"].low > 1))
    logs = np.log(np.array(cells["slices"]))
    slopes = [float(np.polyfit(np.log(N_DIRECTIONS), run, 1)[0]) for run in logs.T]
    slope = record.mean_of_seeds(slopes)
    says = "error of the slices falls like a power of their number, -1/2"
    found.append(Row(HERTRICH, says, slope, "power", slope.low < -0.5 < slope.high))
    return found
