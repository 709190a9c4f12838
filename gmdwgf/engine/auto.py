"""Choose between serial and vectorized execution by measurement."""

from collections.abc import Callable

from gmdwgf.engine.monitor import ChunkResult
from gmdwgf.engine.pace import BOUND
from gmdwgf.engine.serial import Executor, SerialExecutor, never
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import TrainState

WORTH = 5
"""Try the vectorized program if the remaining work takes at least this many times the compilation time of one run (ours)."""

ENOUGH = 10
"""Smallest chunk, in steps, whose time is used for the measurement, unless it is half a full chunk (ours)."""


class AutoExecutor:
    """Executor that starts serially, tries the vectorized program for a chunk if enough work is left, and keeps the faster."""

    def __init__(
        self,
        problems: list[Problem],
        states: list[TrainState],
        chunk_size: int,
        *,
        together: Callable[[list[Problem], list[TrainState], int], Executor],
        say: Callable[[str], None],
    ):
        self.problems, self.chunk_size, self.together, self.say = problems, chunk_size, together, say
        self.steps = [int(state.step) for state in states]
        self.one_by_one = SerialExecutor(problems, states, chunk_size)
        self.executor: Executor = self.one_by_one
        self.pace: float | None = None
        """Seconds for a step of one run in serial execution."""
        self.chosen = len(problems) == 1

    def peek(self) -> list[dict[str, float]]:
        return self.executor.peek()

    def state(self, row: int) -> TrainState:
        return self.executor.state(row)

    def advance(self, stops: dict[int, int], stopping: Callable[[], bool] = never) -> dict[int, ChunkResult]:
        if self.chosen:
            return self.executor.advance(stops, stopping)
        if self.pace is not None:
            return self._try(stops, stopping)
        moves = self.one_by_one.advance(stops, stopping)
        n_steps = max(move.step - self.steps[row] for row, move in moves.items())
        pace = self._pace(moves)
        if n_steps < min(ENOUGH, self.chunk_size / 2):
            return moves
        self.pace = pace
        left = self.pace * sum(float(self.problems[row].n_steps) - move.step for row, move in moves.items())
        if left < WORTH * (self.one_by_one.first or 0.0):
            self.chosen = True
            self.say(
                f"serial: the remaining work, about {left:.1f} s, does not justify compiling a program of all {len(self.steps)} runs"
            )
        return moves

    def _try(self, stops: dict[int, int], stopping: Callable[[], bool]) -> dict[int, ChunkResult]:
        self.chosen, pace = True, self.pace or 0.0
        if pace > 0:  # an upper bound: a vectorized step takes at most as long as serial steps of all runs
            n_steps = max(1, int(BOUND / (pace * len(stops))))
            stops = {row: min(stop, self.steps[row] + n_steps) for row, stop in stops.items()}
        try:
            together = self.together(self.problems, self.one_by_one.states, self.chunk_size)
            if stopping():  # asked to stop during compilation
                return {}
            moves = together.advance(stops, stopping)
        except Exception as error:  # the vectorized program may need more memory than is available
            self.say(
                f"serial: the vectorized program failed ({type(error).__name__}: {str(error).splitlines()[0][:100]})"
            )
            return self.one_by_one.advance(stops, stopping)
        times = pace / self._pace(moves)
        if times > 1:
            self.executor = together
            self.say(f"vectorized: {times:.1f} times as fast as serial")
        else:
            self.one_by_one.states = [together.state(row) for row in range(len(self.steps))]
            self.say(f"serial: vectorized is only {times:.1f} times as fast")
        return moves

    def _pace(self, moves: dict[int, ChunkResult]) -> float:
        """Seconds for a step of the fastest run; the first run may include compilation."""
        paces = [move.seconds / max(move.step - self.steps[row], 1) for row, move in moves.items()]
        for row, move in moves.items():
            self.steps[row] = move.step
        return min(paces)
