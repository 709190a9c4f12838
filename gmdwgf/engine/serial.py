"""How the states of runs are moved: one after another here, as one compiled program in `together.py`."""

import time
from collections.abc import Callable
from typing import Protocol

import jax.numpy as jnp

from gmdwgf.engine.monitor import ChunkResult
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import TrainState, copied
from gmdwgf.training.step import train_chunk


def never() -> bool:
    """Nobody asks the runs to stop."""
    return False


class Executor(Protocol):
    """Holds the states of runs, by row."""

    def peek(self) -> list[dict[str, float]]:
        """Logs of the step that each run is about to take, which it does not take."""
        ...

    def advance(self, stops: dict[int, int], stopping: Callable[[], bool] = never) -> dict[int, ChunkResult]:
        """Train the rows of `stops` for a chunk, none beyond its stop; the others rest.

        Where that takes several calls of a program, those after `stopping` has become true are left out, with their rows.
        """
        ...

    def state(self, row: int) -> TrainState:
        """The state of a run, until the next `advance`."""
        ...


class SerialExecutor:
    """The program of a single run, for each run in turn: a run has the same bits alone and in company."""

    def __init__(
        self,
        problems: list[Problem],
        states: list[TrainState],
        chunk_size: int,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self.problems, self.states, self.chunk_size, self.clock = problems, states, chunk_size, clock
        self.first: float | None = None
        """Seconds that the first call took, with its compilation."""

    def peek(self) -> list[dict[str, float]]:
        """By the same compiled program, on copies."""
        copies = [copied(state) for state in self.states]
        return [self._chunk(row, copy, copy.step + 1)[1].logs for row, copy in enumerate(copies)]

    def advance(self, stops: dict[int, int], stopping: Callable[[], bool] = never) -> dict[int, ChunkResult]:
        moves = {}
        for row, stop in stops.items():
            if moves and stopping():
                break
            state = self.states[row]
            self.states[row], moves[row] = self._chunk(row, state, jnp.asarray(stop, state.step.dtype))
        return moves

    def state(self, row: int) -> TrainState:
        return self.states[row]

    def show(self, row: int, problem: Problem) -> None:
        """Go on with a problem of the same structure, whose target shows other rows."""
        self.problems[row] = problem

    def _chunk(self, row: int, state: TrainState, stop) -> tuple[TrainState, ChunkResult]:
        began = self.clock()
        state, last = train_chunk(self.problems[row], state, stop, chunk_size=self.chunk_size)
        step, diverged = int(state.step), bool(state.health.diverged)
        seconds = max(self.clock() - began, 0.0)
        self.first = seconds if self.first is None else self.first
        return state, ChunkResult(
            step, diverged, {name: float(value) for name, value in last.items()}, seconds, seconds
        )
