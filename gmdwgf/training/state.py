"""Training state, a pytree that is saved in full in each checkpoint."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp

from gmdwgf.pairs import sharding
from gmdwgf.training import ema
from gmdwgf.training.batch import draw_batch
from gmdwgf.training.problem import Problem
from gmdwgf.typing import Array, Key, PyTree, Scalar

TERMS = ("none", "velocity", "position", "loss", "parameters")
"""Terms whose divergence ends a run, in the order in which they are checked."""


class Health(eqx.Module):
    """Whether a run has diverged, at which step, and by which term and value."""

    diverged: Array
    step: Array
    term: Array
    value: Scalar


class TrainState(eqx.Module):
    """All quantities that change from step to step. Random keys are `fold_in(key, step)`, so `key` itself is constant."""

    step: Array
    key: Key
    params: PyTree
    ema_params: PyTree
    """Average with the structure of `params`, or a tuple of averages if there are several decays (see `gmdwgf.training.ema`)."""
    opt_state: PyTree
    drift_state: PyTree
    health: Health


def purpose(key: Key, step: Array, name: str) -> Key:
    """Random key for one purpose at one step; it does not depend on chunks, resumption or devices."""
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
    "references",
    "order",
)


@jax.jit
def copied(state: TrainState) -> TrainState:
    """Copy all arrays of the state, in one compiled program."""
    return jax.tree.map(jnp.copy, state)


def initial_state(problem: Problem, key: Key) -> TrainState:
    """State before the first step; it shares no memory with `key`, so that it can be donated."""
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
    # Copy every leaf: donating the state would otherwise delete the caller's `key`, and donate `start` twice.
    return jax.tree.map(jnp.copy, sharding.replicate(state))
