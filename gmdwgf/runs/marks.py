"""Recognise run folders of gmdwgf, since other programs also write files named manifest.json, config.yaml or run.lock."""

import json
import re
from collections.abc import Collection
from importlib import metadata
from pathlib import Path
from typing import Any

from gmdwgf.mappings import Facts

FILES = ("manifest.json", "run.lock", "DONE.json", "DIVERGED.json", "FAILED.json")
"""Files of which a run folder has at least one."""

_ID = re.compile(r"[0-9a-f]{8}")
_LIMIT = 1 << 24
"""Maximum size of a manifest in bytes; larger files are not read (ours)."""


def marks(run: str) -> Facts:
    """Entries of the manifest by which a run is recognised."""
    return {"id": run, "gmdwgf": metadata.version("gmdwgf")}


def marked_id(folder: Path) -> str | None:
    """Id in the manifest of a run folder; None if the manifest cannot be read or is not gmdwgf's."""
    path = folder / "manifest.json"
    try:
        found = json.loads(path.read_bytes()) if path.is_file() and path.stat().st_size < _LIMIT else None
    except (OSError, ValueError, RecursionError):
        return None
    run, version = (found.get("id"), found.get("gmdwgf")) if isinstance(found, dict) else (None, None)
    return run if is_id(run) and isinstance(version, str) and version else None


def is_id(value: Any) -> bool:
    """Whether a value has the form of a run id."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def id_in_name(name: str) -> str | None:
    """Id at the end of the name of a run folder; None for other names."""
    head, _, last = name.rpartition("-")
    return last if head and is_id(last) else None


def is_run(folder: Path, files: Collection[str]) -> bool:
    """Whether a folder with these files is a run of gmdwgf, including damaged and renamed ones.

    Without a manifest of gmdwgf, a folder is recognised by a name that ends in an id together with a lock or an ending, or by a
    config with the sections of a run.
    """
    begun = [name for name in FILES if name in files]
    if not begun:
        return False
    if marked_id(folder) is not None:
        return True
    named = id_in_name(folder.name) is not None and begun != ["manifest.json"]
    return named or ("config.yaml" in files and _has_parts(folder / "config.yaml"))


def _has_parts(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(1 << 20) if path.is_file() else b""
    except OSError:
        return False
    return all(re.search(rf"^{part}:".encode(), head, re.MULTILINE) for part in ("dataset", "drift", "training"))
