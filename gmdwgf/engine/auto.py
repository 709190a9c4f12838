"""Whether runs are moved one after another or as one program: chosen by measurement."""

from collections.abc import Callable

from gmdwgf.engine.monitor import ChunkResult
from gmdwgf.engine.pace import BOUND
from gmdwgf.engine.serial import Executor, SerialExecutor, never
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import TrainState

WORTH = 5
"""The program of all runs is tried where the work left takes so many times as long as compiling that of one did (ours)."""

ENOUGH = 10
"""Steps in a chunk from which their pace can be told, or half a full chunk: fewer are not much longer than the call (ours)."""


class AutoExecutor:
    """An executor that begins one by one; where enough work is left it tries `together` for a chunk, and keeps the faster."""

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
        """Seconds a step of one run, one by one."""
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
                f"one after another: the work left, about {left:.1f} s, is not worth a program of all {len(self.steps)} runs"
            )
        return moves

    def _try(self, stops: dict[int, int], stopping: Callable[[], bool]) -> dict[int, ChunkResult]:
        self.chosen, pace = True, self.pace or 0.0
        if pace > 0:  # at worst a step of the program takes as long as that of all runs one after another
            n_steps = max(1, int(BOUND / (pace * len(stops))))
            stops = {row: min(stop, self.steps[row] + n_steps) for row, stop in stops.items()}
        try:
            together = self.together(self.problems, self.one_by_one.states, self.chunk_size)
            if stopping():  # while it was compiled
                return {}
            moves = together.advance(stops, stopping)
        except Exception as error:  # such a program may need memory that is not there
            self.say(
                f"one after another: all runs as one program failed ({type(error).__name__}: {str(error).splitlines()[0][:100]})"
            )
            return self.one_by_one.advance(stops, stopping)
        times = pace / self._pace(moves)
        if times > 1:
            self.executor = together
            self.say(f"as one program, {times:.1f} times as fast as one after another")
        else:
            self.one_by_one.states = [together.state(row) for row in range(len(self.steps))]
            self.say(f"one after another: as one program {times:.1f} times as fast")
        return moves

    def _pace(self, moves: dict[int, ChunkResult]) -> float:
        """Seconds a step, of the fastest run: the first one may have waited for a compilation."""
        paces = [move.seconds / max(move.step - self.steps[row], 1) for row, move in moves.items()]
        for row, move in moves.items():
            self.steps[row] = move.step
        return min(paces)
