"""The layout of a config: which keys and sections a run has, before anything is built of them."""

import functools
import re
from inspect import Parameter
from typing import Any

from omegaconf import OmegaConf

from gmdwgf.config.build import ConfigError, config_dir, unknown_name
from gmdwgf.mappings import Config, Facts

PIECES = ("dataset", "drift", "generator", "optimizer", "training", "metrics", "tracking", "devices")

OPTIONAL = ("condition", "features")
"""Pieces that a config may do without."""


@functools.cache
def machine_sections() -> dict[str, Facts]:
    """Sections of `configs/train.yaml` itself, which nothing is built of, with their defaults."""
    whole: Any = OmegaConf.load(config_dir() / "train.yaml")
    return {name: dict(whole.get(name)) for name in ("paths", "sweep")}


def check_sections(config: Config) -> None:
    """Raise ConfigError for a section that is missing or is none: what a job needs to have a name and a folder."""
    for name in machine_sections():
        _check_section(name, config.get(name))
    for name in PIECES:
        if not isinstance(config.get(name), dict):
            raise ConfigError(
                name, config.get(name, "null"), f"a run has one: give {name}=NAME, or its fields as {name}.FIELD"
            )
    for name in OPTIONAL:
        if not isinstance(config.get(name), dict | None):
            raise ConfigError(name, config[name], f"must be a mapping; leave it out, or give {name}=NAME")


def check_keys(config: Config) -> None:
    """Raise ConfigError for a key that nothing reads (`+sed=3` would otherwise be a run of seed 0), and for a bad seed."""
    known = ["seed", "extend", *machine_sections(), *PIECES, *OPTIONAL]
    for name, value in config.items():
        if name not in known and not str(name).startswith("_"):
            raise ConfigError(
                name, value, f"{unknown_name(str(name), known)} (a name that begins with _ is left alone)"
            )
    seed_of(config)


def _check_section(name: str, section: Any) -> None:
    """Hold `paths` and `sweep` to the keys that they have in `configs/train.yaml`, and to values that can be used."""
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


def check_root(root: Any) -> None:
    """Raise ConfigError for what cannot be the folder of all runs."""
    if not isinstance(root, str) or not root.strip() or "\0" in root:
        fix = f"must be a folder, e.g. paths.root={f'./{root}' if isinstance(root, int) else 'runs'}"
        raise ConfigError("paths.root", "null" if root is None else root, fix)


def _typed(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def seed_of(config: Config) -> int:
    """The seed; ConfigError where it cannot be one."""
    value = config.get("seed")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**32:
        raise ConfigError("seed", "null" if value is None else value, "must be a whole number from 0 to 2^32 - 1")
    return value


_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")


def check_name(name: Any) -> None:
    """Raise ConfigError for a name of a sweep that cannot be the name of a folder, and of nothing but a folder."""
    if name is None or (_NAME.fullmatch(str(name)) and name not in (".", "..")):
        return
    raise ConfigError("sweep.name", name, "must be 1 to 128 letters, digits, '.', '_' or '-', and not . or ..")
