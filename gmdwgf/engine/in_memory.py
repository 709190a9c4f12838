"""Train in memory: the training loop without files, with the same results as a run folder."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import equinox as eqx
import jax
import numpy as np

from gmdwgf.engine.departure import departure
from gmdwgf.engine.diagnosis import Diagnosis
from gmdwgf.engine.monitor import OnEvaluation, divergence, evaluate
from gmdwgf.engine.pace import Pace
from gmdwgf.engine.serial import SerialExecutor
from gmdwgf.engine.signals import Interrupts
from gmdwgf.engine.stream import StreamWindow
from gmdwgf.mappings import Facts, Record
from gmdwgf.metrics.suite import MetricSuite, Reference
from gmdwgf.training import ema
from gmdwgf.training.problem import Problem, TrainingPlan
from gmdwgf.training.state import TrainState, initial_state
from gmdwgf.typing import Key


class Trained(NamedTuple):
    """Result of training in memory; `status` is `done`, `diverged` or `interrupted`."""

    status: str
    state: TrainState
    records: list[Record]
    """One record for each evaluation: step, seconds, metrics and the logs of the last step."""
    samples: dict[int, np.ndarray]
    """Samples `[n d]` of the averaged generator at each evaluation, by step."""
    warnings: list[str]
    """Signs that the training fails (`gmdwgf.engine.diagnosis`), in the order in which they were found."""
    divergence: Facts
    """Step, term and value of the divergence; empty if there was none."""


def train_in_memory(
    problem: Problem,
    plan: TrainingPlan,
    suite: MetricSuite,
    reference: Reference,
    key: Key,
    on_chunk: Callable[[int, dict[str, float]], None],
    on_evaluation: OnEvaluation,
    save_signals: Iterable[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Trained:
    """Train until the last step, divergence, a signal, or `on_evaluation` returning true.

    Signals are handled between chunks, whose length adapts to the speed of the run. `say` is called with each warning.
    """
    feed = problem.target.reader()
    window = None if feed is None else StreamWindow(problem.target, feed, plan.refresh_every)
    executor = SerialExecutor([problem], [jax.jit(initial_state)(problem, key)], plan.chunk_size)
    records: list[Record] = []
    samples: dict[int, np.ndarray] = {}
    diagnosis = Diagnosis(problem, reference.y)
    intervals = [plan.eval_every, *([plan.refresh_every] if window else [])]

    def warn(lines: list[str]) -> None:
        for line in lines:
            say(f"warning: {line}")

    def evaluated(step: int, seconds: float, logs: dict[str, float]) -> bool:
        ema_params = executor.state(0).ema_params
        found = evaluate(problem, suite, reference, ema_params, key, plan.n_snapshot)
        samples[step] = found.snapshot
        values = {"seconds": seconds, **found.scores, **logs}
        records.append({"step": step} | {name: float(value) for name, value in values.items()})
        warn(diagnosis.look(records[-1], found.x))
        return bool(on_evaluation(records[-1], ema.of(problem.ema_decay, ema_params)))

    step, seconds, diverged, pace = 0, 0.0, False, Pace()
    warn(diagnosis.at_start())
    with Interrupts(save_signals) as interrupts:
        stopped = evaluated(0, 0.0, executor.peek()[0])
        while not (diverged or step >= plan.n_steps or stopped or interrupts.asked):
            ahead = [(step // every + 1) * every for every in intervals]
            stop = min(*ahead, step + min(plan.chunk_size, pace.n_steps), plan.n_steps)
            moved = executor.advance({0: stop})[0]
            pace.update(moved.step - step, moved.call)
            step, diverged, seconds = moved.step, moved.diverged, seconds + moved.seconds
            on_chunk(step, moved.logs)
            if diverged or step >= plan.n_steps or step % plan.eval_every == 0:
                stopped = evaluated(step, seconds, moved.logs)
            target = None if window is None else window.at(step)
            if target is not None:
                problem = eqx.tree_at(lambda problem: problem.target, problem, target)
                executor.show(0, problem)
    status = "diverged" if diverged else "done" if step >= plan.n_steps else "interrupted"
    y = np.asarray(problem.target.in_data_units(reference.y[: plan.n_snapshot]))
    found = divergence(executor.state(0))
    if status == "done" and (found := departure(problem, samples, y)):
        status = "diverged"
    return Trained(status, executor.state(0), records, samples, diagnosis.said, found)
