"""Trainings that scripts/benchmarks/time_to_quality.py compares: each is built, advanced to a step, and sampled from."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

Sampler = Callable[[int], Any]
"""`sampler(n)` draws `n` points `[n 2]` from the model as it is now, always from the same noise, and waits for them."""

N_POOL = 1_000_000
"""Points of the target that a PyTorch loop draws its batches from."""


class Contender(Protocol):
    """One training. Its construction builds and compiles all that the steps need, and is timed apart."""

    def advance(self, to: int) -> None:
        """Train until step `to`, and wait until it is done."""
        ...

    def samplers(self) -> dict[str, Sampler]:
        """Ways to sample by their names: one, or several numbers of evaluations of a network."""
        ...


class Method(NamedTuple):
    """What trains, for how many steps; `start(target, seed, n_steps)` makes a contender."""

    start: Callable[[str, int, int], Contender]
    n_steps: int
    needs_torch: bool = False
    is_ours: bool = False
