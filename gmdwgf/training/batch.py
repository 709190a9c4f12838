"""Inputs of a training step: targets, conditions of the particles, and the drift with its scheduled values."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.generators.base import Condition
from gmdwgf.training.problem import Problem
from gmdwgf.typing import Array, Key, Targets


class Batch(NamedTuple):
    """Targets of a step, condition of each particle (None without classes), and the drift with its values at this step."""

    y: Targets
    condition: Condition | None
    drift: AbstractDrift


def draw_batch(problem: Problem, step: Array, key: Callable[[str], Key]) -> Batch:
    """Draw the batch of `step`; `key(name)` gives the random key for a purpose."""
    target, condition = problem.target, problem.condition
    if condition is None:
        return Batch(target.sample(key("targets"), problem.n_targets), None, problem.drift_at(step))
    groups, guidance, n_any = condition.structure()
    labels, alpha = condition.draw(key("classes"), target.n_classes)
    y = target.sample_of(key("targets"), jnp.repeat(labels, problem.n_targets // groups))
    if n_any:
        of_any = target.sample(key("any_class"), groups * n_any)
        parts = (cloud.reshape(groups, -1, target.dim) for cloud in (y, of_any))
        y = jnp.concatenate([*parts], axis=1).reshape(-1, target.dim)
    n = problem.batch_size // groups
    told = Condition(jnp.repeat(labels, n), jnp.repeat(alpha, n))
    return Batch(y, told, problem.drift_at(step, alpha))
