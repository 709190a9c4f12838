"""Trainings of the experiment, several seeds as one program, and exact distances on the line to the target's law."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gmdwgf
from experiments.common.mixtures import GaussianMixture, on_the_line
from experiments.common.training import falling_bandwidth
from gmdwgf.config.build import build
from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import TrainState, initial_state
from gmdwgf.training.step import chunk

MIXTURE = on_the_line([0.65, 0.35], [-1.0, 1.2], [0.4, 0.25])
OPTIMIZERS = {
    "line": ("adam", {"learning_rate": 0.01}),
    "mlp": ("adam", {"learning_rate": 0.003}),
    # At this rate a step of free particles is x <- x + eta v; the cosine lets the steps, and with them their noise, vanish.
    "particles": ("sgd", {"learning_rate": 0.5, "momentum": 0.0, "clip_norm": 1e30}),
}
GENERATORS = {
    "line": {"_target_": "gmdwgf.generators.mlp.MLPGenerator", "noise_dim": 1, "width": 1, "depth": 0},
    "mlp": {"_target_": "gmdwgf.generators.mlp.MLPGenerator", "noise_dim": 4, "width": 64, "depth": 2},
    "particles": {"_target_": "gmdwgf.generators.particles.ParticlesGenerator", "init_scale": 1.0},
}
"""`line`: x = w z + c; `mlp`; `particles`: the flow in Euler steps that shrink to nothing."""


def problem_of(
    generator: str,
    drift: AbstractDrift,
    target: AbstractTarget,
    n: int,
    n_steps: int,
    eta: float = 1.0,
    narrows_to: float | None = None,
) -> Problem:
    """With `narrows_to` the bandwidth falls from 1 to it in the first half of the steps, so that no mode is missed."""
    plan = {"n_steps": n_steps, "batch_size": n, "eta": eta, "ema_decay": 0.995}
    activation = {} if generator == "particles" else {"activation": "silu"}
    made = build(GENERATORS[generator] | activation, "generator")
    optimizer, rates = OPTIMIZERS[generator]
    schedules = {} if narrows_to is None else falling_bandwidth(1.0, narrows_to, n_steps / 2)
    chosen = {"generator": made, "optimizer": optimizer, "schedules": schedules}
    return gmdwgf.make_problem(target, drift, **chosen, **rates, **plan)


@partial(jax.jit, static_argnames=("n_steps", "together"))
def trained(problem: Problem, seeds: jax.Array, n_steps: int, together: bool) -> TrainState:
    """The last states for all seeds: side by side, or one after another where solvers branch."""

    def one(seed):
        start = initial_state(problem, jax.random.key(seed))
        return chunk(problem, start, jnp.asarray(n_steps), chunk_size=n_steps)[0]

    return jax.vmap(one)(seeds) if together else jax.lax.map(one, seeds)


def gaussian_variance(drift: str, fields: dict[str, Any], n: int, n_steps: int, n_seeds: int) -> list[float]:
    """Variance of the law x = w z + c trained on N(0, 1), a number a seed; NaN for one that diverged."""
    target = on_the_line([1.0], [0.0], [1.0])
    problem = problem_of("line", gmdwgf.load_drift(drift, **fields), target, n, n_steps)
    end = trained(problem, jnp.arange(n_seeds), n_steps, drift != "sinkhorn")
    kernel = end.ema_params["out"]["kernel"].reshape(n_seeds, -1)
    return np.where(end.health.diverged, np.nan, np.sum(np.asarray(kernel, float) ** 2, axis=1)).tolist()


def mixture_law(
    generator: str, drift: str, fields: dict[str, Any], n: int, n_steps: int, n_seeds: int, eta: float, wide: bool
) -> list[dict[str, Any]]:
    """The law reached on the mixture: its distances to the target, and 400 of its quantiles to draw, for every seed."""
    made = gmdwgf.load_drift(drift, **fields)
    problem = problem_of(generator, made, MIXTURE, n, n_steps, eta, fields["bandwidth"] if wide else None)
    end = trained(problem, jnp.arange(n_seeds), n_steps, drift != "sinkhorn")
    results = []
    for seed in range(n_seeds):
        params = jax.tree.map(lambda leaf, seed=seed: leaf[seed], end.params)
        x = np.asarray(problem.generator.sample(params, jax.random.key(seed + 500), 40_000))[:, 0]
        results.append(deviation(x) | {"diverged": bool(end.health.diverged[seed])})
    return results


def deviation(x: np.ndarray) -> dict[str, Any]:
    """Exact distances on the line between a cloud `[n]` and the mixture, by quantiles; variance and mass of the left mode."""
    levels = (np.arange(40_000) + 0.5) / 40_000
    of_x, of_p = np.sort(x)[(levels * len(x)).astype(int)], quantiles(levels)
    return {
        "w1": float(np.mean(np.abs(of_x - of_p))),
        "w2": float(np.sqrt(np.mean((of_x - of_p) ** 2))),
        "variance": float(np.var(of_x) / np.var(of_p)),
        "left": float(np.mean(x < 0.3)),
        "within": float((np.std(x[x < 0.3]) / np.std(of_p[of_p < 0.3])) ** 2),
        "quantiles": np.round(np.quantile(x, (np.arange(400) + 0.5) / 400), 4).tolist(),
    }


def quantiles(levels: np.ndarray, mixture: GaussianMixture = MIXTURE) -> np.ndarray:
    """The quantile function of a mixture on the line, by inverting its distribution function on a fine grid."""
    from scipy.stats import norm

    centres, deviations = np.asarray(mixture.centres)[:, 0], np.sqrt(np.asarray(mixture.covariances))[:, 0, 0]
    grid = np.linspace(centres.min() - 8, centres.max() + 8, 40_001)
    distribution = norm.cdf((grid[:, None] - centres) / deviations) @ np.asarray(mixture.masses)
    return np.interp(levels, distribution, grid)


def sampling_floor(n: int, seeds: int) -> list[dict[str, Any]]:
    """The same distances of `n` independent draws of the target itself."""
    draw = lambda seed: np.asarray(MIXTURE.sample(jax.random.key(900 + seed), n))[:, 0]
    return [deviation(draw(seed)) for seed in range(seeds)]
