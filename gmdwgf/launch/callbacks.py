"""Callbacks of `gmdwgf.fit`, called at every evaluation with a function that samples the generator."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.engine.monitor import OnEvaluation
from gmdwgf.mappings import Record
from gmdwgf.training.problem import Problem
from gmdwgf.typing import PyTree

Callback = Callable[[int, Record, Callable], bool | None]
"""Called as `callback(step, record, sample)`; `sample(key, n)` draws points from the averaged generator at that step."""


def one_callback(problem: Problem, callbacks: Sequence[Callback]) -> OnEvaluation:
    """Combine callbacks into one function of a record and the averaged parameters, which it copies before they are donated."""

    def call(record: Record, params: PyTree) -> bool:
        if not callbacks:
            return False
        kept = on_one_device(params)
        sample = lambda key, n, condition=None: problem.target.in_data_units(
            problem.generator.sample(kept, key, n, condition)
        )
        return any([bool(callback(record["step"], dict(record), sample)) for callback in callbacks])

    return call


def on_one_device(params: PyTree) -> PyTree:
    """Copy the parameters to a single device."""
    return jax.tree.map(lambda leaf: jnp.asarray(np.array(leaf)), params)
