"""The training loop for one or several runs: executes chunks of steps, with evaluations and checkpoints in between."""

import functools
from collections.abc import Callable, Iterator, Sequence

import jax.numpy as jnp

from gmdwgf.engine import multihost
from gmdwgf.engine.monitor import LoopResult, RunContext, RunMonitor
from gmdwgf.engine.pace import Pace
from gmdwgf.engine.serial import Executor, SerialExecutor
from gmdwgf.engine.signals import Interrupts
from gmdwgf.training import ema
from gmdwgf.training.batch import draw_batch
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import TrainState, purpose
from gmdwgf.typing import Array

MakeExecutor = Callable[[list[Problem], list[TrainState], int], Executor]


def train(run: RunContext) -> LoopResult:
    """Train from the latest checkpoint, or from the start, to the end; an interrupt saves a checkpoint."""
    ((_, result),) = train_all([run])
    if isinstance(result, Exception):
        raise result
    return result


def train_all(
    runs: Sequence[RunContext], make_executor: MakeExecutor = SerialExecutor
) -> Iterator[tuple[int, LoopResult | Exception]]:
    """Train several runs with the same plan concurrently; yields the index and result of each run when it ends.

    Divergence or failure of one run does not affect the others. An interrupt saves a checkpoint of each run. It is handled after
    the current chunk, whose length adapts to the speed of the run: after one or two seconds, or one step.
    """
    starts = [_caught(lambda run=run: _started(run)) for run in runs]
    yield from ((i, start) for i, start in enumerate(starts) if isinstance(start, Exception))
    begun = [(i, *start) for i, start in enumerate(starts) if not isinstance(start, Exception)]
    if not begun:
        return
    monitors: dict[int, RunMonitor] = {row: monitor for row, (_, monitor, _) in enumerate(begun)}
    for monitor in monitors.values():
        monitor.refresh_data()
    problems, states = [monitor.run.problem for monitor in monitors.values()], [state for *_, state in begun]
    is_streamed = any(monitor.window is not None for monitor in monitors.values())
    signals = {name for run in runs for name in run.save_signals}
    one_by_one = SerialExecutor(problems, states, runs[0].plan.chunk_size) if is_streamed else None
    executor: Executor = one_by_one or make_executor(problems, states, runs[0].plan.chunk_size)

    def after(rows: list[int], deed: Callable[[int], None], *, stopping: int = 0) -> Iterator:
        """Call `deed` for each run and yield the runs that ended."""
        for row in rows:
            error = _caught(lambda row=row: deed(row))
            if error is None and not (monitors[row].ended or monitors[row].stopped or stopping):
                continue
            ending = (
                _caught(lambda row=row: monitors[row].result(executor.state(row), stopping)) if error is None else error
            )
            del monitors[row]
            yield begun[row][0], ending

    paces = {row: Pace() for row in monitors}
    with Interrupts(signals) as interrupts:
        fresh = [row for row, monitor in monitors.items() if not monitor.resumed]
        peek = functools.cache(executor.peek)  # called during the first evaluation: tracing the step takes a second

        def first(row: int) -> None:
            if row in fresh:
                monitors[row].evaluate(executor.state(row), lambda: peek()[row])
                monitors[row].save(executor.state(row))

        yield from after(list(monitors), first)
        while monitors:
            stops = {row: min(run.next_stop(), run.step + paces[row].n_steps) for row, run in monitors.items()}
            moves = executor.advance(stops, lambda: bool(interrupts.asked))
            asked, *times = multihost.largest(interrupts.asked, *(move.call for move in moves.values()))
            for row, seconds in zip(moves, times, strict=True):
                paces[row].update(moves[row].step - monitors[row].step, seconds)
            stopping = int(asked)

            def then(row: int, moves=moves, stopping=stopping) -> None:
                monitors[row].run.folder.check_there()
                if row not in moves:  # not advanced, because all runs were asked to stop
                    return monitors[row].save(executor.state(row))
                monitors[row].on_chunk(moves[row], functools.partial(executor.state, row), stopping=bool(stopping))
                problem = monitors[row].refresh_data()
                if problem is not None and one_by_one is not None:
                    one_by_one.show(row, problem)

            yield from after(list(monitors if stopping else moves), then, stopping=stopping)


def _started(run: RunContext) -> tuple[RunMonitor, TrainState]:
    monitor = RunMonitor(run)
    return monitor, monitor.start()


def _caught(deed: Callable):
    """Return the result of `deed`, or the exception that it raised."""
    try:
        return deed()
    except Exception as error:
        return error


def velocity_field(problem: Problem, state: TrainState, grid: Array) -> Array:
    """Velocity at the points of a grid, for one batch of the trained generator and of the target."""
    key = functools.partial(purpose, state.key, jnp.zeros((), int))
    y, condition, drift = draw_batch(problem, state.step, key)
    params = ema.of(problem.ema_decay, state.ema_params)
    x = problem.generator.sample(params, key("velocity_plot"), problem.batch_size, condition)
    return drift.update(state.drift_state, x, y, key("drift"), at=grid)[0].v
