"""Fields of a drift that are not plain numbers: rules, evaluated on the target, and schedules over the run.

    drift.bandwidth: {rule: median, factor: 0.5}
    drift.bandwidth: {schedule: exponential, start: 1.0, end: 0.1, n_steps: 2000}

Any real number of a drift can follow a schedule, also inside a list, a part of a sum or an optimiser, and a number of a schedule
can itself be a rule. A rule (`gmdwgf.launch.rules`) is for numbers with a length in their unit. `schedule` is a name in
`gmdwgf.optim.schedules` or the import path of a class.
"""

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp

from gmdwgf.config.build import ConfigError, Find, any_object, build, errors_under, unknown_name
from gmdwgf.config.declared import ignored_in, power_of, unit_of
from gmdwgf.config.fields import FieldError
from gmdwgf.config.moved import current_path
from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.drifts.describe import describe_drift
from gmdwgf.launch.rules import Distances, Rule
from gmdwgf.mappings import Config
from gmdwgf.optim.schedules import SCHEDULES, AbstractSchedule, value_at, with_value
from gmdwgf.targets.base import AbstractTarget


class Place(NamedTuple):
    """Where a mapping stands in a drift: a field of the component that a config node describes."""

    node: Config
    """The node, with its `_target_`."""
    key: str
    """Key of the node."""
    field: str

    def made_by(self, find: Find) -> object:
        """The class of the component."""
        return find(current_path(self.node["_target_"]), f"{self.key}._target_")


Replace = Callable[[Config, str, Place], float]
"""Function from a mapping, its key and its place to the number that replaces it."""


class BuiltDrift(NamedTuple):
    """A drift with the initial values of all fields, and the schedules and rules of its fields."""

    drift: AbstractDrift
    schedules: dict[str, AbstractSchedule]
    """Schedules of fields, by their paths in the drift."""
    rules: dict[str, float]
    """Values of the rules, by their keys, without those of ignored fields."""
    told: Sequence[str] = ()
    """How every rule came to its value."""

    def introduction(self) -> list[str]:
        """Lines about the drift to print before a run."""
        return [*describe_drift(self.drift, self.schedules), *(f"  {line}" for line in self.told)]


def build_drift(node: Config, target: AbstractTarget, find: Find = any_object) -> BuiltDrift:
    """Build the drift of a resolved config node. Raises ConfigError for an invalid rule, schedule or value."""
    rules: dict[str, float] = {}
    schedules: dict[str, AbstractSchedule] = {}
    told: list[str] = []
    distances = Distances(target)

    def of_rule(mapping, key, place):
        made_by = place.made_by(find)
        rule, unit = _rule(mapping, key, find), unit_of(made_by, place.field)
        power = power_of(made_by, place.field, place.node)
        if power == 0:
            named = f"its unit is {unit}" if unit else "it has no unit"
            raise ConfigError(key, mapping, f"must be a number, as it is no length or power of one ({named})")
        power = 1 if power is None else power
        with errors_under(key):
            value = rule.value(distances, power)
        if place.field not in ignored_in(made_by, place.node):
            rules[key] = value
            told.append(_line(key, value, rule.words(distances, power), len(distances.points), unit))
        return value

    def of_schedule(mapping, key, place):
        del place
        schedules[key.removeprefix("drift.")] = schedule = _schedule(mapping, key, find)
        return float(schedule(jnp.asarray(0.0)))

    node = _replaced(_replaced(node, "drift", "rule", of_rule, find), "drift", "schedule", of_schedule, find)
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
    return BuiltDrift(drift, schedules, rules, told)


def _replaced(node: Any, key: str, word: str, by: Replace, find: Find, place: Place | None = None) -> Any:
    """Replace every mapping in `node` that has the key `word` and no `_target_`, given its place."""
    if isinstance(node, list):
        return [_replaced(item, f"{key}.{index}", word, by, find, place) for index, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if word in node and "_target_" not in node and place is not None:
        return by(node, key, place)
    inside = {name: _place(node, key, str(name), find, place) for name in node}
    return {name: _replaced(value, f"{key}.{name}", word, by, find, inside[name]) for name, value in node.items()}


def _place(node: Config, key: str, name: str, find: Find, outside: Place | None) -> Place | None:
    """The place of a value of a node. Numbers of a schedule have that of the scheduled field, unless they have their own unit."""
    if "_target_" in node:
        return Place(node, key, name)
    if "schedule" not in node or name == "schedule":
        return outside
    own = Place({"_target_": _schedule_path(node, key)} | node, key, name)
    return own if unit_of(own.made_by(find), name) else outside


def _rule(mapping: Config, key: str, find: Find) -> Rule:
    rule = build({"_target_": f"{Rule.__module__}.Rule"} | mapping, key, find)
    for name, why in ignored_in(Rule, mapping).items():
        fix = f"is not read by rule={why.value}, but by rule={' and '.join(map(str, why.readers))}; omit it"
        raise ConfigError(f"{key}.{name}", mapping[name], fix)
    return rule


def _line(key: str, value: float, words: str, n_points: int, unit: str) -> str:
    told = f"{key} = {value:.6g} by its rule: {words}, from {n_points} distinct targets"
    return told + (f"  [{unit}]" if unit else "")


def _schedule(mapping: Config, key: str, find: Find) -> AbstractSchedule:
    numbers = {k: v for k, v in mapping.items() if k != "schedule"}
    return build({"_target_": _schedule_path(mapping, key)} | numbers, key, find)


def _schedule_path(mapping: Config, key: str) -> str:
    """Import path of the class that a mapping with the key `schedule` names."""
    name = mapping["schedule"]
    if str(name) in SCHEDULES:
        return f"{SCHEDULES[name].__module__}.{SCHEDULES[name].__name__}"
    if isinstance(name, str) and "." in name:
        return name
    raise ConfigError(f"{key}.schedule", name, unknown_name(str(name), list(SCHEDULES)))


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
