"""Files that a config names and that decide numbers: where they lie, which others are read with them, and their contents.

The loaders and the identity of a run ask here, so that what is read and what is hashed cannot differ. Nothing here imports
JAX: identity comes before it. What is shipped with the package (`path: null`) counts as code, and a folder by its name.
"""

import functools
import hashlib
import os
from pathlib import Path
from typing import Any

from gmdwgf.reading import parse_json

_ALONE = ("gmdwgf.targets.arrays.ArrayTarget",)
"""Classes that read a `.npy` file and nothing beside it."""


def resolved(path: Any) -> Path:
    """The absolute path of a file that a config names; `~` is the home folder. A link keeps its own name and suffix."""
    try:
        return Path(str(path)).expanduser().absolute()
    except RuntimeError:  # `~somebody` whose home is not known
        return Path(str(path)).absolute()


def notes_beside(file: Path) -> Path | None:
    """The json that says how the rows of a `.npy` file are laid out, if there is one."""
    return _beside(file, f"{file.stem}.json", f"{file.resolve().stem}.json") if file.suffix == ".npy" else None


def labels_beside(notes: Path, name: str) -> Path | None:
    """The file of labels that the json `notes` names, if it is there."""
    return _beside(notes, name, name) if name and Path(name).name == name else None


def read_with(file: Path, made_by: Any = None) -> list[Path]:
    """`file` and the files that are read with it by the class of path `made_by`; of a class that is not known, all of them."""
    notes = None if made_by in _ALONE else notes_beside(file)
    if notes is None:
        return [file]
    try:
        named = parse_json(notes.read_text(encoding="utf-8"))["labels"]
        labels = labels_beside(notes, named) if isinstance(named, str) else None
    except (OSError, ValueError, KeyError, TypeError):  # the loader says what is wrong with it
        labels = None
    return [file, notes, *([labels] if labels else [])]


def named_in(node: Any, key: str = "", made_by: Any = None) -> dict[str, list[Path]]:
    """The files named anywhere in a config node, by their keys, each with those that are read with it."""
    if isinstance(node, dict):
        made_by = node.get("_target_", made_by)
        parts = [named_in(value, f"{key}.{name}" if key else str(name), made_by) for name, value in node.items()]
        return {name: files for part in parts for name, files in part.items()}
    if isinstance(node, list | tuple):
        return {
            name: files for i, item in enumerate(node) for name, files in named_in(item, f"{key}.{i}", made_by).items()
        }
    return {key: read_with(resolved(node), made_by)} if names_a_file(key, node) else {}


def is_path_key(key: str) -> bool:
    """Whether a key is one that names files: `path`, `weights_path`, an item of `paths`."""
    words = [word for word in key.split(".") if not word.isdigit()]
    return bool(words) and words[-1].rpartition("_")[2] in ("path", "paths")


def names_a_file(key: str, value: Any) -> bool:
    """Whether a key names files and its value is one that is there."""
    try:
        return is_path_key(key) and isinstance(value, str) and _can_be_read(resolved(value))
    except (OSError, ValueError):  # a name that is too long or holds a NUL; who loads it says so
        return False


def _can_be_read(file: Path) -> bool:
    return file.is_file() and os.access(file, os.R_OK)


def contents_id(files: list[Path]) -> str:
    """A hash of what is in a file and in those that are read with it, wherever they lie."""
    hashes = [_contents(file) for file in files]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _beside(file: Path, *names: str) -> Path | None:
    """A file beside `file`, or else beside what it is a link to."""
    for place, name in zip((file, file.resolve()), names, strict=True):
        if (found := place.with_name(name)).is_file():
            return found
    return None


def _contents(file: Path) -> str:
    """A hash of a file, which is read again only when it has changed: it may be large, and a sweep asks for every job.

    A file that is exchanged within this process for one of the same size and times of change, to the tick of the file
    system's clock, would pass for the old one. The time of the last change of the inode is among them, which no program can
    set (`cp -p` and `touch -d` do not hide), so this takes a second write within milliseconds of the first hash.
    """
    facts = file.stat()
    return _hashed(file, facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


@functools.lru_cache
def _hashed(file: Path, *_: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
