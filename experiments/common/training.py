"""Flows and short trainings of the package, for the experiments: several starts in one compiled program, samples on the way."""

import functools
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import gmdwgf
from gmdwgf.config.build import build, load_node
from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.optim.optimizers import AbstractOptimizer
from gmdwgf.optim.schedules import AbstractSchedule, Exponential
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import initial_state
from gmdwgf.training.step import chunk
from gmdwgf.typing import Array


@jax.jit
def velocity(drift: AbstractDrift, x, y, key, *, at=None, x_weights=None, y_weights=None) -> Array:
    """What `drift` says at `at` (the particles, if None), from its initial state: a critic then takes its inner steps."""
    state = drift.init(key, x, y)
    return drift.update(state, x, y, key, at=at, x_weights=x_weights, y_weights=y_weights)[0].v


def particle_flow(
    target: AbstractTarget,
    drift: AbstractDrift,
    *,
    n: int,
    n_steps: int,
    eta: float,
    n_targets: int | None = None,
    init_scale: float = 1.0,
) -> Problem:
    """`n` free particles and explicit Euler steps x <- x + eta v, with fresh targets at each step."""
    numbers = {"n_steps": n_steps, "batch_size": n, "n_targets": n_targets, "eta": eta, "init_scale": init_scale}
    return gmdwgf.make_problem(target, drift, generator="particles", **numbers)


def network_training(
    target: AbstractTarget,
    drift: AbstractDrift,
    *,
    width: int,
    batch: int,
    n_steps: int,
    rate: float = 1e-3,
    decay: str = "constant",
    schedules: dict[str, AbstractSchedule] | None = None,
) -> Problem:
    """The perceptron 32 -> width x 3 -> d with SiLU, and Adam, as in the demonstration of Deng et al. (2026)."""
    network = {"noise_dim": 32, "width": width, "depth": 3, "activation": "silu", "n_codes": 0}
    plan = {"n_steps": n_steps, "batch_size": batch, "ema_decay": 0.0}  # the samples are those of the last parameters
    adam = optimizer_of("adam", decay=decay, learning_rate=rate)
    return gmdwgf.make_problem(target, drift, optimizer=adam, schedules=schedules, **network, **plan)


def optimizer_of(name: str, *, decay: str, **fields: Any) -> AbstractOptimizer:
    """The optimiser `name` with some fields changed, its rate constant or decayed to 0 (`decay`: constant, cosine, linear)."""
    node = load_node("optimizer", name, fields)
    node.schedule.decay = decay
    return build(node, "optimizer")


def falling_bandwidth(
    start: float, end: float, n_steps: float, paths: Sequence[str] = ("bandwidth",)
) -> dict[str, AbstractSchedule]:
    """The schedule of bandwidths that fall from `start` to `end` in `n_steps`, by the same factor at every step."""
    start_value, end_value, steps = (jnp.asarray(float(number)) for number in (start, end, n_steps))
    return {path: Exponential(start=start_value, end=end_value, n_steps=steps) for path in paths}


def samples_of(problem: Problem, keys: Array, marks: np.ndarray, n: int, params: Any = None) -> np.ndarray:
    """Samples `[runs marks n d]` of one run a key, at the steps `marks` (evenly spaced, the first may be 0).

    `params`, with a leading axis of runs, are the starts; without them each run starts from its key. Samples of a run that
    diverged are NaN.
    """
    gap = int(marks[1] - marks[0]) if len(marks) > 1 else int(marks[0])
    return np.asarray(_run(problem, keys, params, jnp.asarray(marks), n=n, gap=gap)[0])


def trained(problem: Problem, keys: Array, n_steps: int) -> Any:
    """The parameters after `n_steps`, with a leading axis of runs: one for each key."""
    return _run(problem, keys, None, jnp.asarray([n_steps]), n=1, gap=n_steps)[1]


@functools.partial(jax.jit, static_argnames=("n", "gap"))
def _run(problem: Problem, keys: Array, params: Any, marks: Array, *, n: int, gap: int) -> tuple[Array, Any]:
    def one(started):
        key, start = started
        state = initial_state(problem, key)
        if start is not None:
            state = eqx.tree_at(lambda s: (s.params, s.ema_params), state, (start, start))

        def until(state, mark):
            state, _ = chunk(problem, state, mark, chunk_size=gap)
            x = problem.generator.sample(state.params, jax.random.fold_in(key, 7), n)
            return state, jnp.where(state.health.diverged, jnp.nan, x)

        state, x = jax.lax.scan(until, state, marks)
        return x, state.params

    # One after another: side by side, every run would wait for the one whose solver needs the most iterations.
    return jax.lax.map(one, (keys, params))
