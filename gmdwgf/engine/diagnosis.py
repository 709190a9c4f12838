"""Signs in the records and samples of a run that its training fails, each reported once with the setting to change.

The thresholds are ours. Lengths are those of the points that the run is trained on, which are standardised if the target is.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.drifts.wrappers.sum import SumDrift
from gmdwgf.mappings import Record
from gmdwgf.optim.optimizers import SGD
from gmdwgf.targets.standardisation import typical_distance
from gmdwgf.training.problem import Problem
from gmdwgf.typing import Particles, Targets

COLLAPSED = 0.1
"""Spread of the samples, as a fraction of that of the data, below which a generator counts as collapsed."""

ALONE = 1.2
"""Mean effective number of targets of a particle up to which nearly all particles interact with their nearest target only."""

VANISHED = 1e-3
"""|v| as a fraction of the median distance of two data points, below which particles count as out of reach of the data."""

FAR = 10.0
"""Gap above which a run with such a |v| has not just converged."""

CONSTANT = 0.01
"""Relative range of |v| up to which it counts as constant."""

N_KEPT = 8
"""Number of evaluations that are remembered."""

N_CONSTANT = 4
"""Number of evaluations over which a constant |v| is compared with the gap."""

_LENGTHS = {"bandwidth": (1.0, "the distance"), "temperature": (0.25, "a quarter of the distance")}
"""Lengths of drifts: the fraction of the distance to the nearest target in a batch that suits each, measured on eight data sets."""


class Part(NamedTuple):
    """A drift with the key of its fields, and the prefix of its logs."""

    drift: AbstractDrift
    key: str
    logs: str


class Length(NamedTuple):
    """A length of a drift: its key, its value, the fraction of the nearest distance that suits it, and that in words."""

    key: str
    now: float
    fraction: float
    words: str


class Diagnosis:
    """Looks at every evaluation of a run and returns lines to print, each kind at most once.

    `past` are the quantities of the last evaluations, as plain data, which a checkpoint stores. `said` are the lines that were said
    before the run was resumed.
    """

    def __init__(self, problem: Problem, reference: Targets, said: Sequence[str] = (), past: Sequence[Record] = ()):
        self.problem, self.y = problem, np.asarray(reference, np.float64)
        self.said, self.past = list(said), list(past)
        self.parts = list(_parts(problem.drift, "drift", "drift/"))

    def at_start(self) -> list[str]:
        """Lines about the settings of the run."""
        return self._new({"repeated rows": self._repeated_rows()})

    def look(self, record: Record, x: Particles | np.ndarray) -> list[str]:
        """Lines about the evaluation with this record, of the samples `x` `[n d]`."""
        logs = {name: value for name, value in record.items() if name.startswith("drift/")}
        seen = {name: record[name] for name in ("step", "v_rms", "gap") if name in record} | logs
        before = [earlier for earlier in self.past if earlier["step"] < record["step"]]
        self.past = [*before, {**seen, "spread": _spread(np.asarray(x, np.float64)) / _spread(self.y)}][-N_KEPT:]
        return self._new(
            {
                "solver": self._unconverged(),
                "collapse": self._collapsed(),
                "no target in reach": self._alone(),
                "no progress": self._stuck(),
            }
        )

    def _new(self, found: dict[str, str | None]) -> list[str]:
        lines = [f"{kind}: {line}" for kind, line in found.items() if line and not self._was_said(kind)]
        self.said += lines
        return lines

    def _was_said(self, kind: str) -> bool:
        return any(line.startswith(f"{kind}:") for line in self.said)

    @functools.cached_property
    def nearest(self) -> float:
        """Median distance of a held-out point to the nearest of a batch of others."""
        batch = self.y[: self.problem.n_targets + 1]
        found = np.sort(cdist(self.y[:500], batch), axis=1)
        least = np.array([row[row > 0][0] for row in found if row[-1] > 0])  # a point has distance 0 to itself
        return float(np.median(least)) if len(least) else self.typical

    @functools.cached_property
    def typical(self) -> float:
        """Median distance of two held-out points."""
        return typical_distance(self.y)

    def _repeated_rows(self) -> str | None:
        problem, n_rows = self.problem, self.problem.target.n_rows
        if n_rows is None or problem.n_targets <= n_rows:
            return None
        key = "training.batch_size" if problem.n_targets == problem.batch_size else "training.n_targets"
        return (
            f"a batch of {problem.n_targets} targets from {n_rows} training rows contains rows several times: "
            f"try {key}={2 ** (n_rows.bit_length() - 1)}"
        )

    def _unconverged(self) -> str | None:
        for part in self.parts:
            values = [seen[f"{part.logs}converged"] for seen in self.past if f"{part.logs}converged" in seen]
            missed = [value for value in values if not value >= 1]
            if len(missed) >= 2 and sum(1 - value for value in missed) >= len(values) / 2:
                often = f"at {len(missed)} of the last {len(values)} evaluations up to step {self.past[-1]['step']}"
                return f"not converged {often}{self._error(part)}, which makes the velocities wrong: {self._for_solver(part)}"
        return None

    def _error(self, part: Part) -> str:
        threshold = getattr(part.drift, "threshold", None)
        error = self.past[-1].get(f"{part.logs}marginal_error")
        if threshold is None or error is None:
            return ""
        return f" (marginal error {error:.2g}, {part.key}.threshold={float(threshold):.2g})"

    def _for_solver(self, part: Part) -> str:
        drift: Any = part.drift
        more = f"{part.key}.max_iters={max(2000, 4 * drift.max_iters)}" if hasattr(drift, "epsilon") else ""
        if not more:  # the Newton method of a regularised problem
            regularisation = float(drift.regularisation)
            return f"try {part.key}.regularisation={10 * regularisation:.2g} (now {regularisation:.2g}) or more {part.key}.max_iters"
        now = self._value(part, "epsilon")
        is_squared = drift.cost == "half_squared"
        fits = self.typical**2 / 200 if is_squared else self.typical / 100
        if now < 0.9 * fits:
            share = "1/200 of the median squared distance" if is_squared else "1/100 of the median distance"
            return f"try {part.key}.epsilon={fits:.2g} (now {now:.2g}), {share} of two data points, or {more}"
        return f"try {more} (now {drift.max_iters}), or {part.key}.epsilon={4 * now:.2g} (now {now:.2g})"

    def _collapsed(self) -> str | None:
        seen = self.past[-1]
        is_last = seen["step"] >= float(self.problem.n_steps)
        was = len(self.past) > 1 and self.past[-2]["step"] > 0 and self.past[-2]["spread"] < COLLAPSED
        is_late = was and seen["step"] >= float(self.problem.n_steps) / 10
        if not (seen["spread"] < COLLAPSED and seen["step"] > 0 and (is_last or is_late)):
            return None
        share = f"{100 * seen['spread']:.2g} % of that of the data at step {seen['step']}"
        return f"the spread of the samples is {share}: {self._against_collapse()}"

    def _against_collapse(self) -> str:
        for part in self.parts:
            if getattr(part.drift, "self_term", None) == "same_batch":
                return f"{part.key}.self_term=same_batch shrinks the samples of small batches: try {part.key}.self_term=two_batch"
            length = self._length(part)
            if length is None or self.problem.features is not None:
                continue
            wanted = length.fraction * self.nearest
            if length.now < 0.9 * wanted:
                return self._too_short(length)
            if length.now > self.typical:
                return (
                    f"{length.key}={length.now:.2g} is above the median distance of two data points ({self.typical:.2g}): "
                    f"try {length.key}={wanted:.2g}"
                )
        return self._slower()

    def _too_short(self, length: Length) -> str:
        wanted = length.fraction * self.nearest
        return (
            f"{length.key}={length.now:.2g} is below {length.words} to the nearest target in a batch ({self.nearest:.2g}): "
            f"try {length.key}={wanted:.2g}"
        )

    def _slower(self) -> str:
        """Advice to take smaller steps; Adam's steps do not depend on eta."""
        key, now = "optimizer.learning_rate", float(self.problem.optimizer.learning_rate)
        if isinstance(self.problem.optimizer, SGD):
            key, now = "training.eta", float(self.problem.eta)
        return f"try smaller steps, {key}={now / 3:.2g} (now {now:.2g})"

    def _alone(self) -> str | None:
        trained = [seen for seen in self.past if seen["step"] > 0]
        is_last = bool(trained) and trained[-1]["step"] >= float(self.problem.n_steps)
        if len(trained) < (1 if is_last else 2):
            return None
        for part in self.parts:
            length = self._length(part)
            values = [seen.get(f"{part.logs}effective_targets", np.inf) for seen in trained]
            if length is not None and max(values) <= ALONE and self._targets_in_a_group() > 2:
                at = f"at step {trained[-1]['step']}"
                number = f"the velocity of a particle comes from {values[-1]:.2f} targets on average {at}"
                return f"{number} (effective number): {self._longer(length)}"
        length = self._length(self.parts[0])
        return None if length is None or len(self.parts) > 1 else self._vanished(trained, length)

    def _vanished(self, trained: Sequence[Record], length: Length) -> str | None:
        v, gap = (np.array([seen.get(name, np.nan) for seen in trained[-2:]], float) for name in ("v_rms", "gap"))
        if not (v.max() < VANISHED * self.typical and gap.min() > FAR and gap[-1] >= gap[0]):
            return None
        return f"|v| is {v[-1]:.1g} at step {trained[-1]['step']}, although the gap is {gap[-1]:.1f}: {self._longer(length)}"

    def _longer(self, length: Length) -> str:
        if self.problem.features is None and length.now < 0.9 * length.fraction * self.nearest:
            return self._too_short(length)
        return f"the particles are far from the data in units of {length.key}={length.now:.2g}: try {length.key}={4 * length.now:.2g}"

    def _targets_in_a_group(self) -> int:
        problem = self.problem
        n_groups = problem.n_sub_batches if problem.condition is None else problem.condition.n_groups
        return problem.n_targets // n_groups

    def _stuck(self) -> str | None:
        window = [seen for seen in self.past if seen["step"] > 0][-N_CONSTANT:]
        v, gap = (np.array([seen.get(name, np.nan) for seen in window], float) for name in ("v_rms", "gap"))
        if len(window) < N_CONSTANT or not np.ptp(v) <= CONSTANT * v.mean():
            return None
        if not ((np.diff(gap) > 0).all() and gap[-1] > 1.25 * gap[0] + 3):
            return None
        rise = f"since step {window[0]['step']} the gap rose from {gap[0]:.1f} to {gap[-1]:.1f}"
        return f"{rise}, while |v| remained at {v.mean():.2g} instead of falling: {self._slower()}"

    def _length(self, part: Part) -> Length | None:
        """The length of a drift that its velocities depend on; None if it has none."""
        if getattr(part.drift, "kernel", None) in ("energy", "riesz"):
            return None
        for name, (fraction, words) in _LENGTHS.items():
            if hasattr(part.drift, name):
                return Length(f"{part.key}.{name}", self._value(part, name), fraction, words)
        return None

    def _value(self, part: Part, name: str) -> float:
        """Largest value of a field at the last step: that in the logs if it has a schedule."""
        path = f"{part.key}.{name}".removeprefix("drift.")
        seen = self.past[-1] if self.past else {}
        return float(seen.get(f"drift/{path}", np.max(np.asarray(getattr(part.drift, name)))))


def _parts(drift: AbstractDrift, key: str, logs: str) -> Iterator[Part]:
    """The drift, or those of a sum."""
    if not isinstance(drift, SumDrift):
        yield Part(drift, key, logs)
        return
    for index, part in enumerate(drift.drifts):
        yield from _parts(part, f"{key}.drifts.{index}", f"{logs}{index}/")


def _spread(x: np.ndarray) -> float:
    """Root of the total variance of a cloud."""
    return float(np.sqrt(np.var(x, axis=0).sum()))
