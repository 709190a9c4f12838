"""The loop around the pure step: looks at the runs between chunks. One run, or several trained side by side."""

import functools
from collections.abc import Callable, Iterator, Sequence

import jax.numpy as jnp

from gmdwgf.engine import multihost
from gmdwgf.engine.monitor import Member, Outcome, Run
from gmdwgf.engine.pace import Pace
from gmdwgf.engine.serial import OneByOne, Stepper
from gmdwgf.engine.signals import Interrupts
from gmdwgf.training import ema
from gmdwgf.training.batch import draw_batch
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import TrainState, purpose
from gmdwgf.typing import Array

MakeStepper = Callable[[list[Problem], list[TrainState], int], Stepper]


def train(run: Run) -> Outcome:
    """Train from the newest checkpoint, or from the start, to the end; interrupts leave a checkpoint."""
    ((_, outcome),) = train_all([run])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def train_all(runs: Sequence[Run], make_stepper: MakeStepper = OneByOne) -> Iterator[tuple[int, Outcome | Exception]]:
    """Train runs of equal plans side by side; yields each run's number and outcome as soon as it has one.

    A run that diverges or fails leaves the others alone. An interrupt leaves a checkpoint of each. It is answered when the
    program that is running ends, which is after a second or two, or a step: chunks are cut by the pace of a run.
    """
    starts = [_caught(lambda run=run: _started(run)) for run in runs]
    yield from ((i, start) for i, start in enumerate(starts) if isinstance(start, Exception))
    begun = [(i, *start) for i, start in enumerate(starts) if not isinstance(start, Exception)]
    if not begun:
        return
    members: dict[int, Member] = {row: member for row, (_, member, _) in enumerate(begun)}
    for member in members.values():
        member.renewed()
    problems, states = [member.run.problem for member in members.values()], [state for *_, state in begun]
    is_streamed = any(member.window is not None for member in members.values())
    signals = {name for run in runs for name in run.save_signals}
    one_by_one = OneByOne(problems, states, runs[0].plan.chunk_size) if is_streamed else None
    stepper: Stepper = one_by_one or make_stepper(problems, states, runs[0].plan.chunk_size)

    def after(rows: list[int], deed: Callable[[int], None], *, stopping: int = 0) -> Iterator:
        """Let each run do its input and output; yields those that came to an end by it."""
        for row in rows:
            error = _caught(lambda row=row: deed(row))
            if error is None and not (members[row].ended or members[row].stopped or stopping):
                continue
            ending = (
                _caught(lambda row=row: members[row].outcome(stepper.state(row), stopping)) if error is None else error
            )
            del members[row]
            yield begun[row][0], ending

    paces = {row: Pace() for row in members}
    with Interrupts(signals) as interrupts:
        fresh = [row for row, member in members.items() if not member.resumed]
        logs = stepper.peek() if fresh else []

        def first(row: int) -> None:
            if row in fresh:
                members[row].look(stepper.state(row), logs[row])
                members[row].save(stepper.state(row))

        yield from after(list(members), first)
        while members:
            stops = {row: min(run.next_stop(), run.step + paces[row].n_steps) for row, run in members.items()}
            moves = stepper.advance(stops, lambda: bool(interrupts.asked))
            asked, *times = multihost.largest(interrupts.asked, *(move.call for move in moves.values()))
            for row, seconds in zip(moves, times, strict=True):
                paces[row].update(moves[row].step - members[row].step, seconds)
            stopping = int(asked)

            def then(row: int, moves=moves, stopping=stopping) -> None:
                members[row].run.folder.check_there()
                if row not in moves:  # left out, because all are to stop
                    return members[row].save(stepper.state(row))
                members[row].moved(moves[row], functools.partial(stepper.state, row), stopping=bool(stopping))
                problem = members[row].renewed()
                if problem is not None and one_by_one is not None:
                    one_by_one.show(row, problem)

            yield from after(list(members if stopping else moves), then, stopping=stopping)


def _started(run: Run) -> tuple[Member, TrainState]:
    member = Member(run)
    return member, member.start()


def _caught(deed: Callable):
    """What `deed` returns, or the exception that it raised."""
    try:
        return deed()
    except Exception as error:
        return error


def velocity_field(problem: Problem, state: TrainState, grid: Array) -> Array:
    """The drift at the points of a grid, for one batch of the trained generator and of the target."""
    key = functools.partial(purpose, state.key, jnp.zeros((), int))
    y, condition, drift = draw_batch(problem, state.step, key)
    params = ema.of(problem.ema_decay, state.ema_params)
    x = problem.generator.sample(params, key("velocity_plot"), problem.batch_size, condition)
    return drift.update(state.drift_state, x, y, key("drift"), at=grid)[0].v
