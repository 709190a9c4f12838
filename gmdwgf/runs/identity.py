"""Identity of a run: a hash of all settings that affect its results."""

import hashlib
import json
import re
import sys
from pathlib import Path

from gmdwgf.config.build import ConfigError
from gmdwgf.config.moved import as_first_spelled, current_path, updated, without_later
from gmdwgf.data import data_files
from gmdwgf.mappings import Config

MACHINE_KEYS = ("paths", "tracking", "devices", "sweep", "extend")
"""Top-level keys that do not affect results: where and how a run is executed, and from which checkpoint."""

MACHINE_TRAINING_KEYS = ("chunk_size", "checkpoint_every")
"""Training keys that do not affect results: intervals of chunks and checkpoints."""


def science(config: Config) -> Config:
    """Part of a resolved config that affects the results of a run."""
    kept = {name: value for name, value in config.items() if name not in MACHINE_KEYS and not name.startswith("_")}
    if isinstance(kept.get("training"), dict):
        kept["training"] = {k: v for k, v in kept["training"].items() if k not in MACHINE_TRAINING_KEYS}
    return kept


def run_id(config: Config) -> str:
    """Hash of eight hex digits, equal for equivalent configs (1 and 1.0, a data file that was moved)."""
    text = json.dumps(_canonical(as_first_spelled(science(config))), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def data_id(config: Config) -> str:
    """Hash of the contents of the data files that a config names, eight hex digits; empty if there are none."""
    named = sorted(data_files.named_in(science(config)).items())
    ids = [data_files.contents_id(files) for _, files in named]
    return (ids[0] if len(ids) == 1 else hashlib.sha256("\n".join(ids).encode()).hexdigest())[:8] if ids else ""


def data_paths(config: Config) -> dict[str, list[str]]:
    """Absolute paths of the data files that a config names, by key."""
    return {key: [str(file) for file in files] for key, files in data_files.named_in(science(config)).items()}


def drift_file_id(config: Config) -> str:
    """Hash of the source file of the drift's class, eight hex digits, without importing it; empty if not found."""
    *module, _ = str(current_path(config["drift"].get("_target_", ""))).split(".")
    for folder in [Path(__file__).resolve().parents[2], *map(Path, sys.path)]:
        file = folder.joinpath(*module).with_suffix(".py")
        if module and file.is_file():
            return data_files.contents_id([file])[:8]
    return ""


def run_name(config: Config, choices: dict[str, str]) -> str:
    """Folder name of a run: names of dataset and drift, and the id."""
    return f"{choices.get('dataset', 'custom')}-{choices.get('drift', 'custom')}-{run_id(config)}"


def check_choices(choices: Config) -> None:
    """Raise ConfigError for a choice that is not a config name, since the name of a run folder contains two of them."""
    for group, name in choices.items():
        if group.startswith("hydra/") or not isinstance(name, str):
            continue
        if name.endswith((".yaml", ".yml")):
            raise ConfigError(
                group, name, f"is chosen by its name without the extension: {group}={name.rpartition('.')[0]}"
            )
        words = name.split("/")
        if any(not word or word.startswith(".") or re.search(r"[\x00-\x1f\\]", word) for word in words):
            own = f"for your own YAML file OWN/{group}/NAME.yaml give --config-dir=OWN {group}=NAME"
            raise ConfigError(group, repr(name)[1:-1], f"is not the name of a config; {own}")


def differences(kept: Config, asked: Config) -> dict[str, tuple[object, object]]:
    """Result-affecting keys with different values in two configs, and both values (None if missing). Files compare by `data_id`."""
    one, other = (_flat(science(without_later(updated(config)))) for config in (kept, asked))
    return {
        key: (one.get(key), other.get(key))
        for key in dict.fromkeys([*other, *one])
        if not data_files.is_path_key(key) and _canonical(one.get(key)) != _canonical(other.get(key))
    }


def same_value(one: object, other: object) -> bool:
    """Whether two values of a key are the same in the id of a run."""
    return _canonical(one) == _canonical(other)


def _flat(node: object, key: str = "") -> Config:
    if not isinstance(node, dict) or not node:
        return {key: node}
    parts = [_flat(value, f"{key}.{name}" if key else str(name)) for name, value in node.items()]
    return {name: value for part in parts for name, value in part.items()}


def _canonical(value: object, name: str = "", made_by: object = None) -> object:
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
