"""The identity of a run: a hash of what decides its numbers."""

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from gmdwgf.config.build import ConfigError
from gmdwgf.config.moved import as_first_spelled, current_path, updated
from gmdwgf.data import data_files
from gmdwgf.mappings import Config

MACHINE_KEYS = ("paths", "tracking", "devices", "sweep", "extend")
"""Top-level keys that say where, how and from which checkpoint a run is carried out, not what it computes."""

MACHINE_TRAINING_KEYS = ("chunk_size", "checkpoint_every")
"""Training keys on which no number depends: results do not change with chunks and checkpoints."""


def science(config: Config) -> Config:
    """The part of a resolved config that decides the numbers of a run."""
    kept = {name: value for name, value in config.items() if name not in MACHINE_KEYS and not name.startswith("_")}
    if isinstance(kept.get("training"), dict):
        kept["training"] = {k: v for k, v in kept["training"].items() if k not in MACHINE_TRAINING_KEYS}
    return kept


def run_id(config: Config) -> str:
    """Eight hex digits: the same for configs that mean the same (1 and 1.0, a data file that only moved)."""
    text = json.dumps(_canonical(as_first_spelled(science(config))), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def data_id(config: Config) -> str:
    """Eight hex digits of the contents of the files that a config names; empty where it names none."""
    named = sorted(data_files.named_in(science(config)).items())
    ids = [data_files.contents_id(files) for _, files in named]
    return (ids[0] if len(ids) == 1 else hashlib.sha256("\n".join(ids).encode()).hexdigest())[:8] if ids else ""


def data_paths(config: Config) -> dict[str, list[str]]:
    """Absolute paths of the files behind `data_id`, by the keys that name them."""
    return {key: [str(file) for file in files] for key, files in data_files.named_in(science(config)).items()}


def drift_file_id(config: Config) -> str:
    """Eight hex digits of the file that the class of the drift is written in; nothing is imported. Empty if not found."""
    *module, _ = str(current_path(config["drift"].get("_target_", ""))).split(".")
    for folder in [Path(__file__).resolve().parents[2], *map(Path, sys.path)]:
        file = folder.joinpath(*module).with_suffix(".py")
        if module and file.is_file():
            return data_files.contents_id([file])[:8]
    return ""


def run_name(config: Config, choices: dict[str, str]) -> str:
    """Folder name of a run: readable dataset and drift, then the id."""
    return f"{choices.get('dataset', 'custom')}-{choices.get('drift', 'custom')}-{run_id(config)}"


def check_choices(choices: dict[str, Any]) -> None:
    """Raise ConfigError for a choice that is no name of a config: the folder of a run is named by two of them."""
    for group, name in choices.items():
        if group.startswith("hydra/") or not isinstance(name, str):
            continue
        if name.endswith((".yaml", ".yml")):
            raise ConfigError(group, name, f"is chosen by its name: {group}={name.rpartition('.')[0]}")
        words = name.split("/")
        if any(not word or word.startswith(".") or re.search(r"[\x00-\x1f\\]", word) for word in words):
            own = f"put a YAML of your own into OWN/{group}/NAME.yaml and give --config-dir=OWN {group}=NAME"
            raise ConfigError(group, repr(name)[1:-1], f"is not the name of a config; {own}")


def differences(kept: Config, asked: Config) -> dict[str, tuple[Any, Any]]:
    """Keys of the science of two configs with another value, and both; None where one has none. Files count by `data_id`."""
    one, other = (_flat(science(updated(config))) for config in (kept, asked))
    return {
        key: (one.get(key), other.get(key))
        for key in dict.fromkeys([*other, *one])
        if not data_files.is_path_key(key) and _canonical(one.get(key)) != _canonical(other.get(key))
    }


def _flat(node: Any, key: str = "") -> Config:
    if not isinstance(node, dict) or not node:
        return {key: node}
    parts = [_flat(value, f"{key}.{name}" if key else str(name)) for name, value in node.items()]
    return {name: value for part in parts for name, value in part.items()}


def _canonical(value: Any, name: str = "", made_by: Any = None) -> Any:
    if isinstance(value, dict):
        made_by = value.get("_target_", made_by)
        return {str(key): _canonical(item, str(key), made_by) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item, name, made_by) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(float(value))
    if data_files.names_a_file(name, value):
        return data_files.contents_id(data_files.read_with(data_files.resolved(value), made_by))
    return value
