"""One training of an experiment: a generator, a drift and a target, timed after compilation and scored by one measure."""

import functools
import math
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import gmdwgf
from gmdwgf.config.build import build, load_node
from gmdwgf.engine.compilation import keep_compiled_programs
from gmdwgf.metrics import MetricSuite
from gmdwgf.optim.schedules import AbstractSchedule
from gmdwgf.training import ema
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import TrainState, initial_state
from gmdwgf.training.step import train_chunk

CHUNK = 50
"""Steps of one call; no number depends on it."""

keep_compiled_programs()


class Sizes(NamedTuple):
    """What all drifts of a comparison share. Ours."""

    batch_size: int
    n_steps: int
    width: int = 128
    n_samples: int = 2000
    ema_decay: float = 0.995
    divergence_radius: float = 100.0


def problem_of(
    target: Any,
    drift: Any,
    sizes: Sizes,
    learning_rate: float,
    *,
    plain: bool = False,
    generator: str = "mlp",
    eta: float = 1.0,
    schedules: dict[str, AbstractSchedule] | None = None,
) -> Problem:
    """The training of one drift on one target, with Adam or `plain` gradient descent.

    The perceptron is one connected piece, so that what separates modes is the drift.

    Another real number in any of them is the same compiled program.
    """
    return gmdwgf.make_problem(
        target,
        drift,
        generator=generator,
        optimizer="euler" if plain else "adam",
        schedules=schedules,
        learning_rate=learning_rate,
        n_steps=sizes.n_steps,
        batch_size=sizes.batch_size,
        eta=eta,
        ema_decay=sizes.ema_decay,
        divergence_radius=sizes.divergence_radius,
        width=sizes.width if generator == "mlp" else None,
        depth=3 if generator == "mlp" else None,
        n_codes=0 if generator == "mlp" else None,
    )


_begun = jax.jit(initial_state)
_drawn = jax.jit(
    lambda problem, params, key, n: problem.generator.sample(ema.of(problem.ema_decay, params), key, n),
    static_argnums=3,
)


def run(problem: Problem, seed: int, n_steps: int) -> tuple[TrainState, float]:
    """The state after `n_steps`, or after divergence, and the seconds that they took; compiling is not counted."""
    chunk = functools.partial(train_chunk, chunk_size=CHUNK)
    key = jax.random.key(seed)
    stop = lambda step: jnp.asarray(step, int)
    jax.block_until_ready(chunk(problem, _begun(problem, key), stop(0)))
    state, start = _begun(problem, key), time.perf_counter()
    for _ in range(math.ceil(n_steps / CHUNK)):
        state, _ = chunk(problem, state, stop(n_steps))
        if bool(state.health.diverged):
            break
    return state, time.perf_counter() - start


def step_seconds(problems: dict[str, Problem], rounds: int = 8) -> dict[str, float]:
    """Seconds of a step of every problem: the fastest of some chunks, taken in turn so that all meet the same machine."""
    states, fastest = {}, dict.fromkeys(problems, math.inf)
    for name, problem in problems.items():
        states[name], _ = train_chunk(
            problem, _begun(problem, jax.random.key(0)), jnp.asarray(CHUNK, int), chunk_size=CHUNK
        )
    for k in range(2, rounds + 2):
        for name, problem in problems.items():
            start = time.perf_counter()
            states[name], _ = train_chunk(problem, states[name], jnp.asarray(k * CHUNK, int), chunk_size=CHUNK)
            jax.block_until_ready(states[name].step)
            fastest[name] = min(fastest[name], (time.perf_counter() - start) / CHUNK)
    return fastest


@functools.cache
def judge(dataset: str, fields: tuple[tuple[str, float], ...], n_samples: int) -> tuple[MetricSuite, Any]:
    """The metrics and the held-out points of a target, the same for all drifts and seeds."""
    suite = build(load_node("metrics", "default", {"n_samples": n_samples, "n_assignment": 500}), "metrics")
    return suite, suite.prepare(gmdwgf.load_target(dataset, **dict(fields)), jax.random.key(2**20))


def scores(dataset: str, fields: dict[str, float], problem: Problem, state: TrainState, sizes: Sizes) -> dict[str, Any]:
    """The metrics of the averaged generator, and the shares of its samples by nearest mode."""
    suite, reference = judge(dataset, tuple(fields.items()), sizes.n_samples)
    x = _drawn(problem, state.ema_params, jax.random.fold_in(state.key, 2**20), sizes.n_samples)
    return suite.evaluate(x, reference) | {"masses": suite.mode_masses(x, reference)}
