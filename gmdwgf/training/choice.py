"""Whether runs are moved one after another or as one program: chosen by measurement."""

from collections.abc import Callable

from gmdwgf.training.member import Moved
from gmdwgf.training.plan import Problem
from gmdwgf.training.state import TrainState
from gmdwgf.training.steppers import OneByOne, Stepper

WORTH = 5
"""The program of all runs is tried where the work left takes so many times as long as compiling that of one did (ours)."""


class Measured:
    """A stepper that begins one by one; where enough work is left it tries `together` for a chunk, and keeps the faster."""

    def __init__(
        self,
        problems: list[Problem],
        states: list[TrainState],
        chunk_size: int,
        *,
        together: Callable[[list[Problem], list[TrainState], int], Stepper],
        say: Callable[[str], None],
    ):
        self.problems, self.chunk_size, self.together, self.say = problems, chunk_size, together, say
        self.steps = [int(state.step) for state in states]
        self.one_by_one = OneByOne(problems, states, chunk_size)
        self.stepper: Stepper = self.one_by_one
        self.pace: float | None = None
        """Seconds a step of one run, one by one."""
        self.chosen = len(problems) == 1

    def peek(self) -> list[dict[str, float]]:
        return self.stepper.peek()

    def state(self, row: int) -> TrainState:
        return self.stepper.state(row)

    def advance(self, stops: dict[int, int]) -> dict[int, Moved]:
        if self.chosen:
            return self.stepper.advance(stops)
        if self.pace is not None:
            return self._try(stops)
        moves = self.one_by_one.advance(stops)
        self.pace = self._pace(moves)
        left = self.pace * sum(float(self.problems[row].n_steps) - move.step for row, move in moves.items())
        if left < WORTH * (self.one_by_one.first or 0.0):
            self.chosen = True
            self.say(
                f"one after another: the work left, about {left:.1f} s, is not worth a program of all {len(self.steps)} runs"
            )
        return moves

    def _try(self, stops: dict[int, int]) -> dict[int, Moved]:
        self.chosen = True
        try:
            together = self.together(self.problems, self.one_by_one.states, self.chunk_size)
            moves = together.advance(stops)
        except Exception as error:  # such a program may need memory that is not there
            self.say(
                f"one after another: all runs as one program failed ({type(error).__name__}: {str(error).splitlines()[0][:100]})"
            )
            return self.one_by_one.advance(stops)
        times = (self.pace or 0.0) / self._pace(moves)
        if times > 1:
            self.stepper = together
            self.say(f"as one program, {times:.1f} times as fast as one after another")
        else:
            self.one_by_one.states = [together.state(row) for row in range(len(self.steps))]
            self.say(f"one after another: as one program {times:.1f} times as fast")
        return moves

    def _pace(self, moves: dict[int, Moved]) -> float:
        """Seconds a step, of the fastest run: the first one may have waited for a compilation."""
        paces = [move.seconds / max(move.step - self.steps[row], 1) for row, move in moves.items()]
        for row, move in moves.items():
            self.steps[row] = move.step
        return min(paces)
