"""Who is compared, on what, and with which hyperparameters. Grids and sizes are ours."""

from typing import Any, NamedTuple

import jax.numpy as jnp

import gmdwgf
from experiments.common.trial import Sizes, problem_of, run, scores, step_seconds
from gmdwgf.drifts.wrappers.sum import SumDrift
from gmdwgf.optim.schedules import Step, with_value


class Setting(NamedTuple):
    """The value of a contender's number, None where it has none, and the learning rate of Adam."""

    value: Any
    rate: float

    def __str__(self) -> str:
        """In words: the number, or the middle one of a list, and the rate."""
        value = self.value[1] if isinstance(self.value, list) else self.value
        return f"rate {self.rate:g}" if value is None else f"{value:g}, rate {self.rate:g}"


class Contender(NamedTuple):
    """A drift with the one number of it that is tuned; where it has none, only the learning rate is."""

    config: str
    fields: dict[str, Any]
    number: str
    values: tuple[Any, ...]
    """Three values around the second, or none."""

    def settings(self) -> list[Setting]:
        """Four settings: the three values, and the second one at a higher rate; or four rates."""
        if not self.values:
            return [Setting(None, rate) for rate in (0.003, 0.01, 0.03, 0.1)]
        return [*(Setting(value, RATE) for value in self.values), Setting(self.values[1], 3 * RATE)]


RATE = 0.01
"""Learning rate of Adam, decayed to 0 by a cosine."""

LENGTHS = (0.1, 0.3, 1.0)
EPSILONS = (0.03, 0.1, 0.3)

CONTENDERS = {
    "kl": Contender("kl", {}, "bandwidth", LENGTHS),
    "mean_shift": Contender("mean_shift", {}, "bandwidth", LENGTHS),
    "deng": Contender("deng", {}, "temperature", LENGTHS),
    "sinkhorn_proxy": Contender("sinkhorn_proxy", {}, "bandwidth", LENGTHS),
    "sinkhorn, two batches": Contender("sinkhorn", {"self_term": "two_batch"}, "epsilon", EPSILONS),
    "sinkhorn, one batch": Contender("sinkhorn", {"self_term": "same_batch"}, "epsilon", EPSILONS),
    "mmd, energy": Contender("mmd", {"kernel": "energy"}, "", ()),
    "mmd, Gaussian": Contender(
        "mmd", {"kernel": "gaussian"}, "bandwidth", tuple([h / 3, h, 3 * h] for h in (0.3, 1.0, 3.0))
    ),
    "sliced_wasserstein": Contender("sliced_wasserstein", {"n_projections": 16, "directions": "independent"}, "", ()),
    "wflow": Contender("wflow", {"n_iters": 10}, "epsilon", (0.003, 0.01, 0.05)),
    "critic": Contender("critic", {"n_inner": 2, "width": 64}, "optimizer.learning_rate", (0.001, 0.003, 0.01)),
}
"""The kernel of `mmd, Gaussian` is the mean of three, of bandwidths h/3, h and 3h."""

VARIANTS = {
    "kl, two batches": ("kl", {"self_term": "two_batch"}),
}
"""Others whose setting is that of a contender: (the contender, fields that differ)."""


class Arena(NamedTuple):
    """A target and how long one trains on it: steps for equal samples, seconds for equal time."""

    dataset: str
    fields: dict[str, float]
    words: str
    steps: dict[bool, int]
    seconds: dict[bool, float]
    """By `quick`."""


ARENAS = {
    "matched": Arena(
        "eight_gaussians", {}, "8 Gaussians, equal masses", {True: 1000, False: 20000}, {True: 1, False: 60}
    ),
    "mismatched": Arena(
        "two_modes", {"fraction": 0.2}, "two modes, masses 80 and 20", {True: 500, False: 10000}, {True: 0.5, False: 30}
    ),
}


def drift_of(name: str, value: Any) -> Any:
    """The drift of a contender (or variant) at a value of its number."""
    owner, changes = VARIANTS.get(name, (name, {}))
    config, fields, number, _ = CONTENDERS[owner]
    fields = fields | changes
    if "." in number:
        return with_value(gmdwgf.load_drift(config, **fields), number, value)
    return gmdwgf.load_drift(config, **fields | ({} if value is None else {number: value}))


def config_of(name: str) -> str:
    """Whose colour a contender has."""
    return CONTENDERS[VARIANTS.get(name, (name,))[0]].config


def trained(name: str, setting: list, arena: str, seed: int, n_steps: int, batch: int, width: int) -> dict[str, Any]:
    """A cell: the scores of one training, and the seconds of its steps."""
    value, rate = setting
    return _trained(drift_of(name, value), rate, arena, seed, Sizes(batch, n_steps, width), {})


def handed_over(
    parts: dict[str, list], fraction: float, arena: str, seed: int, n_steps: int, batch: int, width: int
) -> dict[str, Any]:
    """A cell: the first of two drifts for a `fraction` of the steps, the second, whose rate is taken, for the rest."""
    drifts = [drift_of(name, value) for name, (value, _) in parts.items()]
    *_, (_, rate) = parts.values()
    switch = lambda *values: Step(values=jnp.asarray(values), boundaries=jnp.asarray([fraction * n_steps]))
    schedules = {"weights.0": switch(1.0, 0.0), "weights.1": switch(0.0, 1.0)}
    drift = SumDrift(drifts=tuple(drifts), weights=jnp.asarray([1.0, 1.0]))
    return _trained(drift, rate, arena, seed, Sizes(batch, n_steps, width), schedules)


def paces(settings: dict[str, list], arena: str, n_steps: int, batch: int, width: int) -> dict[str, float]:
    """A cell: seconds of a step of every contender at its setting, measured in turn."""
    target = gmdwgf.load_target(ARENAS[arena].dataset, **ARENAS[arena].fields)
    sizes = Sizes(batch, n_steps, width)
    problems = {
        name: problem_of(target, drift_of(name, value), sizes, rate) for name, (value, rate) in settings.items()
    }
    return step_seconds(problems)


def _trained(drift: Any, rate: float, arena: str, seed: int, sizes: Sizes, schedules: dict) -> dict[str, Any]:
    dataset, fields = ARENAS[arena].dataset, ARENAS[arena].fields
    problem = problem_of(gmdwgf.load_target(dataset, **fields), drift, sizes, rate, schedules=schedules)
    state, seconds = run(problem, seed, sizes.n_steps)
    answer = scores(dataset, fields, problem, state, sizes)
    return answer | {"seconds": seconds, "diverged": bool(state.health.diverged), "n_steps": int(state.step)}
