"""Choose the number of steps of a chunk so that its time is bounded."""

BOUND = 2.0
"""Target time of a chunk in seconds, unless one step takes longer (ours: signals are handled within 5 s)."""

GROWTH = 8
"""Largest ratio of steps between consecutive chunks, since the first steps of a run may be cheaper than later ones (ours)."""


class Pace:
    """Number of steps that fit into `bound` seconds, estimated from the last chunk; the first chunk is a single step.

    The first chunk may include compilation; its time therefore affects only the second chunk.
    """

    def __init__(self, bound: float = BOUND):
        self.bound, self.n_steps = bound, 1

    def update(self, n_steps: int, seconds: float) -> None:
        """Update the estimate with the number of steps and the time of a chunk."""
        if n_steps < 1:
            return
        fitting = self.bound * n_steps / seconds if seconds > 0 else float("inf")
        self.n_steps = max(1, int(min(GROWTH * self.n_steps, fitting)))
