"""Samples at growing steps, kept in `samples.npz`."""

from pathlib import Path

import numpy as np

from gmdwgf.files import replaced_atomically


class Snapshots:
    """Arrays `y` (held-out targets), `steps` `[k]` and `x` `[k n d]`, written whole at every evaluation."""

    def __init__(self, path: Path, y: np.ndarray):
        self.path, self.y = path, y
        self.taken: dict[int, np.ndarray] = {}

    def load(self, up_to: int) -> None:
        """Take over what an earlier attempt kept, up to a step; a file that cannot be read counts as empty."""
        if up_to < 0 or not self.path.is_file():
            return
        try:
            with np.load(self.path) as kept:
                self.taken = {int(s): x for s, x in zip(kept["steps"], kept["x"], strict=True) if s <= up_to}
        except (OSError, ValueError, KeyError):
            self.taken = {}

    def add(self, step: int, x: np.ndarray) -> None:
        """Keep the samples of a step and write the file anew."""
        self.taken[step] = x
        steps = sorted(self.taken)
        with replaced_atomically(self.path) as temporary:
            np.savez(temporary, y=self.y, steps=np.asarray(steps), x=np.stack([self.taken[s] for s in steps]))
