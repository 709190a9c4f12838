"""The state of a run: plain data, all of it in the checkpoint."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from gmdwgf.training import averages, devices
from gmdwgf.training.plan import Problem
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


_PURPOSES = ("noise", "targets", "drift", "init", "drift_init", "evaluation", "reference", "velocity_plot")


def initial_state(problem: Problem, key: Key) -> TrainState:
    """State before the first step."""
    start = jnp.zeros((), int)
    params = problem.generator.init(purpose(key, start, "init"), problem.batch_size, problem.target.dim)
    x = problem.generator.sample(params, purpose(key, start, "noise"), problem.batch_size)
    y = problem.target.sample(purpose(key, start, "targets"), problem.n_targets)
    state = TrainState(
        step=start,
        key=key,
        params=params,
        ema_params=averages.start(problem.ema_decay, params),
        opt_state=problem.optimizer.init(params),
        drift_state=problem.drift_at(start).init(purpose(key, start, "drift_init"), x, y),
        health=Health(jnp.zeros((), bool), start, start, jnp.zeros(())),
    )
    return devices.whole(state)
