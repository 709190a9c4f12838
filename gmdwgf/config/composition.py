"""Compose the config of a run from the files in `configs/` without Hydra, which takes half a second."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gmdwgf.config.build import config_dir, load_node

_GLOBAL = "# @package _global_"


def compose(choices: Mapping[str, str]) -> DictConfig:
    """Compose `configs/train.yaml` with the given choices of groups, by name or YAML file, as Hydra does.

    Explicit choices override those that another choice implies (`generator=particles` implies its optimiser).
    """
    cfg: Any = OmegaConf.load(config_dir() / "train.yaml")
    names = {
        group: name for entry in cfg.pop("defaults") if isinstance(entry, DictConfig) for group, name in entry.items()
    }
    names = {str(group): name for group, name in names.items() if not str(group).startswith("override ")}
    del cfg["hydra"]
    for group, name in choices.items():
        names |= _companions(group, name)
    names |= choices
    everywhere = []
    for group, name in names.items():
        if name is not None and _is_global(group, name):
            everywhere.append(load_node(group, name, {}))
        elif name is not None:
            cfg[group] = load_node(group, name, {})
    for node in everywhere:
        cfg = OmegaConf.merge(cfg, node)
    return cfg


def _file(group: str, name: str) -> Path:
    return Path(name) if name.endswith((".yaml", ".yml")) else config_dir() / group / f"{name}.yaml"


def _is_global(group: str, name: str) -> bool:
    path = _file(group, name)
    return path.is_file() and path.read_text().startswith(_GLOBAL)


def _companions(group: str, name: str) -> dict[str, str]:
    """Choices of other groups implied by a file with `# @package _global_`, from its defaults `override /group: name`."""
    if not _is_global(group, name):
        return {}
    node: Any = OmegaConf.load(_file(group, name))
    entries = [entry for entry in node.get("defaults", []) if isinstance(entry, DictConfig)]
    return {str(key).removeprefix("override /"): value for entry in entries for key, value in entry.items()}
