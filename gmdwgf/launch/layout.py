"""Check the keys and sections of a config before anything is built from it."""

import functools
import re
from inspect import Parameter
from typing import Any

from omegaconf import OmegaConf

from gmdwgf.config.build import ConfigError, config_dir, unknown_name
from gmdwgf.mappings import Config, Facts

PIECES = ("dataset", "drift", "generator", "optimizer", "training", "metrics", "tracking", "devices")

OPTIONAL = ("condition", "features", "manifold")
"""Optional sections of a config."""


@functools.cache
def machine_sections() -> dict[str, Facts]:
    """Sections of `configs/train.yaml` from which no component is built, with their defaults."""
    whole: Any = OmegaConf.load(config_dir() / "train.yaml")
    return {name: dict(whole.get(name)) for name in ("paths", "sweep")}


def check_sections(config: Config) -> None:
    """Raise ConfigError for a missing or invalid section, as far as needed for the name and folder of a run."""
    for name in machine_sections():
        _check_section(name, config.get(name))
    for name in PIECES:
        if not isinstance(config.get(name), dict):
            raise ConfigError(
                name, config.get(name, "null"), f"is required: give {name}=NAME, or its fields as {name}.FIELD"
            )
    for name in OPTIONAL:
        if not isinstance(config.get(name), dict | None):
            raise ConfigError(name, config[name], f"must be a mapping; omit it, or give {name}=NAME")


def check_keys(config: Config) -> None:
    """Raise ConfigError for an unknown key (e.g. `+sed=3`, which would otherwise be ignored) and for an invalid seed."""
    known = ["seed", "extend", *machine_sections(), *PIECES, *OPTIONAL]
    for name, value in config.items():
        if name not in known and not str(name).startswith("_"):
            raise ConfigError(name, value, f"{unknown_name(str(name), known)} (names that begin with _ are ignored)")
    seed_of(config)


def _check_section(name: str, section: object) -> None:
    """Check that `paths` and `sweep` have the keys of `configs/train.yaml` and valid values."""
    defaults = machine_sections()[name]
    if not isinstance(section, dict):
        fields = ", ".join(f"{name}.{field}" for field in defaults)
        raise ConfigError(name, "null" if section is None else section, f"must be a mapping; give its fields: {fields}")
    for field, value in section.items():
        if field not in defaults:
            raise ConfigError(f"{name}.{field}", value, unknown_name(str(field), list(defaults)))
    for field, default in defaults.items():
        if field not in section:
            raise ConfigError(f"{name}.{field}", Parameter.empty, f"is missing; leave it at {_typed(default)}")
        if isinstance(default, bool) and not isinstance(section[field], bool):
            raise ConfigError(f"{name}.{field}", section[field], "must be true or false")
    if name == "paths":
        check_root(section["root"])


def check_root(root: object) -> None:
    """Raise ConfigError for an invalid root folder of runs."""
    if not isinstance(root, str) or not root.strip() or "\0" in root:
        fix = f"must be a folder, e.g. paths.root={f'./{root}' if isinstance(root, int) else 'runs'}"
        raise ConfigError("paths.root", "null" if root is None else root, fix)


def _typed(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def seed_of(config: Config) -> int:
    """The seed. Raises ConfigError if it is invalid."""
    value = config.get("seed")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**32:
        raise ConfigError("seed", "null" if value is None else value, "must be an integer from 0 to 2^32 - 1")
    return value


_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")


def check_name(name: object) -> None:
    """Raise ConfigError for a sweep name that is not a single, portable path component."""
    if name is None or (_NAME.fullmatch(str(name)) and name not in (".", "..")):
        return
    raise ConfigError("sweep.name", name, "must be 1 to 128 letters, digits, '.', '_' or '-', and not . or ..")
