"""Build objects from a config, with one-line error messages that state the key, the value and a fix."""

import ast
import contextlib
import difflib
import importlib
import inspect
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gmdwgf.config import own_data
from gmdwgf.config.moved import current_field, current_path, notice
from gmdwgf.mappings import Config

# Silence Hydra's log of failed imports, which are reported in the ConfigError.
logging.getLogger("hydra").addHandler(logging.NullHandler())

T = TypeVar("T")

own_data.register()

_MOST_SHOWN = 200
"""Maximum number of characters of a value in an error message."""

_PACKAGE = Path(__file__).resolve().parents[1]


class ConfigError(Exception):
    """Raised for an invalid config, with the key, its value and a fix on one line."""

    def __init__(self, key: str, value: object, fix: str):
        shown = "" if value is inspect.Parameter.empty else f"={_on_one_line(value)}"
        super().__init__(f"{key}{shown}: {fix}")
        self.key, self.value, self.fix = key, value, fix


def _on_one_line(value: object) -> str:
    """Format a value as on the command line, truncated if it is long."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    shown = " ".join(str(value).split())
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}..."


def config_dir() -> Path:
    """The folder `configs/`, inside an installed package or at the top of a checkout."""
    inside = _PACKAGE / "configs"
    return inside if inside.is_dir() else _PACKAGE.parent / "configs"


def options(group: str) -> list[str]:
    """Names of the choices in a config group."""
    return sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))


def any_object(name: object, key: str) -> Any:
    """Import the object with the import path `name`, from any package. Raises ConfigError if this fails."""
    from hydra.utils import get_object

    wanted = "must be the import path of a class or function"
    if not isinstance(name, str):
        raise ConfigError(key, name, wanted)
    try:
        return get_object(name)
    except Exception as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise ConfigError(key, name, f"cannot be imported ({said[-1]}); {wanted}") from error


def shipped_piece(name: object, key: str) -> Any:
    """Import the class `name` if it is a component of this package; for configs of unknown origin.

    Raises ConfigError for any other name without importing it, since importing a module runs its code.
    """
    from gmdwgf.config.fields import Configurable

    module, _, word = str(name).rpartition(".")
    found = getattr(importlib.import_module(module), word) if _is_class_of_package(module, word) else None
    if isinstance(found, type) and issubclass(found, Configurable) and found.__module__ == module:
        if not found.runs_named_code:
            return found
    fix = "is not a class of gmdwgf that only computes, and a run folder may run nothing else"
    raise ConfigError(key, name, f"{fix}; load_run(folder, trust=True) if you trust its author")


def _is_class_of_package(module: str, word: str) -> bool:
    """Whether a module of this package defines the class `word`, determined without importing it."""
    package, *inner = module.split(".")
    if package != _PACKAGE.name or not inner or not all(name.isidentifier() for name in inner):
        return False
    file = _PACKAGE.joinpath(*inner).with_suffix(".py")
    if not file.is_file():
        return False
    return any(isinstance(node, ast.ClassDef) and node.name == word for node in ast.parse(file.read_text()).body)


Find = Callable[[object, str], Any]
"""Function that finds a class from its name in a config and the config key: `any_object` or `shipped_piece`."""


def build(node: object, key: str, find: Find = any_object) -> Any:
    """Build the object that a config node describes (`_target_` and its fields), children first.

    Raises ConfigError with the full key of a field that is unknown, missing or invalid.
    """
    if isinstance(node, DictConfig | ListConfig):
        try:
            node = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
        except OmegaConfBaseException as error:
            full = f"{key}.{error.full_key}" if getattr(error, "full_key", None) else key
            raise ConfigError(full, inspect.Parameter.empty, str(error).splitlines()[0]) from error
    if isinstance(node, list):
        return [build(item, f"{key}.{index}", find) for index, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    made_by = find(current_path(node["_target_"]), f"{key}._target_") if "_target_" in node else None
    fields = {name: build(value, f"{key}.{name}", find) for name, value in node.items() if name != "_target_"}
    return fields if made_by is None else _call(made_by, fields, key)


def _call(made_by: Callable[..., T], fields: dict, key: str) -> T:
    from gmdwgf.config.fields import check_fields

    try:
        parameters = inspect.signature(made_by).parameters
    except (TypeError, ValueError) as error:
        fix = "must be the import path of a class or function that takes these fields"
        raise ConfigError(f"{key}._target_", made_by, fix) from error
    for name in fields:
        if name not in parameters:
            raise ConfigError(f"{key}.{name}", fields[name], unknown_name(name, list(parameters)))
    for name, parameter in parameters.items():
        if name not in fields and parameter.default is inspect.Parameter.empty:
            raise ConfigError(f"{key}.{name}", inspect.Parameter.empty, "is missing; give it a value")
    with errors_under(key):
        check_fields(made_by, fields)
        return made_by(**fields)


@contextlib.contextmanager
def errors_under(key: str) -> Iterator[None]:
    """Raise a FieldError of the block as a ConfigError of the full key: of `key`, unless the error names another section."""
    from gmdwgf.config.fields import FieldError

    try:
        yield
    except FieldError as error:
        section = key if error.section is None else error.section
        raise ConfigError(f"{section}.{error.name}".removeprefix("."), error.value, error.fix) from error


def unknown_name(name: str, known: list[str]) -> str:
    """Error message for an unknown name, with the closest known name."""
    close = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean {close[0]}? " if close else ""
    return f"unknown; {guess}Known: {', '.join(known)}"


def load_node(group: str, name: str, changes: Config) -> DictConfig:
    """Load the YAML file `name` of a group (or any YAML file) with the files in its defaults, and apply `changes`."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else config_dir() / group / f"{name}.yaml"
    if not path.is_file():
        raise ConfigError(group, name, unknown_name(name, options(group)))
    node: Any = OmegaConf.load(path)
    bases = [base for base in node.pop("defaults", []) if isinstance(base, str) and base != "_self_"]
    node = OmegaConf.merge(*(load_node(group, base, {}) for base in bases), node)
    for field, value in changes.items():
        old = f"{group}.{field}={value}"
        field, value = current_field(group, field, value)
        if old != f"{group}.{field}={value}":
            warnings.warn(notice(old, f"{group}.{field}={value}"), FutureWarning, stacklevel=3)
        if field not in node:
            raise ConfigError(f"{group}.{field}", value, unknown_name(field, [str(k) for k in node if k != "_target_"]))
        OmegaConf.update(node, field, value.item() if isinstance(value, np.generic) else value, merge=False)
    return node
