"""How many steps a chunk may have, so that the host looks at a run again within a bounded time."""

BOUND = 2.0
"""Seconds between two looks of the host, unless one step takes longer (ours: a signal is to be answered within 5)."""

GROWTH = 8
"""A chunk has at most so many times the steps of the one before: the first steps of a run may be cheaper than later ones (ours)."""


class Pace:
    """The steps that fit into `bound` seconds, judged by the last chunk; the first chunk is a single step.

    The first chunk may contain a compilation, which makes the second one short as well and is then forgotten.
    """

    def __init__(self, bound: float = BOUND):
        self.bound, self.n_steps = bound, 1

    def update(self, n_steps: int, seconds: float) -> None:
        """Take note of a chunk: how many steps it had, and the time it took."""
        if n_steps < 1:
            return
        fitting = self.bound * n_steps / seconds if seconds > 0 else float("inf")
        self.n_steps = max(1, int(min(GROWTH * self.n_steps, fitting)))
