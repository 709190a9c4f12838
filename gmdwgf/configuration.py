"""From configuration to objects, and from a bad configuration to one line that says what to type instead."""

import difflib
import inspect
import logging
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

# Hydra logs what it could not import, on standard error where no logging is set up; it is in the ConfigError.
logging.getLogger("hydra").addHandler(logging.NullHandler())

_MOST_SHOWN = 200
"""Characters of a value that are repeated to the user."""

_PACKAGE = Path(__file__).resolve().parent


class ConfigError(Exception):
    """A configuration that cannot be run: the key, its value and the fix, on one line."""

    def __init__(self, key: str, value: Any, fix: str):
        shown = "" if value is inspect.Parameter.empty else f"={_on_one_line(value)}"
        super().__init__(f"{key}{shown}: {fix}")
        self.key, self.value, self.fix = key, value, fix


def _on_one_line(value: Any) -> str:
    """A value as one would type it, cut short where it is long."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    shown = " ".join(str(value).split())
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}..."


def config_dir() -> Path:
    """The folder `configs/`: inside an installed package, or at the top of a checkout."""
    inside = _PACKAGE / "configs"
    return inside if inside.is_dir() else _PACKAGE.parent / "configs"


def options(group: str) -> list[str]:
    """The names one can choose from in a config group."""
    return sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))


def build(node: Any, key: str) -> Any:
    """Make the object a config node describes (`_target_` and its fields), children first.

    Raises ConfigError naming the full key of the field that is unknown, missing or refused.
    """
    if isinstance(node, DictConfig | ListConfig):
        try:
            node = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
        except OmegaConfBaseException as error:
            full = f"{key}.{error.full_key}" if getattr(error, "full_key", None) else key
            raise ConfigError(full, inspect.Parameter.empty, str(error).splitlines()[0]) from error
    if isinstance(node, list):
        return [build(item, f"{key}.{index}") for index, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    fields = {name: build(value, f"{key}.{name}") for name, value in node.items() if name != "_target_"}
    return _call(node["_target_"], fields, key) if "_target_" in node else fields


def _call(target: str, fields: dict[str, Any], key: str) -> Any:
    from hydra.utils import get_object

    from gmdwgf.hyperparameters import FieldError, check_fields

    wanted = "must be the import path of a class or function"
    if not isinstance(target, str):
        raise ConfigError(f"{key}._target_", target, wanted)
    try:
        made_by = get_object(target)
    except Exception as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise ConfigError(f"{key}._target_", target, f"cannot be imported ({said[-1]}); {wanted}") from error
    try:
        parameters = inspect.signature(made_by).parameters
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{key}._target_", target, f"{wanted} that takes these fields") from error
    for name in fields:
        if name not in parameters:
            raise ConfigError(f"{key}.{name}", fields[name], unknown_name(name, list(parameters)))
    for name, parameter in parameters.items():
        if name not in fields and parameter.default is inspect.Parameter.empty:
            raise ConfigError(f"{key}.{name}", inspect.Parameter.empty, "is missing; give it a value")
    try:
        check_fields(made_by, fields)
        return made_by(**fields)
    except FieldError as error:
        raise ConfigError(f"{key}.{error.name}", error.value, error.fix) from error


def unknown_name(name: str, known: list[str]) -> str:
    """What to say of a name that is not among the known ones."""
    close = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean {close[0]}? " if close else ""
    return f"unknown; {guess}Known: {', '.join(known)}"


def load_node(group: str, name: str, changes: dict[str, Any]) -> DictConfig:
    """The YAML `name` of a group (or any YAML file), over those of the group that it builds on, with some fields changed."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else config_dir() / group / f"{name}.yaml"
    if not path.is_file():
        raise ConfigError(group, name, unknown_name(name, options(group)))
    node: Any = OmegaConf.load(path)
    bases = [base for base in node.pop("defaults", []) if isinstance(base, str) and base != "_self_"]
    node = OmegaConf.merge(*(load_node(group, base, {}) for base in bases), node)
    for field, value in changes.items():
        if field not in node:
            raise ConfigError(f"{group}.{field}", value, unknown_name(field, [str(k) for k in node if k != "_target_"]))
        OmegaConf.update(node, field, value.item() if isinstance(value, np.generic) else value, merge=False)
    return node
