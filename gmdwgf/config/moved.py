"""Renamed keys and values: configs and run folders of version 0.1 still work, and ids of runs do not change.

`updated` converts an old config to the current names; `as_first_spelled` converts a config to the names of version 0.1, from which
ids are hashed. Old keys are accepted on the command line for one more version, with a notice.
"""

from collections.abc import Callable
from typing import NamedTuple

from gmdwgf.mappings import Config

_MODULES = {
    "gmdwgf.drifts.sum": "gmdwgf.drifts.wrappers.sum",
    "gmdwgf.optimizers": "gmdwgf.optim.optimizers",
    "gmdwgf.schedules": "gmdwgf.optim.schedules",
    "gmdwgf.training.classwise": "gmdwgf.drifts.wrappers.classwise",
    "gmdwgf.training.feature_field": "gmdwgf.drifts.wrappers.feature_space",
    "gmdwgf.training.hosts": "gmdwgf.engine.multihost",
    "gmdwgf.training.plan": "gmdwgf.training.problem",
}
_LATER = {
    ("dataset", "standardise"): "none",
    ("generator", "n_codes"): 0,
    ("training", "n_reference"): 0,
    ("training", "noise_injection"): None,
    ("training", "lookahead"): 1,
    ("training", "lookahead_weights"): "equal",
    ("drift", "bias"): "none",
    ("drift", "gain"): "cross",
    ("drift", "repulsion"): "batch",
    ("training", "attraction"): "batch",
}
"""Keys that version 0.1 did not have, with the value that leaves a run as it was."""
_READ_BY = {("training", name): "attraction" for name in ("n_landmarks", "ridge", "n_data")}
"""Keys that version 0.1 did not have, which are read only if the later key named here has another value than that of `_LATER`."""
_LATER_FIELDS: dict[str, Config] = {"gmdwgf.drifts.kl.KLDrift": {"kernel": "gaussian"}}
"""The same as `_LATER` for fields of a class, by its path, wherever in a config it is named."""
_CLASSES = {"gmdwgf.features.base.Together": "gmdwgf.features.base.ConcatenatedFeatures"}


class _Key(NamedTuple):
    """Old and new name of a key (possibly equal), with its renamed values."""

    section: str
    old: str
    new: str
    values: dict[str, str]


_KEYS = (
    _Key("training", "field", "batching", {"global": "full", "local": "sub_batches"}),
    _Key("drift", "directions", "directions", {"spread": "stratified"}),
)

_PathOf = Callable[[object], object]
_KeyOf = Callable[[str, str, object], tuple[str, object]]
"""Renaming of an import path, and of a field with its value."""


def current_path(path: object) -> object:
    """Current import path of a class of this package; other values are returned unchanged."""
    if not isinstance(path, str):
        return path
    module, _, name = path.rpartition(".")
    return _CLASSES.get(path) or (f"{_MODULES[module]}.{name}" if module in _MODULES else path)


def _first_path(path: object) -> object:
    if not isinstance(path, str):
        return path
    module, _, name = path.rpartition(".")
    classes, modules = ({new: old for old, new in table.items()} for table in (_CLASSES, _MODULES))
    return classes.get(path) or (f"{modules[module]}.{name}" if module in modules else path)


def updated(config: Config) -> Config:
    """Convert a config to the current names."""
    return {section: _respelled(node, section, current_path, current_field) for section, node in config.items()}


def as_first_spelled(config: Config) -> Config:
    """Convert a config to the names of version 0.1, without later keys at the value that changes nothing."""
    return without_later(
        {section: _respelled(node, section, _first_path, _old_key) for section, node in config.items()}
    )


def without_later(config: Config) -> Config:
    """Remove keys that version 0.1 did not have and that have the value which leaves a run as it was."""
    return {section: _without_later(node, section) for section, node in config.items()}


def _without_later(node: object, section: str) -> object:
    if isinstance(node, list):
        return [_without_later(item, section) for item in node]
    if not isinstance(node, dict):
        return node
    fields = _LATER_FIELDS.get(str(node.get("_target_")), {})
    is_later = lambda key, value: value in (_LATER.get((section, key), ...), fields.get(key, ...))
    as_before = {key for key, value in node.items() if is_later(key, value)}
    left_out = as_before | {key for key in node if _READ_BY.get((section, key), key) in as_before}
    return {key: _without_later(value, section) for key, value in node.items() if key not in left_out}


def notices(config: Config) -> list[str]:
    """Deprecation notices for the old keys and values of a config, one line each."""
    return [line for section, node in config.items() for line in _notices(node, section, section)]


def respelled_override(override: str) -> str:
    """Rename an old override, e.g. `training.field=local` to `training.batching=sub_batches`; others are unchanged."""
    key, equals, value = override.partition("=")
    plus, words = key[: len(key) - len(key.lstrip("+~"))], key.lstrip("+~").split(".")
    for rule in _KEYS:
        is_old = rule.old != rule.new or any(item in rule.values for item in value.split(","))
        if words[0] == rule.section and words[-1] == rule.old and len(words) > 1 and is_old:
            values = ",".join(rule.values.get(item, item) for item in value.split(","))
            return f"{plus}{'.'.join([*words[:-1], rule.new])}{equals}{values}"
    return override


def current_field(section: str, name: str, value: object) -> tuple[str, object]:
    """Current name and value of a field."""
    for rule in _KEYS:
        if (rule.section, rule.old) == (section, name):
            return rule.new, rule.values.get(value, value) if isinstance(value, str) else value
    return name, value


def _old_key(section: str, name: str, value: object) -> tuple[str, object]:
    for rule in _KEYS:
        if (rule.section, rule.new) == (section, name):
            olds = {new: old for old, new in rule.values.items()}
            return rule.old, olds.get(value, value) if isinstance(value, str) else value
    return name, value


def _respelled(node: object, section: str, path_of: _PathOf, key_of: _KeyOf) -> object:
    if isinstance(node, list):
        return [_respelled(item, section, path_of, key_of) for item in node]
    if not isinstance(node, dict):
        return node
    found = {}
    for name, value in node.items():
        if name == "_target_":
            found[name] = path_of(value)
        else:
            new, value = key_of(section, name, value)
            found[new] = _respelled(value, section, path_of, key_of)
    return found


def _notices(node: object, section: str, prefix: str) -> list[str]:
    if not isinstance(node, dict):
        return []
    lines = []
    for name, value in node.items():
        new, now = current_field(section, name, value)
        if (new, now) != (name, value):
            lines.append(notice(f"{prefix}.{name}={value}", f"{prefix}.{new}={now}"))
        lines += _notices(value, section, f"{prefix}.{name}")
    return lines


def notice(old: str, new: str) -> str:
    """Deprecation notice for an old name."""
    return f"{old} is now {new}; the old spelling goes with version 0.3"
