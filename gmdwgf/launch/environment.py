"""Values of the environment in a config (`${oc.env:NAME}`): a run uses them, and what it leaves behind does not show them.

What is kept of a run (config.yaml, wandb's config) holds the text of the interpolation in place of every text that comes
from the environment: directly, inside a string, or through the value of another key. A number, true, false or null stays:
`${oc.decode:${oc.env:SEED}}` asks for a number, and without it nobody could make the run again.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from inspect import Parameter
from typing import Any, NamedTuple

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from omegaconf.resolvers import oc

from gmdwgf.config.build import ConfigError
from gmdwgf.mappings import Config
from gmdwgf.runs.identity import science

_SHORT = 4
"""Values of fewer characters stand in too many words to be taken out of a message wherever they occur (ours)."""


class Hidden(NamedTuple):
    """What came from the environment, and what is shown in its place."""

    by_key: dict[str, tuple[str, str]] = {}
    """Value and text of the interpolation, by the key of the config."""
    by_name: dict[str, str] = {}
    """Values by the names of their variables."""

    def __call__(self, text: str) -> str:
        """`text` without the values. Those of `paths` stay: they are the folder that every message names."""
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
    """A config with the values of the environment, and as it may be shown."""

    values: Config
    shown: Config
    hidden: Hidden

    def yaml(self, cfg: DictConfig) -> str:
        """What is shown, as YAML."""
        if not self.hidden.by_key:
            return OmegaConf.to_yaml(cfg, resolve=True)
        return yaml.safe_dump(self.shown, sort_keys=False, allow_unicode=True, default_flow_style=False)


def resolved(cfg: DictConfig) -> Resolved:
    """The values of a composed config, and which come from the environment; ConfigError for one that is missing."""
    try:
        values: Config = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    except OmegaConfBaseException as error:
        key = str(error.full_key or "config")
        said = re.sub(r"^\w+ raised while resolving interpolation: ", "", str(error).splitlines()[0]).replace('"', "")
        raise ConfigError(key, Parameter.empty, f"{said}; give it a value: {key}=VALUE") from error
    hidden = Hidden({}, {})
    with _recorded() as read:
        shown = _shown(cfg, OmegaConf.to_container(cfg, resolve=False), "", read, hidden)
    return Resolved(values, shown, hidden)


def _shown(node: Any, raw: Any, prefix: str, read: dict[str, str], hidden: Hidden) -> Any:
    """`node` resolved, but for the values during whose resolution the environment was read; those are `raw`."""
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
    """The variables of the environment that are read meanwhile, with their values."""
    read: dict[str, str] = {}

    def env(name: str, default: str | None = "") -> str | None:
        # What is missing has been refused before, when the values were resolved.
        read[name] = os.environ.get(name, "")
        return oc.env(name, default)

    OmegaConf.register_new_resolver("oc.env", env, replace=True)
    try:
        yield read
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def filled(config: Config, trust: bool) -> Config:
    """What decides the numbers of a run, of the config in its folder: with the values of the environment, for who trusts it.

    Raises ConfigError where a value is an interpolation and the folder is not trusted, or its variable is not set.
    """
    asked = list(_interpolations(science(config), ""))
    for key, text in asked:
        if not trust:
            fix = "stands for a value of the environment, which is read only with load_run(folder, trust=True)"
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


def _plain(config: DictConfig, name: str) -> Any:
    value = config[name]
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _interpolations(node: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """Keys and texts of the values that are interpolations."""
    if isinstance(node, str):
        if "${" in node:
            yield prefix, node
    elif isinstance(node, dict | list):
        for name, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _interpolations(value, f"{prefix}.{name}" if prefix else str(name))
