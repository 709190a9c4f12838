"""Who is compared, on what, and with which hyperparameters. Grids and sizes are ours."""

from typing import Any, NamedTuple

from trial import Sizes, problem_of, run, scores

import gmdwgf
from gmdwgf.drifts.sum import SumDrift
from gmdwgf.schedules import Step, with_value


class Contender(NamedTuple):
    """A drift with the one number of it that is tuned; drifts without a number tune the learning rate."""

    config: str
    fields: dict[str, Any]
    number: str
    values: tuple[Any, ...]


RATE = 0.01
"""Learning rate of Adam, decayed to 0 by a cosine, where it is not what is tuned."""

LENGTHS = (0.1, 0.3, 1.0)
RATES = (0.003, 0.01, 0.03)

CONTENDERS = {
    "kl": Contender("kl", {}, "bandwidth", LENGTHS),
    "mean_shift": Contender("mean_shift", {}, "bandwidth", LENGTHS),
    "deng": Contender("deng", {}, "temperature", LENGTHS),
    "sinkhorn_proxy": Contender("sinkhorn_proxy", {}, "bandwidth", LENGTHS),
    "sinkhorn, two batches": Contender("sinkhorn", {"self_term": "two_batch"}, "epsilon", (0.01, 0.1, 1.0)),
    "sinkhorn, one batch": Contender("sinkhorn", {"self_term": "same_batch"}, "epsilon", (0.01, 0.1, 1.0)),
    "mmd, energy": Contender("mmd", {"kernel": "energy"}, "rate", RATES),
    "mmd, Gaussian": Contender(
        "mmd", {"kernel": "gaussian"}, "bandwidth", tuple([h / 3, h, 3 * h] for h in (0.1, 0.3, 1.0))
    ),
    "sliced_wasserstein": Contender("sliced_wasserstein", {"n_projections": 16}, "rate", RATES),
    "wflow": Contender("wflow", {"n_iters": 10}, "epsilon", (0.01, 0.05, 0.2)),
    "critic": Contender("critic", {"n_inner": 2, "width": 64}, "optimizer.learning_rate", (0.001, 0.003, 0.01)),
}
"""The wide kernel of `mmd, Gaussian` is the mean of three, h/3, h and 3h."""

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
        "two_modes", {"fraction": 0.2}, "two modes, masses 80 and 20", {True: 500, False: 10000}, {True: 0.6, False: 30}
    ),
}


def name_of(value: Any) -> str:
    """A setting in words: the number, or the middle one of a list."""
    return f"{value[1] if isinstance(value, list) else value:g}"


def drift_of(name: str, value: Any) -> tuple[Any, float]:
    """The drift of a contender (or variant) at a setting, and its learning rate."""
    owner, changes = VARIANTS.get(name, (name, {}))
    config, fields, number, _ = CONTENDERS[owner]
    fields = fields | changes
    if number == "rate":
        return gmdwgf.load_drift(config, **fields), value
    if "." in number:
        return with_value(gmdwgf.load_drift(config, **fields), number, value), RATE
    return gmdwgf.load_drift(config, **fields | {number: value}), RATE


def config_of(name: str) -> str:
    """Whose colour a contender has."""
    return CONTENDERS[VARIANTS.get(name, (name,))[0]].config


def trained(name: str, value: Any, arena: str, seed: int, n_steps: int, batch: int, width: int) -> dict[str, Any]:
    """A cell: the scores of one training, and the seconds of its steps."""
    drift, rate = drift_of(name, value)
    return _trained(drift, rate, arena, seed, Sizes(batch, n_steps, width), {})


def handed_over(
    parts: dict[str, Any], fraction: float, arena: str, seed: int, n_steps: int, batch: int, width: int
) -> dict[str, Any]:
    """A cell: the first of two drifts for a `fraction` of the steps, the second for the rest."""
    drifts = [drift_of(name, value)[0] for name, value in parts.items()]
    switch = lambda before, after: Step(values=[before, after], boundaries=[fraction * n_steps])
    schedules = {"weights.0": switch(1.0, 0.0), "weights.1": switch(0.0, 1.0)}
    drift = SumDrift(drifts=drifts, weights=[1.0, 1.0])
    return _trained(drift, RATE, arena, seed, Sizes(batch, n_steps, width), schedules)


def _trained(drift: Any, rate: float, arena: str, seed: int, sizes: Sizes, schedules: dict) -> dict[str, Any]:
    dataset, fields = ARENAS[arena].dataset, ARENAS[arena].fields
    problem = problem_of(gmdwgf.load_target(dataset, **fields), drift, sizes, rate, schedules=schedules)
    state, seconds = run(problem, seed, sizes.n_steps)
    answer = scores(dataset, fields, problem, state, sizes)
    return answer | {"seconds": seconds, "diverged": bool(state.health.diverged), "n_steps": sizes.n_steps}
