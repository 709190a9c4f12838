"""One run as the loop sees it: what it was restored from, when it is looked at, and what is kept of it."""

import functools
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.engine import multihost
from gmdwgf.engine.checkpoints import Checkpoints, digest, from_host, to_host
from gmdwgf.engine.inheritance import take_over
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
from gmdwgf.typing import Key, Particles


class RunContext(NamedTuple):
    """What the loop is given: the problem, when to look at it, where to write and whom to tell."""

    problem: Problem
    plan: TrainingPlan
    suite: MetricSuite
    key: Key
    folder: RunDir
    tracker: Tracker
    say: Callable[[str], None]
    save_signals: tuple[str, ...] = ()
    """Signals that ask it to save and end, beside those that always do."""
    parent: RunDir | None = None
    """The finished run that this one goes on from, while it has no checkpoint of its own."""
    on_evaluation: Callable[[Record, Any], bool] | None = None
    """Called with every record and the averaged parameters that it scores; the run stops there if the answer is true."""


class LoopResult(NamedTuple):
    """How a run ended (`done`, `diverged` or `interrupted`), its last record, and the pieces a plot is made of."""

    status: str
    summary: dict[str, float | int | str]
    state: TrainState
    reference: Reference


class ChunkResult(NamedTuple):
    """Where a run is after a chunk: its step, whether it diverged, the logs of its last step, and the seconds it took.

    `call` is how long the program ran that moved it, maybe with other runs.
    """

    step: int
    diverged: bool
    logs: dict[str, float]
    seconds: float
    call: float


class RunMonitor:
    """One run of those that are trained together (or the only one): everything about it that is not its state."""

    def __init__(self, run: RunContext):
        self.run, self.reference, self.stopped = run, fixed_reference(run.suite, run.problem), False
        self.checkpoints = Checkpoints(run.folder.checkpoints, run.say)
        self.snapshots = Snapshots(run.folder.samples, np.asarray(self.reference.y[: run.plan.n_snapshot]))
        reader = run.problem.target.reader()
        self.window = None if reader is None else StreamWindow(run.problem.target, reader, run.plan.refresh_every)

    def start(self) -> TrainState:
        """The state to go on from: the newest checkpoint's, or a fresh one."""
        run = self.run
        state, notes, self.resumed = _restored(run, self.checkpoints)
        self.step, self.diverged = int(state.step), bool(state.health.diverged)
        if self.window is not None and "window" in notes:
            self.window.restore(notes["window"])
            self._show(self.window.target)
        self.seconds, self.best = notes.get("seconds", 0.0), notes.get("best", {"mmd2": float("inf"), "step": 0})
        self.record: Record = notes.get("record", {})
        self._take_up_history()
        run.tracker.start(self.step, self.reference.floor)
        if self.resumed and self.ended and bool(multihost.broadcast_from_main(self.step not in self.snapshots.taken)):
            self.evaluate(
                state, {name: value for name, value in self.record.items() if name not in ("step", "seconds")}
            )
        return state

    def _take_up_history(self) -> None:
        """Records and samples as they were at the checkpoint, or none where there is no checkpoint."""
        run = self.run
        if not self.resumed:
            history.begin_anew(run.folder, run.say)
            jsonl.truncate(run.folder.metrics, -1)
        elif multihost.is_main_process():
            steps = history.evaluated_steps(run.plan.eval_every, self.step, self.ended)
            history.recover(run.folder, self.snapshots, steps, self.record, self.step, run.say)

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to train."""
        return self.diverged or self.step >= self.run.plan.n_steps

    def next_stop(self) -> int:
        """The step up to which to train before the host looks again."""
        plan = self.run.plan
        intervals = [plan.eval_every, plan.checkpoint_every, *([plan.refresh_every] if self.window else [])]
        ahead = [(self.step // every + 1) * every for every in intervals]
        return min(*ahead, self.step + plan.chunk_size, plan.n_steps)

    def on_chunk(self, to: ChunkResult, state: Callable[[], TrainState], *, stopping: bool) -> None:
        """Take note of a chunk, and look and save where it is time to; `state` is asked for only then."""
        plan = self.run.plan
        self.step, self.diverged, self.seconds = to.step, to.diverged, self.seconds + to.seconds
        self.run.tracker.progress(self.step, to.logs)
        if self.ended or self.step % plan.eval_every == 0:
            self.evaluate(state(), to.logs)
        if self.ended or self.step % plan.checkpoint_every == 0 or stopping or self.stopped:
            self.save(state())

    def refresh_data(self) -> Problem | None:
        """The problem with other rows of its target, where it is time for them."""
        target = self.window.at(self.step) if self.window is not None else None
        return None if target is None else self._show(target)

    def _show(self, target: AbstractTarget) -> Problem:
        self.run = self.run._replace(problem=eqx.tree_at(lambda problem: problem.target, self.run.problem, target))
        return self.run.problem

    def evaluate(self, state: TrainState, logs: dict[str, float]) -> None:
        """Score samples of the averaged generator, and log the record."""
        run = self.run
        scores, x = evaluate(run.problem, run.suite, self.reference, state.ema_params, run.key, run.plan.n_snapshot)
        self.record = {"step": self.step, "seconds": self.seconds, **scores, **logs}
        if scores["mmd2"] < self.best["mmd2"]:
            self.best = {"mmd2": scores["mmd2"], "step": self.step}
        self.snapshots.add(self.step, x)
        self._log()
        if run.on_evaluation is not None:
            params = ema.of(run.problem.ema_decay, state.ema_params)
            self.stopped = bool(multihost.broadcast_from_main(bool(run.on_evaluation(self.record, params))))

    def save(self, state: TrainState) -> None:
        """Write a checkpoint; it is ranked only where these very parameters were scored, which is so at evaluations."""
        if multihost.is_main_process():
            metric = self.record["mmd2"] if self.record["step"] == self.step else float("inf")
            notes = {"seconds": self.seconds, "best": self.best, "record": self.record}
            notes |= {"window": self.window.notes()} if self.window else {}
            self.checkpoints.save(state, metric, notes)

    def result(self, state: TrainState, stopped_by: int) -> LoopResult:
        """How the run ended, or that it was interrupted, and by which signal."""
        self.checkpoints.close()
        status = "diverged" if self.diverged else "done" if self.ended else "interrupted"
        best = {"best_mmd2": self.best["mmd2"], "best_step": self.best["step"]}
        summary = {"status": status, **best, **self.record, "step": self.step}
        if status == "interrupted" and stopped_by:
            summary["signal"] = signal.Signals(stopped_by).name
        return LoopResult(status, summary | divergence(state), state, self.reference)

    def _log(self) -> None:
        values = {name: value for name, value in self.record.items() if name != "step"}
        self.run.tracker.log(self.record["step"], values)


def evaluate(
    problem: Problem, suite: MetricSuite, reference: Reference, ema_params: Any, key: Key, n_snapshot: int
) -> tuple[dict[str, float], np.ndarray]:
    """Metrics of samples of the averaged generator, of each average where there are several, and `n_snapshot` of the samples."""
    n, scores, clouds = max(suite.n_samples, n_snapshot), {}, []
    asked = problem.evaluation(suite.n_samples)
    labels = None if asked is None else asked.label
    for suffix, params in ema.by_suffix(problem.ema_decay, ema_params).items():
        clouds.append(np.asarray(evaluation_samples(problem, params, key, n)))
        values = suite.evaluate(clouds[-1][: suite.n_samples], reference, labels)
        scores |= {name + suffix: value for name, value in values.items()}
    return scores, clouds[0][:n_snapshot]


@functools.partial(jax.jit, static_argnames="n")
def evaluation_samples(problem: Problem, params, key: Key, n: int) -> Particles:
    """Samples from fixed noise, the same at every evaluation."""
    key = purpose(key, jnp.zeros((), int), "evaluation")
    return sharding.replicate(sharding.shard_rows(problem.generator.sample(params, key, n, problem.evaluation(n))))


_references: dict[Any, Reference] = {}
"""What the runs of this process are compared with: a sweep draws it once a target, not once a run."""


def fixed_reference(suite: MetricSuite, problem: Problem) -> Reference:
    """Held-out draws and floors: the same for every seed and drift, so that runs are compared on equal terms.

    The floor is that of clouds as large as those that will be scored, which for free particles may be smaller.
    """
    n = jax.eval_shape(lambda: _samples_at_start(problem, suite.n_samples)).shape[0]
    asked = (suite, problem.target)
    name = (n, jax.tree.structure(asked), digest(to_host(asked)), jax.sharding.get_mesh())
    if name not in _references:
        key = purpose(jax.random.key(0), jnp.zeros((), int), "reference")
        _references[name] = suite.prepare(problem.target, key, n=n)
    return _references[name]


def _samples_at_start(problem: Problem, n: int) -> Particles:
    key = jax.random.key(0)
    params = problem.generator.init(key, problem.batch_size, problem.target.dim, problem.n_classes)
    return problem.generator.sample(params, key, n, problem.evaluation(n))


def _restored(run: RunContext, checkpoints: Checkpoints) -> tuple[TrainState, dict, bool]:
    """State to start from, what was noted beside it, and whether it comes from a checkpoint, which process 0 reads for all."""
    fresh = jax.jit(initial_state)(run.problem, run.key)
    if multihost.is_main_process() and run.parent is not None and not checkpoints.steps():
        run.say(f"goes on from the end of {run.parent.path.name}")
        take_over(run.parent, run.folder, checkpoints, run.plan.eval_every, fresh)
    found = checkpoints.latest(fresh) if multihost.is_main_process() else None
    if not multihost.broadcast_from_main(found is not None):
        return fresh, {}, False
    plain, notes = found or (to_host(fresh), {})
    state = from_host(multihost.broadcast_from_main(plain), fresh)
    run.say(f"resuming at step {int(state.step)} of {run.plan.n_steps}")
    return state, notes, True


def divergence(state: TrainState) -> dict[str, float | int | str]:
    """Step, term and value by which a run diverged; empty where it has not."""
    if not bool(state.health.diverged):
        return {}
    term, value = TERMS[int(state.health.term)], float(state.health.value)
    return {"diverged_step": int(state.health.step), "diverged_term": term, "diverged_value": repr(value)}
