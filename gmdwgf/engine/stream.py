"""The rows of a target larger than memory that a run sees now, and the reader that brings the next ones."""

from typing import Any

from gmdwgf.mappings import Facts
from gmdwgf.targets.base import AbstractTarget


class StreamWindow:
    """Other rows every so many steps; which rows a step sees depends on the step alone, also after a resume.

    A checkpoint notes the number of the window and where the reader stood before it, so that it is read again and not kept.
    """

    def __init__(self, target: AbstractTarget, reader: Any, every: int):
        self.target, self.reader, self.every = target, reader, every
        self.number, self.before = 0, reader.state()
        reader.next_labelled(target.n_kept)  # those that the target began with

    def notes(self) -> Facts:
        """What a checkpoint keeps."""
        return {"number": self.number, "before": self.before}

    def restore(self, notes: Facts) -> None:
        """Go back to the window of a checkpoint."""
        self.reader.restore(notes["before"])
        self.number = notes["number"] - 1
        self._turn()

    def at(self, step: int) -> AbstractTarget | None:
        """The target as it is from `step` on, if that is another than before."""
        turned = self.number
        while self.number < step // self.every:
            self._turn()
        return self.target if self.number != turned else None

    def _turn(self) -> None:
        self.before = self.reader.state()
        self.target = self.target.refreshed(*self.reader.next_labelled(self.target.n_kept))
        self.number += 1
