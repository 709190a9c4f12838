"""The window of rows in memory of a target larger than memory."""

from typing import Any

from gmdwgf.mappings import Facts
from gmdwgf.targets.base import AbstractTarget


class StreamWindow:
    """Replaces the rows in memory every `every` steps; the rows of a step depend only on the step, also after resuming.

    A checkpoint stores the index of the window and the position of the reader before it, rather than the rows.
    """

    def __init__(self, target: AbstractTarget, reader: Any, every: int):
        self.target, self.reader, self.every = target, reader, every
        self.number, self.before = 0, reader.state()
        reader.next_labelled(target.n_kept)  # skip the rows that the target already has

    def notes(self) -> Facts:
        """Data to store in a checkpoint."""
        return {"number": self.number, "before": self.before}

    def restore(self, notes: Facts) -> None:
        """Restore the window of a checkpoint."""
        self.reader.restore(notes["before"])
        self.number = notes["number"] - 1
        self._turn()

    def at(self, step: int) -> AbstractTarget | None:
        """The target with the rows for `step`, if they differ from the current ones; otherwise None."""
        turned = self.number
        while self.number < step // self.every:
            self._turn()
        return self.target if self.number != turned else None

    def _turn(self) -> None:
        self.before = self.reader.state()
        self.target = self.target.refreshed(*self.reader.next_labelled(self.target.n_kept))
        self.number += 1
