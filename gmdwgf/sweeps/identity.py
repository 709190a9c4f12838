"""The identity of a run: a hash of what decides its numbers."""

import functools
import hashlib
import json
import sys
from pathlib import Path
from typing import Any, TypeGuard

MACHINE_KEYS = ("paths", "tracking", "devices", "sweep", "extend")
"""Top-level keys that say where, how and from which checkpoint a run is carried out, not what it computes."""

MACHINE_TRAINING_KEYS = ("chunk_size", "checkpoint_every")
"""Training keys on which no number depends: results do not change with chunks and checkpoints."""


def science(config: dict[str, Any]) -> dict[str, Any]:
    """The part of a resolved config that decides the numbers of a run."""
    kept = {name: value for name, value in config.items() if name not in MACHINE_KEYS and not name.startswith("_")}
    if isinstance(kept.get("training"), dict):
        kept["training"] = {k: v for k, v in kept["training"].items() if k not in MACHINE_TRAINING_KEYS}
    return kept


def run_id(config: dict[str, Any]) -> str:
    """Eight hex digits: the same for configs that mean the same (1 and 1.0, a data file that only moved)."""
    text = json.dumps(_canonical(science(config)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def data_id(config: dict[str, Any]) -> str:
    """Eight hex digits of the contents of the dataset's file; empty where it has none."""
    path = config["dataset"].get("path")
    return _contents(path)[:8] if _is_file(path) else ""


def drift_file_id(config: dict[str, Any]) -> str:
    """Eight hex digits of the file that the class of the drift is written in; nothing is imported. Empty if not found."""
    *module, _ = str(config["drift"].get("_target_", "")).split(".")
    for folder in [Path(__file__).resolve().parents[2], *map(Path, sys.path)]:
        file = folder.joinpath(*module).with_suffix(".py")
        if module and file.is_file():
            return _contents(str(file))[:8]
    return ""


def run_name(config: dict[str, Any], choices: dict[str, str]) -> str:
    """Folder name of a run: readable dataset and drift, then the id."""
    return f"{choices.get('dataset', 'custom')}-{choices.get('drift', 'custom')}-{run_id(config)}"


def _canonical(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {str(key): _canonical(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(float(value))
    return _contents(value) if name == "path" and _is_file(value) else value


def _is_file(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and Path(value).is_file()


def _contents(path: str) -> str:
    """A hash of a file, which is read again only when it has changed: it may be large, and a sweep asks for every job."""
    facts = Path(path).stat()
    return _hashed(path, facts.st_mtime_ns, facts.st_size, facts.st_ino)


@functools.lru_cache
def _hashed(path: str, *_: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
