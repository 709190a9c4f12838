"""Fields of a drift that are not plain numbers: rules, evaluated on the target, and schedules over the run.

    drift.bandwidth: {rule: median, factor: 0.5}
    drift.bandwidth: {schedule: exponential, start: 1.0, end: 0.1, n_steps: 2000}

Any real number of a drift can be given in this form, also inside a list, a part of a sum or an optimiser, and a number of a
schedule can itself be a rule. `schedule` is a name in `gmdwgf.optim.schedules` or the import path of a class.
"""

import dataclasses
import functools
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial.distance import pdist

from gmdwgf.config.build import ConfigError, Find, any_object, build, unknown_name
from gmdwgf.config.fields import Configurable, FieldError, choice, real
from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.drifts.describe import describe_drift
from gmdwgf.mappings import Config
from gmdwgf.optim.schedules import SCHEDULES, AbstractSchedule, value_at, with_value
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Scalar

N_DRAWN = 1000
"""Number of target points from which a rule is computed, the same points for every run of a target."""


class Rule(Configurable):
    """`factor` times the median or mean distance between distinct target points (data units)."""

    rule: str = choice("median", "mean_distance")
    factor: Scalar = real(above=0, default=1.0)

    def __call__(self, distances: np.ndarray) -> float:
        """Evaluate the rule."""
        middle = {"median": np.median, "mean_distance": np.mean}[self.rule]
        return float(self.factor) * float(middle(distances))


class BuiltDrift(NamedTuple):
    """A drift with the initial values of all fields, and the schedules and rules of its fields."""

    drift: AbstractDrift
    schedules: dict[str, AbstractSchedule]
    """Schedules of fields, by their paths in the drift."""
    rules: dict[str, float]
    """Values of the rules, by their keys."""

    def introduction(self) -> list[str]:
        """Lines about the drift to print before a run."""
        rules = [f"  {key} = {value:.6g} by its rule, from {N_DRAWN} targets" for key, value in self.rules.items()]
        return describe_drift(self.drift, self.schedules) + rules


def build_drift(node: Config, target: AbstractTarget, find: Find = any_object) -> BuiltDrift:
    """Build the drift of a resolved config node. Raises ConfigError for an invalid rule, schedule or value."""
    rules: dict[str, float] = {}
    schedules: dict[str, AbstractSchedule] = {}

    @functools.cache
    def distances():
        return pdist(np.asarray(target.sample(jax.random.key(0), N_DRAWN), float))

    def of_rule(mapping, key):
        rules[key] = build({"_target_": f"{__name__}.Rule"} | mapping, key, find)(distances())
        return rules[key]

    def of_schedule(mapping, key):
        schedules[key.removeprefix("drift.")] = schedule = _schedule(mapping, key, find)
        return float(schedule(jnp.asarray(0.0)))

    node = _replaced(_replaced(node, "drift", "rule", of_rule), "drift", "schedule", of_schedule)
    try:
        drift = build(node, "drift", find)
    except ConfigError as error:
        if isinstance(error.value, dict):
            fix = f"{error.fix}; a mapping here is a rule or a schedule, e.g. {{rule: median, factor: 0.5}}"
            raise ConfigError(error.key, error.value, fix) from error
        if error.key.removeprefix("drift.") in schedules:
            raise ConfigError(error.key, error.value, f"{error.fix}, also at step 0 of its schedule") from error
        raise
    for path, schedule in schedules.items():
        _check(drift, path, schedule)
    return BuiltDrift(drift, schedules, rules)


def _replaced(node: Any, key: str, word: str, by: Callable[[dict, str], float]) -> Any:
    """Replace every mapping in `node` that has the key `word` and no `_target_`."""
    if isinstance(node, list):
        return [_replaced(item, f"{key}.{index}", word, by) for index, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if word in node and "_target_" not in node:
        return by(node, key)
    return {name: _replaced(value, f"{key}.{name}", word, by) for name, value in node.items()}


def _schedule(mapping: Config, key: str, find: Find) -> AbstractSchedule:
    name, numbers = mapping["schedule"], {k: v for k, v in mapping.items() if k != "schedule"}
    if str(name) in SCHEDULES:
        made_by = f"{SCHEDULES[name].__module__}.{SCHEDULES[name].__name__}"
    elif isinstance(name, str) and "." in name:
        made_by = name
    else:
        raise ConfigError(f"{key}.schedule", name, unknown_name(str(name), list(SCHEDULES)))
    return build({"_target_": made_by} | numbers, key, find)


def _check(drift: AbstractDrift, path: str, schedule: AbstractSchedule) -> None:
    """Check the bounds of the field at every turning point of the schedule."""
    key = f"drift.{path}"
    if not eqx.is_inexact_array(value_at(drift, path)):
        raise ConfigError(key, value_at(drift, path), "only real numbers can have a schedule")
    owner = re.sub(r"\.?\w+(\.\d+)?$", "", path)
    for step in schedule.turns():
        value = schedule(jnp.asarray(step))
        try:
            dataclasses.replace(value_at(with_value(drift, path, value), owner))  # construction checks the fields
        except FieldError as error:
            fix = f"{error.fix}, also at step {step:g} of its schedule"
            raise ConfigError(key, round(float(value), 6), fix) from error
