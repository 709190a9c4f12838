"""The state of a run: plain data, all of it in the checkpoint."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from gmdwgf.pairs import sharding
from gmdwgf.training import ema
from gmdwgf.training.batch import draw_batch
from gmdwgf.training.problem import Problem
from gmdwgf.typing import Array, Key, Scalar

TERMS = ("none", "velocity", "position", "loss", "parameters")
"""What can end a run as diverged, in the order in which they are looked at."""


class Health(eqx.Module):
    """Whether, when and by which term a run diverged."""

    diverged: Array
    step: Array
    term: Array
    value: Scalar


class TrainState(eqx.Module):
    """Everything that changes from step to step. Random numbers are `fold_in(key, step)`, so no generator state is carried."""

    step: Array
    key: Key
    params: Any
    ema_params: Any
    """Like `params`; a tuple of such where there are several decays (see `averages`)."""
    opt_state: Any
    drift_state: Any
    health: Health


def purpose(key: Key, step: Array, name: str) -> Key:
    """The key for one purpose at one step; independent of chunks, resumes and devices."""
    return jax.random.fold_in(jax.random.fold_in(key, step), _PURPOSES.index(name))


_PURPOSES = (
    "noise",
    "targets",
    "drift",
    "init",
    "drift_init",
    "evaluation",
    "reference",
    "velocity_plot",
    "classes",
    "any_class",
)


@jax.jit
def copied(state: TrainState) -> TrainState:
    """The same state in memory of its own, by one program."""
    return jax.tree.map(jnp.copy, state)


def initial_state(problem: Problem, key: Key) -> TrainState:
    """State before the first step; it shares no memory with `key`, so that a program may use it up."""
    start = jnp.zeros((), int)
    at_start = functools.partial(purpose, key, start)
    batch = draw_batch(problem, start, at_start)
    params = problem.generator.init(at_start("init"), problem.batch_size, problem.target.dim, problem.n_classes)
    x = problem.generator.sample(params, at_start("noise"), problem.batch_size, batch.condition)
    state = TrainState(
        step=start,
        key=key,
        params=params,
        ema_params=ema.start(problem.ema_decay, params),
        opt_state=problem.optimizer.init(params),
        drift_state=batch.drift.init(at_start("drift_init"), x, batch.y),
        health=Health(jnp.zeros((), bool), start, start, jnp.zeros(())),
    )
    # Every leaf in memory of its own: a program that donates the state would otherwise take `key` from the caller, and `start` twice.
    return jax.tree.map(jnp.copy, sharding.replicate(state))
