"""The loop around the pure step: looks at the run between chunks, and does all its input and output."""

import functools
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.metrics.suite import MetricSuite, Reference
from gmdwgf.sweeps.folder import RunFolder
from gmdwgf.tracking import Tracker, jsonl
from gmdwgf.training import averages, devices, hosts
from gmdwgf.training.batch import draw_batch
from gmdwgf.training.checkpoints import Checkpoints, as_plain, as_state
from gmdwgf.training.interrupts import Interrupts
from gmdwgf.training.plan import Problem, TrainingPlan
from gmdwgf.training.snapshots import Snapshots
from gmdwgf.training.state import TERMS, TrainState, initial_state, purpose
from gmdwgf.training.step import train_chunk
from gmdwgf.typing import Array, Key, Particles


class Run(NamedTuple):
    """What the loop is given: the problem, when to look at it, where to write and whom to tell."""

    problem: Problem
    plan: TrainingPlan
    suite: MetricSuite
    key: Key
    folder: RunFolder
    tracker: Tracker
    say: Callable[[str], None]


class Outcome(NamedTuple):
    """How a run ended (`done`, `diverged` or `interrupted`), its last record, and the pieces a plot is made of."""

    status: str
    summary: dict[str, float | int | str]
    state: TrainState
    reference: Reference


@functools.partial(jax.jit, static_argnames="n")
def evaluation_samples(problem: Problem, params, key: Key, n: int) -> Particles:
    """Samples from fixed noise, the same at every evaluation."""
    key = purpose(key, jnp.zeros((), int), "evaluation")
    return devices.whole(devices.spread(problem.generator.sample(params, key, n, problem.evaluation(n))))


def fixed_reference(suite: MetricSuite, problem: Problem) -> Reference:
    """Held-out draws and floors: the same for every seed and drift, so that runs are compared on equal terms.

    The floor is that of clouds as large as those that will be scored, which for free particles may be smaller.
    """
    like = jax.eval_shape(lambda: _samples_at_start(problem, suite.n_samples))
    reference_key = purpose(jax.random.key(0), jnp.zeros((), int), "reference")
    return suite.prepare(problem.target, reference_key, n=like.shape[0])


def _samples_at_start(problem: Problem, n: int) -> Particles:
    key = jax.random.key(0)
    params = problem.generator.init(key, problem.batch_size, problem.target.dim, problem.n_classes)
    return problem.generator.sample(params, key, n, problem.evaluation(n))


def train(run: Run) -> Outcome:
    """Train from the newest checkpoint, or from the start, to the end; interrupts leave a checkpoint."""
    reference = fixed_reference(run.suite, run.problem)
    checkpoints = Checkpoints(run.folder.checkpoints, run.say)
    snapshots = Snapshots(run.folder.samples, np.asarray(reference.y[: run.plan.n_snapshot]))
    state, notes, resumed = _restored(run, checkpoints)
    start = int(state.step)
    jsonl.truncate(run.folder.metrics, start if resumed else -1)
    snapshots.load(up_to=start if resumed else -1)
    run.tracker.start(start, reference.floor)
    seconds, best = notes.get("seconds", 0.0), notes.get("best", {"mmd2": float("inf"), "step": 0})
    record = notes.get("record", {})
    if notes and not run.folder.metrics.is_file():  # lost, but the checkpoint still knows the last record
        run.tracker.log(record["step"], {name: value for name, value in record.items() if name != "step"})

    def look(state: TrainState, logs: dict, step: int) -> None:
        nonlocal record, best
        n = max(run.suite.n_samples, run.plan.n_snapshot)
        scores, clouds = {}, []
        for suffix, params in averages.by_suffix(run.plan.ema_decay, state.ema_params).items():
            clouds.append(np.asarray(evaluation_samples(run.problem, params, run.key, n)))
            values = run.suite.evaluate(clouds[-1][: run.suite.n_samples], reference)
            scores |= {name + suffix: value for name, value in values.items()}
        x, record = clouds[0], {"step": step, "seconds": seconds, **scores, **logs}
        if record["mmd2"] < best["mmd2"]:
            best = {"mmd2": record["mmd2"], "step": step}
        snapshots.add(step, x[: run.plan.n_snapshot])
        run.tracker.log(step, {name: value for name, value in record.items() if name != "step"})

    def save(state: TrainState) -> None:
        if hosts.writes():
            checkpoints.save(state, record["mmd2"], {"seconds": seconds, "best": best, "record": record})

    with Interrupts() as interrupts:
        if not resumed:
            look(state, _first_look(run, state), start)
            save(state)
        step, diverged = start, bool(state.health.diverged)
        stopping = False
        while step < run.plan.n_steps and not diverged and not stopping:
            began = time.perf_counter()
            stop = _next_stop(run.plan, step)
            state, last = train_chunk(run.problem, state, jnp.asarray(stop), chunk_size=run.plan.chunk_size)
            step, diverged = int(state.step), bool(state.health.diverged)
            seconds += time.perf_counter() - began
            logs = _numbers(last)
            run.tracker.progress(step, logs)
            stopping = bool(hosts.told(interrupts.asked))
            if diverged or step % run.plan.eval_every == 0 or step == run.plan.n_steps:
                look(state, logs, step)
            if diverged or step % run.plan.checkpoint_every == 0 or step == run.plan.n_steps or stopping:
                save(state)
    checkpoints.close()
    status = "diverged" if diverged else "done" if step >= run.plan.n_steps else "interrupted"
    summary = {"status": status, "best_mmd2": best["mmd2"], "best_step": best["step"], **record}
    return Outcome(status, summary | _divergence(state), state, reference)


def _restored(run: Run, checkpoints: Checkpoints) -> tuple[TrainState, dict, bool]:
    """State to start from, what was noted beside it, and whether it comes from a checkpoint, which process 0 reads for all."""
    fresh = jax.jit(initial_state)(run.problem, run.key)
    found = checkpoints.latest(fresh) if hosts.writes() else None
    if not hosts.told(found is not None):
        return fresh, {}, False
    plain, notes = found or (as_plain(fresh), {})
    state = as_state(hosts.told(plain), fresh)
    run.say(f"resuming at step {int(state.step)} of {run.plan.n_steps}")
    return state, notes, True


def _first_look(run: Run, state: TrainState) -> dict[str, float]:
    """Logs of the step that is about to be taken, by the same compiled program, on a copy."""
    copy = jax.tree.map(jnp.copy, state)
    _, last = train_chunk(run.problem, copy, state.step + 1, chunk_size=run.plan.chunk_size)
    return _numbers(last)


def _numbers(logs: dict[str, Array]) -> dict[str, float]:
    return {name: float(value) for name, value in logs.items()}


def _next_stop(plan: TrainingPlan, step: int) -> int:
    ahead = [(step // every + 1) * every for every in (plan.eval_every, plan.checkpoint_every)]
    return min(*ahead, step + plan.chunk_size, plan.n_steps)


def _divergence(state: TrainState) -> dict[str, float | int | str]:
    if not bool(state.health.diverged):
        return {}
    term, value = TERMS[int(state.health.term)], float(state.health.value)
    return {"diverged_step": int(state.health.step), "diverged_term": term, "diverged_value": repr(value)}


def velocity_field(problem: Problem, state: TrainState, grid: Array) -> Array:
    """The drift at the points of a grid, for one batch of the trained generator and of the target."""
    key = functools.partial(purpose, state.key, jnp.zeros((), int))
    y, condition, drift = draw_batch(problem, state.step, key)
    params = averages.of(problem.ema_decay, state.ema_params)
    x = problem.generator.sample(params, key("velocity_plot"), problem.batch_size, condition)
    return drift.update(state.drift_state, x, y, key("drift"), at=grid)[0].v
