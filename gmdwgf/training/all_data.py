"""Attraction to all targets of a data set in every step: one pass over the data before training (`drifts.landmarks`).

What counts as all targets: the training rows of a target with rows in memory; all training rows of the file of a target larger than
memory, read once in windows; `n_data` samples of any other target, which has no finite set (with weighted rows they are drawn by
weight). Landmarks are a random subset of the rows, of the first window if there are several, or other samples. They and the samples
are the same for all seeds of a run.
"""

from collections.abc import Iterator
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.config.fields import FieldError
from gmdwgf.config.memory import too_many
from gmdwgf.data.sharded_reader import ShardedReader
from gmdwgf.drifts.base import rms
from gmdwgf.drifts.landmarks import moments_of
from gmdwgf.drifts.wrappers.nystrom import NystromDrift
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.training.problem import Problem, TrainingPlan
from gmdwgf.typing import Key, Particles, Scalar, Targets

AT_ONCE = 4096
"""Targets whose affinities to all landmarks are in memory together."""

KERNEL_FIELDS = ("bandwidth", "exponent", "temperature")
"""Fields of drifts on which their kernels depend, which must not change while the moments are those of one kernel."""


class DataSet(NamedTuple):
    """All targets of a data set, for one pass."""

    landmarks: Targets
    chunks: Iterator[Targets]
    words: str
    """What they are."""


def with_moments(problem: Problem, plan: TrainingPlan) -> tuple[Problem, list[str]]:
    """The problem with the moments of its data set, and a line about them; as it is for `attraction=batch`.

    Raises FieldError for a drift, or a combination with other options, whose attraction cannot be that of all targets.
    """
    if plan.attraction == "batch":
        return problem, []
    _check(problem, plan)
    data = data_set(problem.target, plan.n_landmarks, plan.n_data, jax.random.key(0))
    moments = moments_of(problem.drift.target_kernels(), data.landmarks, data.chunks, float(plan.ridge))
    line = f"attraction to {data.words}, through {plan.n_landmarks:,} landmarks (Nyström); repulsion within the batch is exact"
    return eqx.tree_at(lambda p: p.moments, problem, moments, is_leaf=lambda leaf: leaf is None), [line]


def _check(problem: Problem, plan: TrainingPlan) -> None:
    refuse = lambda fix: FieldError("attraction", plan.attraction, fix, section="training")
    name = type(problem.drift).__name__
    if not problem.drift.target_kernels():
        raise refuse(
            f"is not supported by {name}, whose attraction is not made of sums of one kernel over the targets; "
            "use kl, mean_shift, mmd or deng, or attraction=batch"
        )
    for option, value in (("condition", problem.condition), ("features", problem.features)):
        if value is not None:
            raise refuse(
                f"knows one data set, in its own coordinates, and cannot be combined with {option}; omit one of them"
            )
    for path in problem.schedules:
        if path.partition(".")[0] in KERNEL_FIELDS:
            raise refuse(f"needs a constant drift.{path}, with which the moments are computed; give a number or a rule")
    k, d = plan.n_landmarks, problem.target.dim
    has_columns = any(kernel.has_columns for kernel in problem.drift.target_kernels())
    if has_columns and (fix := too_many(k**2 * (d + 1), f"{k}^2 * {d + 1} for the column sums of {name}")):
        raise FieldError("n_landmarks", k, fix, section="training")


def data_set(target: AbstractTarget, n_landmarks: int, n_data: int, key: Key) -> DataSet:
    """All targets of a target, and landmarks among them. Raises FieldError if there are fewer than landmarks."""
    key_landmarks, key_rows = jax.random.split(key)
    reader, n = target.reader(), target.n_rows
    if n is None:
        _check_number(n_landmarks, n_data, "n_data samples")
        landmarks = target.sample(key_landmarks, n_landmarks)
        return DataSet(
            landmarks, _samples(target, n_data, key_rows), f"{n_data:,} samples of the target, which has no finite set"
        )
    _check_number(n_landmarks, n, "training points in memory")
    index = jax.random.choice(key_landmarks, n, (n_landmarks,), replace=False)
    landmarks = target.rows(key_rows, index)
    if reader is not None:
        words = f"all {reader.n_train_rows:,} training points of the file, read once"
        return DataSet(landmarks, _read_once(target, reader, key_rows), words)
    return DataSet(landmarks, _rows(target, n, key_rows), f"all {n:,} training points")


def _check_number(n_landmarks: int, n: int, what: str) -> None:
    if n_landmarks > n:
        raise FieldError("n_landmarks", n_landmarks, f"must be at most {n}, the number of {what}", section="training")


def _samples(target: AbstractTarget, n: int, key: Key) -> Iterator[Targets]:
    for index, start in enumerate(range(0, n, AT_ONCE)):
        yield target.sample(jax.random.fold_in(key, index), min(AT_ONCE, n - start))


def _rows(target: AbstractTarget, n: int, key: Key) -> Iterator[Targets]:
    for index, start in enumerate(range(0, n, AT_ONCE)):
        yield target.rows(jax.random.fold_in(key, index), jnp.arange(start, min(start + AT_ONCE, n)))


def _read_once(target: AbstractTarget, reader: ShardedReader, key: Key) -> Iterator[Targets]:
    """All training rows of a file, in windows of about equal size, of at most as many rows as are kept in memory."""
    n = reader.n_train_rows
    for index, part in enumerate(np.array_split(np.arange(n), -(-n // target.n_kept))):
        window = target.refreshed(*reader.next_labelled(len(part)))
        yield from _rows(window, len(part), jax.random.fold_in(key, index))


@jax.jit
def nystrom_error(problem: Problem, x: Particles, y: Targets) -> dict[str, Scalar]:
    """Error of the velocity at `x` due to the landmarks, against the exact attraction to `y`, all targets of the data set.

    `nystrom_error` is the root mean square length of the difference of velocities, in data units; `v_rms` that of the exact one.
    O(n N) pairs, in tiles. `problem` has the moments of `y` (`training.attraction=nystrom`).
    """
    key, drift = jax.random.key(0), problem.drift
    assert problem.moments is not None, "training.attraction=nystrom gives a problem its moments"
    state = drift.init(key, x, y)
    exact = drift.update(state, x, y, key)[0].v
    through = NystromDrift(drift, problem.moments).update(state, x, y, key)[0].v
    return {"nystrom_error": rms(through - exact), "v_rms": rms(exact)}
