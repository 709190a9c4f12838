"""Check that the arrays of a config fit into memory; pairwise arrays of drifts are not included."""

import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp

from gmdwgf.config.build import ConfigError
from gmdwgf.config.memory import too_many
from gmdwgf.generators.base import n_parameters
from gmdwgf.metrics import MetricSuite
from gmdwgf.training.problem import Problem, TrainingPlan


def check_memory(problem: Problem, plan: TrainingPlan, metrics: MetricSuite) -> None:
    """Raise ConfigError for a size whose points, costs or parameters alone exceed the machine's memory."""
    for key, value, n_numbers, what in _asked_for(problem, plan, metrics):
        if fix := too_many(n_numbers, what):
            raise ConfigError(key, value, fix)


def _asked_for(problem: Problem, plan: TrainingPlan, metrics: MetricSuite) -> Iterator[tuple[str, int | str, int, str]]:
    """Yield config keys, their values, the number of floats that they require, and a description of these."""
    dim = problem.target.dim
    for name in ("batch_size", "n_targets", "n_snapshot"):
        n = getattr(plan, name)
        yield f"training.{name}", n, n * dim, "its points alone"
    yield "metrics.n_samples", metrics.n_samples, metrics.n_samples * dim, "its points alone"
    n_pairs = min(metrics.n_assignment, metrics.n_samples) ** 2
    yield "metrics.n_assignment", metrics.n_assignment, 2 * n_pairs, "the costs of all pairs alone"
    n_seen = metrics.n_projections * (metrics.n_samples + dim)
    yield "metrics.n_projections", metrics.n_projections, n_seen, "the projected points alone"
    n_trained = n_parameters(problem.generator, plan.batch_size, dim, problem.n_classes)
    yield (
        "generator",
        type(problem.generator).__name__,
        2 * n_trained,
        f"{n_trained:.2g} parameters and their average alone",
    )
    n_carried = _n_carried(problem, plan)
    yield "drift", type(problem.drift).__name__, n_carried, "its state alone"


def _n_carried(problem: Problem, plan: TrainingPlan) -> int:
    clouds = [
        jax.ShapeDtypeStruct((n, problem.target.dim), jnp.zeros(()).dtype) for n in (plan.batch_size, plan.n_targets)
    ]
    state = jax.eval_shape(problem.drift.init, jax.random.key(0), *clouds)
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(state))
