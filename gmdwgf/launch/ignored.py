"""Refuse numbers that the other options of a run ignore, since they would make a second run with the same results.

A field declares the options with which it is ignored (`ignored_when` in `gmdwgf.config.fields`). It must then have the value of
the YAML file that was chosen, or of the other files that have its class. Only new runs are checked.
"""

import functools
from collections.abc import Iterator, Mapping

from omegaconf import DictConfig, OmegaConf

from gmdwgf.config.build import ConfigError, any_object, config_dir, load_node, options
from gmdwgf.config.declared import ignored_in
from gmdwgf.config.moved import current_path
from gmdwgf.mappings import Config
from gmdwgf.runs.identity import same_value, science
from gmdwgf.targets.base import AbstractTarget


def check_ignored(config: Config, choices: Mapping[str, object], target: AbstractTarget) -> None:
    """Raise ConfigError for an ignored field that does not have the value of the YAML files; `choices` name these by group."""
    for group, section in science(config).items():
        for key, node in _nodes(section, group):
            for name, why in ignored_in(any_object(current_path(node["_target_"]), f"{key}._target_"), node).items():
                readers = f", read with {why.by}={' or '.join(map(str, why.readers))}" if why.readers else ""
                reason = f"is ignored with {why.by}={why.value}{readers}"
                _check(f"{key}.{name}", node, name, reason, config, choices)
    plan = config["training"]
    if target.reader() is None and isinstance(plan, dict) and "refresh_every" in plan:
        reason = "is ignored as all rows are in memory, read with a file larger than dataset.max_resident"
        _check("training.refresh_every", plan, "refresh_every", reason, config, choices)


def _check(key: str, node: Config, name: str, reason: str, config: Config, choices: Mapping[str, object]) -> None:
    shipped = _shipped(key.partition(".")[0], str(node["_target_"]), name, config, choices)
    if shipped and not any(same_value(node[name], value) for value in shipped):
        raise ConfigError(key, node[name], f"{reason}; leave it at {shipped[0]}")


def _shipped(group: str, target: str, name: str, config: Config, choices: Mapping[str, object]) -> list[object]:
    """Values of the field `name` of a class in the YAML file chosen in a group, or else in all of the group."""
    class_name = target.rpartition(".")[2]
    for files in ([choices.get(group)], options(group)):
        values: list[object] = []
        for file in files:
            path = config_dir() / group / f"{file}.yaml"
            if path.is_file() and (class_name in (text := path.read_text()) or "defaults:" in text):
                values += _values(group, str(file), target, name, config)
        if values:
            return values
    return []


def _values(group: str, file: str, target: str, name: str, config: Config) -> list[object]:
    """Values with the dataset of the run, on which defaults depend, and without: those of an object from `load_drift`."""
    context = {section: config.get(section) for section in ("dataset", "features")}
    return [value for given in (context, {}) for value in _values_with(given, group, file, target, name)]


def _values_with(context: Config, group: str, file: str, target: str, name: str) -> list[object]:
    cfg = OmegaConf.create(context | {group: _read(group, file)})  # a copy
    nodes = _nodes(OmegaConf.to_container(cfg[group], resolve=False), group)
    found = [OmegaConf.select(cfg, f"{_brackets(key)}.{name}") for key, node in nodes if node["_target_"] == target]
    return [OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value for value in found]


@functools.cache
def _read(group: str, file: str) -> DictConfig:
    """A file of `configs/`, read once for all jobs of a sweep."""
    return load_node(group, file, {})


def _brackets(key: str) -> str:
    """The key as OmegaConf writes it, with indices of lists in brackets."""
    return "".join(f"[{word}]" if word.isdigit() else f".{word}" for word in key.split(".")).removeprefix(".")


def _nodes(node: object, key: str) -> Iterator[tuple[str, Config]]:
    """Keys and nodes of all components under `node`."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield key, node
        for name, value in node.items():
            yield from _nodes(value, f"{key}.{name}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _nodes(value, f"{key}.{index}")
