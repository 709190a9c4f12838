"""Check that the arrays of a config fit into memory, by lower bounds that are known before anything compiles."""

import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp

from gmdwgf.config.build import ConfigError
from gmdwgf.config.memory import BYTES, machine_bytes, short, too_many
from gmdwgf.generators.base import n_parameters
from gmdwgf.metrics import MetricSuite
from gmdwgf.training.problem import Problem, TrainingPlan


def check_memory(problem: Problem, plan: TrainingPlan, metrics: MetricSuite) -> None:
    """Raise ConfigError for a size whose points, costs, pairs or parameters alone exceed the memory."""
    for key, value, n_numbers, what in _asked_for(problem, plan, metrics):
        if fix := too_many(n_numbers, what):
            raise ConfigError(key, value, fix)
    _check_pairs(problem, _device_bytes())


def _check_pairs(problem: Problem, n_bytes: int) -> None:
    """Raise ConfigError if the pairwise arrays of a step exceed `n_bytes`, with the largest batch that fits."""
    n, m = problem.batch_size, problem.n_targets
    needed = BYTES * _n_pairwise(problem, n, m)
    if needed <= n_bytes:
        return
    share = math.sqrt(n_bytes / needed) if n == m else n_bytes / needed
    n_fitting = 1 << max(math.floor(n * share), 1).bit_length() - 1
    while n_fitting > 1 and BYTES * _n_pairwise(problem, n_fitting, n_fitting if n == m else m) > n_bytes:
        n_fitting //= 2
    solvers = [name for name in ("solver",) if hasattr(problem.drift, name)]
    streamed = "".join(f", or drift.{name}=streamed stores no pairs and is slower" for name in solvers)
    fix = (
        f"a step would need at least {short(needed)} bytes for the pairwise arrays of {type(problem.drift).__name__}, and there are "
        f"{short(n_bytes)}; at most training.batch_size={n_fitting} fits{streamed}"
    )
    raise ConfigError("training.batch_size", n, fix)


def _n_pairwise(problem: Problem, n: int, m: int) -> int:
    """Least number of pairwise entries of a step; sub-batches follow one another, groups of classes are computed at once."""
    n += problem.n_reference
    if problem.condition is not None:
        n_groups = problem.condition.n_groups
        return n_groups * problem.drift.n_stored(n // n_groups, m // n_groups)
    return problem.drift.n_stored(n // problem.n_sub_batches, m // problem.n_sub_batches)


def _device_bytes() -> int:
    """Memory of all devices in bytes; that of the machine if they do not report it."""
    reported = [(device.memory_stats() or {}).get("bytes_limit") for device in jax.devices()]
    limits = [n_bytes for n_bytes in reported if n_bytes]
    return sum(limits) if len(limits) == len(reported) else machine_bytes()


def _asked_for(problem: Problem, plan: TrainingPlan, metrics: MetricSuite) -> Iterator[tuple[str, int | str, int, str]]:
    """Yield config keys, their values, the number of floats that they require, and a description of these."""
    dim = problem.target.dim
    for name in ("batch_size", "n_targets", "n_reference", "n_snapshot"):
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
