"""Executors advance the states of runs: serially here, or as one vectorized program (`gmdwgf.engine.vectorized`)."""

import time
from collections.abc import Callable
from typing import Protocol

import jax.numpy as jnp

from gmdwgf.engine.monitor import ChunkResult
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import TrainState, copied
from gmdwgf.training.step import train_chunk


def never() -> bool:
    """Default for `stopping`: never stop early."""
    return False


class Executor(Protocol):
    """Owns the training states of runs, by index, and advances them."""

    def peek(self) -> list[dict[str, float]]:
        """Logs of the next step of each run, without taking it."""
        ...

    def advance(self, stops: dict[int, int], stopping: Callable[[], bool] = never) -> dict[int, ChunkResult]:
        """Advance the runs in `stops` by a chunk, at most to their stop; other runs are unchanged.

        If this takes several program calls, calls after `stopping()` becomes true are skipped and their runs are not returned.
        """
        ...

    def state(self, row: int) -> TrainState:
        """State of a run, valid until the next `advance`."""
        ...


class SerialExecutor:
    """Executor that runs the program of a single run for each run in turn; gives the same bits as a single run."""

    def __init__(
        self,
        problems: list[Problem],
        states: list[TrainState],
        chunk_size: int,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self.problems, self.states, self.chunk_size, self.clock = problems, states, chunk_size, clock
        self.first: float | None = None
        """Seconds of the first call, including compilation."""

    def peek(self) -> list[dict[str, float]]:
        """Uses the same compiled program, on copies of the states."""
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
        """Replace the problem of a run by one of the same structure, e.g. with other target rows."""
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
