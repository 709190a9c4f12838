"""Remaining time of a sweep, from the times of the jobs that have ended in this process."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextvars import ContextVar


class SweepClock:
    """Estimates the remaining time from the mean time of a job, for each drift of its own; jobs that are skipped take none.

    Times are those between the ends of jobs, so that they add up also if several jobs run at once. Drifts of which no job has run
    are assumed to take the mean time of the others.
    """

    def __init__(self, jobs: Sequence[Sequence[str]], clock: Callable[[], float] = time.perf_counter):
        self.n_jobs, self.left, self.clock = len(jobs), Counter(map(_drift, jobs)), clock
        self.times: defaultdict[str, list[float]] = defaultdict(list)
        self.last = clock()

    def end(self, overrides: Sequence[str], has_run: bool) -> None:
        """Count a job that has ended; `has_run` is false if there was nothing to do."""
        now, drift = self.clock(), _drift(overrides)
        self.left[drift] -= 1
        if has_run:
            self.times[drift].append(now - self.last)
        self.last = now

    @property
    def n_left(self) -> int:
        """Number of jobs that have not ended."""
        return sum(self.left.values())

    def remaining(self) -> float | None:
        """Estimated seconds of the jobs that are left; None before the first has run."""
        every = [seconds for times in self.times.values() for seconds in times]
        if not every:
            return None
        mean = lambda times: sum(times) / len(times)
        return sum(n * mean(self.times.get(drift) or every) for drift, n in self.left.items())


def _drift(overrides: Sequence[str]) -> str:
    """The drift of a job as named in its overrides, or the default one."""
    return next((word.partition("=")[2] for word in overrides if word.lstrip("+").startswith("drift=")), "")


current: ContextVar[SweepClock | None] = ContextVar("current", default=None)
"""Clock of the sweep whose jobs run in this process; None outside of a sweep, and in processes of their own."""
