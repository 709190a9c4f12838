"""Environment variables in a config (`${oc.env:NAME}`): used by a run, but hidden in its files and messages.

Saved configs (config.yaml, wandb's config) contain the text of the interpolation in place of every string that comes from the
environment: directly, inside a string, or through another key. Numbers, true, false and null are saved as values:
`${oc.decode:${oc.env:SEED}}` requests a number, without which the run could not be reproduced.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from inspect import Parameter
from typing import Any, NamedTuple

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from omegaconf.resolvers import oc

from gmdwgf.config.build import ConfigError
from gmdwgf.mappings import Config
from gmdwgf.runs.identity import science

_SHORT = 4
"""Shorter values are hidden only next to their key, because they occur in too many other words (ours)."""


class Hidden(NamedTuple):
    """Values that came from the environment, and their replacements."""

    by_key: dict[str, tuple[str, str]] = {}
    """Value and text of each interpolation, by config key."""
    by_name: dict[str, str] = {}
    """Values by variable name."""

    def __call__(self, text: str) -> str:
        """Replace the values in `text`, except those of `paths`, which are part of the folder in every message."""
        keys = {key: pair for key, pair in self.by_key.items() if not key.startswith("paths.")}
        for key, (value, shown) in keys.items():
            text = text.replace(f"{key}={value}", f"{key}={shown}")
        used = " ".join(shown for _, shown in keys.values())
        pairs = [pair for pair in keys.values() if pair[0] != pair[1]]
        pairs += [(value, f"${{oc.env:{name}}}") for name, value in self.by_name.items() if name in used]
        for value, shown in sorted(pairs, key=lambda pair: -len(pair[0])):
            text = text.replace(value, shown) if len(value) >= _SHORT else text
        return text


class Resolved(NamedTuple):
    """A config with the values of the environment, and its version with hidden values."""

    values: Config
    shown: Config
    hidden: Hidden

    def yaml(self, cfg: DictConfig) -> str:
        """The version with hidden values, as YAML."""
        if not self.hidden.by_key:
            return OmegaConf.to_yaml(cfg, resolve=True)
        return yaml.safe_dump(self.shown, sort_keys=False, allow_unicode=True, default_flow_style=False)


def resolved(cfg: DictConfig) -> Resolved:
    """Resolve a composed config and find the values from the environment. Raises ConfigError if a variable is not set."""
    try:
        with _recorded() as read:
            values: Config = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    except OmegaConfBaseException as error:
        key = str(error.full_key or "config")
        said = re.sub(r"^\w+ raised while resolving interpolation: ", "", str(error).splitlines()[0]).replace('"', "")
        raise ConfigError(key, Parameter.empty, f"{said}; give it a value: {key}=VALUE") from error
    hidden = Hidden({}, {})
    if not read:
        return Resolved(values, values, hidden)
    with _recorded() as read:
        shown = _shown(cfg, OmegaConf.to_container(cfg, resolve=False), "", read, hidden)
    return Resolved(values, shown, hidden)


def _shown(node: DictConfig | ListConfig, raw: Any, prefix: str, read: dict[str, str], hidden: Hidden) -> Any:
    """Resolve `node`, except for values whose resolution reads the environment, which stay as in `raw`."""
    names: list[Any] = list(node.keys()) if isinstance(node, DictConfig) else list(range(len(node)))
    found = dict.fromkeys(names)
    for name in names:
        key, is_reference = f"{prefix}{name}", OmegaConf.is_interpolation(node, name)
        read.clear()
        value = node[name]
        if is_reference:
            value = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            if read and not isinstance(value, int | float | None):
                hidden.by_name.update(read)
                hidden.by_key[key], value = (str(value), raw[name]), raw[name]
        elif OmegaConf.is_config(value):
            value = _shown(value, raw[name], f"{key}.", read, hidden)
        found[name] = value
    return found if isinstance(node, DictConfig) else list(found.values())


@contextlib.contextmanager
def _recorded() -> Iterator[dict[str, str]]:
    """Context that records the environment variables read by interpolations, with their values."""
    read: dict[str, str] = {}

    def env(name: str, *default: str | None) -> str | None:
        read[name] = os.environ.get(name, "")
        return oc.env(name, *default)

    OmegaConf.register_new_resolver("oc.env", env, replace=True)
    try:
        yield read
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def filled(config: Config, trust: bool) -> Config:
    """Resolve environment variables in the saved config of a run, in the sections that affect its results, if it is trusted.

    Raises ConfigError if a value is an interpolation and the folder is not trusted, or if its variable is not set.
    """
    asked = list(_interpolations(science(config), ""))
    for key, text in asked:
        if not trust:
            fix = "refers to an environment variable, which is read only with load_run(folder, trust=True)"
            raise ConfigError(key, text, fix)
        for name in re.findall(r"\$\{oc\.env:\s*([^,}\s]+)\s*\}", text):
            if name not in os.environ:
                raise ConfigError(key, text, f"set the environment variable {name} as it was when the run was made")
    if not asked:
        return config
    try:
        whole = OmegaConf.create(config)
        return {name: _plain(whole, name) for name in science(config)}
    except OmegaConfBaseException as error:
        raise ConfigError("config.yaml", asked[0][1], f"cannot be resolved ({str(error).splitlines()[0]})") from error


def _plain(config: DictConfig, name: str) -> object:
    value = config[name]
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _interpolations(node: object, prefix: str) -> Iterator[tuple[str, str]]:
    """Keys and texts of all interpolations."""
    if isinstance(node, str):
        if "${" in node:
            yield prefix, node
    elif isinstance(node, dict | list):
        for name, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _interpolations(value, f"{prefix}.{name}" if prefix else str(name))
