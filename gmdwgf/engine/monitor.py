"""Host side of one run in the loop: restoring, evaluating, logging and saving."""

import functools
import signal
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.engine import multihost
from gmdwgf.engine.checkpoints import Checkpoints, from_host, to_host
from gmdwgf.engine.departure import departure
from gmdwgf.engine.diagnosis import Diagnosis
from gmdwgf.engine.inheritance import take_over
from gmdwgf.engine.references import fixed_reference
from gmdwgf.engine.stream import StreamWindow
from gmdwgf.mappings import Record
from gmdwgf.metrics.suite import MetricSuite, Reference
from gmdwgf.pairs import sharding
from gmdwgf.runs import history
from gmdwgf.runs.folder import RunDir
from gmdwgf.runs.snapshots import Snapshots
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.tracking import Tracker, jsonl
from gmdwgf.training import ema
from gmdwgf.training.problem import Problem, TrainingPlan
from gmdwgf.training.state import TERMS, TrainState, initial_state, purpose
from gmdwgf.typing import Key, Particles, PyTree

OnEvaluation = Callable[[Record, PyTree], bool]
"""Called with each record and its averaged parameters, which the next step donates; training stops if it returns true."""


class RunContext(NamedTuple):
    """Inputs of the training loop for one run: problem, plan, metrics, folder and outputs."""

    problem: Problem
    plan: TrainingPlan
    suite: MetricSuite
    key: Key
    folder: RunDir
    tracker: Tracker
    say: Callable[[str], None]
    save_signals: tuple[str, ...] = ()
    """Signals that save and stop the run, in addition to the default ones."""
    parent: RunDir | None = None
    """Finished run that this one extends, as long as it has no checkpoint itself."""
    on_evaluation: OnEvaluation | None = None
    """Called with every record and its averaged parameters; the run stops if it returns true."""


class LoopResult(NamedTuple):
    """Result of a run: status (`done`, `diverged` or `interrupted`), last record, and the data for plots."""

    status: str
    summary: dict[str, float | int | str]
    state: TrainState
    reference: Reference


class ChunkResult(NamedTuple):
    """Result of a chunk for one run: its step, whether it diverged, the logs of its last step, and its time in seconds.

    `call` is the time of the program call, which may have advanced other runs too.
    """

    step: int
    diverged: bool
    logs: dict[str, float]
    seconds: float
    call: float


class RunMonitor:
    """Host-side data of one run of the loop: everything except its training state."""

    def __init__(self, run: RunContext):
        self.run, self.reference, self.stopped = run, fixed_reference(run.suite, run.problem), False
        self.checkpoints = Checkpoints(run.folder.checkpoints, run.say)
        y = run.problem.target.in_data_units(self.reference.y[: run.plan.n_snapshot])
        self.snapshots = Snapshots(run.folder.samples, np.asarray(y))
        reader = run.problem.target.reader()
        self.window = None if reader is None else StreamWindow(run.problem.target, reader, run.plan.refresh_every)

    def start(self) -> TrainState:
        """State to resume from: that of the latest checkpoint, or the initial state."""
        run = self.run
        state, notes, self.resumed = _restored(run, self.checkpoints)
        self.step, self.diverged = int(state.step), bool(state.health.diverged)
        if self.window is not None and "window" in notes:
            self.window.restore(notes["window"])
            self._show(self.window.target)
        self.seconds, self.best = notes.get("seconds", 0.0), _best(notes.get("best", {}))
        self.record: Record = notes.get("record", {})
        self._take_up_history()
        self.diagnosis = Diagnosis(run.problem, self.reference.y, run.folder.warnings(), notes.get("diagnosis", []))
        self._warn(self.diagnosis.at_start())
        run.tracker.start(self.step, self.reference.floor)
        if self.resumed and self.ended and bool(multihost.broadcast_from_main(self.step not in self.snapshots.taken)):
            kept = {name: value for name, value in self.record.items() if name not in ("step", "seconds")}
            self.evaluate(state, lambda: kept)
        return state

    def _take_up_history(self) -> None:
        """Restore records and samples as of the checkpoint; none without a checkpoint."""
        run = self.run
        if not self.resumed:
            history.begin_anew(run.folder, run.say)
            jsonl.truncate(run.folder.metrics, -1)
        elif multihost.is_main_process():
            steps = history.evaluated_steps(run.plan.eval_every, self.step, self.ended)
            history.recover(run.folder, self.snapshots, steps, self.record, self.step, run.say)

    @property
    def ended(self) -> bool:
        """Whether the run has no steps left."""
        return self.diverged or self.step >= self.run.plan.n_steps

    def next_stop(self) -> int:
        """Step at which the next chunk has to stop."""
        plan = self.run.plan
        intervals = [plan.eval_every, plan.checkpoint_every, *([plan.refresh_every] if self.window else [])]
        ahead = [(self.step // every + 1) * every for every in intervals]
        return min(*ahead, self.step + plan.chunk_size, plan.n_steps)

    def on_chunk(self, to: ChunkResult, state: Callable[[], TrainState], *, stopping: bool) -> None:
        """Process the result of a chunk: evaluate and save if due. `state()` is called only in that case."""
        plan = self.run.plan
        self.step, self.diverged, self.seconds = to.step, to.diverged, self.seconds + to.seconds
        self.run.tracker.progress(self.step, to.logs)
        if self.ended or self.step % plan.eval_every == 0:
            self.evaluate(state(), lambda: to.logs)
        if self.ended or self.step % plan.checkpoint_every == 0 or stopping or self.stopped:
            self.save(state())

    def refresh_data(self) -> Problem | None:
        """The problem with the next rows of its target, if a refresh is due; otherwise None."""
        target = self.window.at(self.step) if self.window is not None else None
        return None if target is None else self._show(target)

    def _show(self, target: AbstractTarget) -> Problem:
        self.run = self.run._replace(problem=eqx.tree_at(lambda problem: problem.target, self.run.problem, target))
        return self.run.problem

    def evaluate(self, state: TrainState, logs: Callable[[], dict[str, float]]) -> None:
        """Evaluate samples of the averaged generator and log the record, with the `logs` of a step."""
        run = self.run
        found = evaluate(run.problem, run.suite, self.reference, state.ema_params, run.key, run.plan.n_snapshot, logs)
        scores = found.scores
        self.record = {"step": self.step, "seconds": self.seconds, **scores, **logs()}
        if scores["gap"] < self.best["gap"]:
            self.best = {"gap": scores["gap"], "step": self.step}
        self.snapshots.add(self.step, found.snapshot)
        self._log()
        self._warn(self.diagnosis.look(self.record, found.x))
        if run.on_evaluation is not None:
            params = ema.of(run.problem.ema_decay, state.ema_params)
            self.stopped = bool(multihost.broadcast_from_main(bool(run.on_evaluation(self.record, params))))

    def save(self, state: TrainState) -> None:
        """Save a checkpoint, with a metric only if these parameters were evaluated at this step."""
        if multihost.is_main_process():
            metric = self.record["gap"] if self.record["step"] == self.step else float("inf")
            notes = {"seconds": self.seconds, "best": self.best, "record": self.record}
            notes |= {"scored_by": "gap", "diagnosis": self.diagnosis.past}
            notes |= {"window": self.window.notes()} if self.window else {}
            self.checkpoints.save(state, metric, notes)

    def result(self, state: TrainState, stopped_by: int) -> LoopResult:
        """Result of the run, with its status and the signal that interrupted it, if any."""
        self.checkpoints.close()
        status = "diverged" if self.diverged else "done" if self.ended else "interrupted"
        found = divergence(state)
        if status == "done" and (found := departure(self.run.problem, self.snapshots.taken, self.snapshots.y)):
            status = "diverged"
        best = {"best_gap": self.best["gap"], "best_step": self.best["step"]}
        summary = {"status": status, **best, **self.record, "step": self.step}
        if status == "interrupted" and stopped_by:
            summary["signal"] = signal.Signals(stopped_by).name
        return LoopResult(status, summary | found, state, self.reference)

    def _warn(self, lines: list[str]) -> None:
        if multihost.is_main_process():
            self.run.folder.warn(lines)
            for line in lines:
                self.run.say(f"warning: {line}")

    def _log(self) -> None:
        values = {name: value for name, value in self.record.items() if name != "step"}
        self.run.tracker.log(self.record["step"], values)


class Evaluation(NamedTuple):
    """Metrics of samples of all averaged generators, and samples of the first."""

    scores: dict[str, float]
    snapshot: np.ndarray
    """Samples to store, in the units of the data."""
    x: np.ndarray
    """Samples that were evaluated, standardised if the target is."""


def evaluate(
    problem: Problem,
    suite: MetricSuite,
    reference: Reference,
    ema_params: PyTree,
    key: Key,
    n_snapshot: int,
    meanwhile: Callable[[], object] = lambda: None,
) -> Evaluation:
    """Evaluate samples of each averaged generator; `n_snapshot` of the first are stored.

    `meanwhile` is called while W2 is computed.
    """
    n, scores, clouds = max(suite.n_samples, n_snapshot), {}, []
    n_evaluated = suite.n_evaluated(problem.target)
    asked = problem.evaluation(suite.n_samples)
    labels = None if asked is None else asked.label[:n_evaluated]
    for suffix, params in ema.by_suffix(problem.ema_decay, ema_params).items():
        clouds.append(np.asarray(evaluation_samples(problem, params, key, n)))
        values = suite.evaluate(clouds[-1][:n_evaluated], reference, labels, meanwhile)
        scores |= {name + suffix: value for name, value in values.items()}
    snapshot = np.asarray(problem.target.in_data_units(jnp.asarray(clouds[0][:n_snapshot])))
    return Evaluation(scores, snapshot, clouds[0][:n_evaluated])


@functools.partial(jax.jit, static_argnames="n")
def evaluation_samples(problem: Problem, params, key: Key, n: int) -> Particles:
    """Draw samples from fixed noise, the same at every evaluation."""
    key = purpose(key, jnp.zeros((), int), "evaluation")
    return sharding.replicate(sharding.shard_rows(problem.generator.sample(params, key, n, problem.evaluation(n))))


def _restored(run: RunContext, checkpoints: Checkpoints) -> tuple[TrainState, dict, bool]:
    """Initial or restored state, its notes, and whether it was restored; process 0 reads the checkpoint for all processes."""
    fresh = jax.jit(initial_state)(run.problem, run.key)
    if multihost.is_main_process() and run.parent is not None and not checkpoints.steps():
        run.say(f"continues from the end of {run.parent.path.name}")
        take_over(run.parent, run.folder, checkpoints, run.plan.eval_every, fresh)
    found = checkpoints.latest(fresh) if multihost.is_main_process() else None
    if not multihost.broadcast_from_main(found is not None):
        return fresh, {}, False
    plain, notes = found or (to_host(fresh), {})
    state = from_host(multihost.broadcast_from_main(plain), fresh)
    run.say(f"resuming at step {int(state.step)} of {run.plan.n_steps}")
    return state, notes, True


def _best(kept: dict[str, float]) -> dict[str, float]:
    """Best gap and its step in the notes of a checkpoint; none in those of versions that ranked by MMD^2."""
    return kept if "gap" in kept else {"gap": float("inf"), "step": 0}


def divergence(state: TrainState) -> dict[str, float | int | str]:
    """Step, term and value of the divergence of a run; empty if it has not diverged."""
    if not bool(state.health.diverged):
        return {}
    term, value = TERMS[int(state.health.term)], float(state.health.value)
    return {"diverged_step": int(state.health.step), "diverged_term": term, "diverged_value": repr(value)}
