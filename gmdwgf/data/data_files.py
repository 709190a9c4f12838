"""Data files named in a config: their location, their companion files, and hashes of their contents.

Loaders and the identity of a run both use this module, so that the files read and the files hashed are the same. It does not import
JAX. Data shipped with the package (`path: null`) count as code. A folder of tables counts by their contents, any other by its name.
"""

import functools
import hashlib
import os
from pathlib import Path

from gmdwgf.reading import parse_json

_ALONE = ("gmdwgf.targets.arrays.ArrayTarget",)
"""Classes that read a `.npy` file without companion files."""

SUFFIXES = (".npy", ".npz", ".csv", ".tsv", ".parquet", ".h5ad")
"""Suffixes of files that `dataset=array` reads."""


def resolved(path: object) -> Path:
    """Absolute path of a file in a config, with `~` expanded; links are not resolved."""
    try:
        return Path(str(path)).expanduser().absolute()
    except RuntimeError:  # `~user` of an unknown user
        return Path(str(path)).absolute()


def tables_in(folder: Path) -> list[Path]:
    """Files of a folder of tables in the order of their rows: a data set of Hugging Face `datasets`, its splits, or parquet files."""
    if not folder.is_dir():
        return []
    for pattern in ("*.arrow", "*/*.arrow", "*.parquet"):
        if found := sorted(file for file in folder.glob(pattern) if not file.name.startswith("cache-")):
            return found
    return []


def is_folder_of_tables(path: object) -> bool:
    """Whether a path is a folder of tables."""
    try:
        return bool(tables_in(resolved(path)))
    except (OSError, ValueError):  # a name that is too long or contains NUL
        return False


def is_data(path: str) -> bool:
    """Whether a name is the path of a file or folder that `dataset=array` reads, by its suffix or its contents."""
    return path.endswith(SUFFIXES) or is_folder_of_tables(path)


def notes_beside(file: Path) -> Path | None:
    """The json file that describes the rows of a `.npy` file, if it exists."""
    return _beside(file, f"{file.stem}.json", f"{file.resolve().stem}.json") if file.suffix == ".npy" else None


def labels_beside(notes: Path, name: str) -> Path | None:
    """The file of labels named in the json file `notes`, if it exists."""
    return _beside(notes, name, name) if name and Path(name).name == name else None


def read_with(file: Path, made_by: object = None) -> list[Path]:
    """`file` and its companion files read by the class with path `made_by`; for unknown classes, all companion files."""
    if tables := tables_in(file):
        return tables
    notes = None if made_by in _ALONE else notes_beside(file)
    if notes is None:
        return [file]
    try:
        named = parse_json(notes.read_text(encoding="utf-8"))["labels"]
        labels = labels_beside(notes, named) if isinstance(named, str) else None
    except (OSError, ValueError, KeyError, TypeError):  # reported by the loader
        labels = None
    return [file, notes, *([labels] if labels else [])]


def named_in(node: object, key: str = "", made_by: object = None) -> dict[str, list[Path]]:
    """All files named in a config node, by key, each with its companion files."""
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
    """Whether a key names files: `path`, `weights_path`, an item of `paths`."""
    words = [word for word in key.split(".") if not word.isdigit()]
    return bool(words) and words[-1].rpartition("_")[2] in ("path", "paths")


def names_a_file(key: str, value: object) -> bool:
    """Whether a key names files and its value is an existing file, or a folder of tables."""
    try:
        return is_path_key(key) and isinstance(value, str) and _can_be_read(resolved(value))
    except (OSError, ValueError):  # a name that is too long or contains NUL; reported by the loader
        return False


def _can_be_read(file: Path) -> bool:
    return (file.is_file() and os.access(file, os.R_OK)) or bool(tables_in(file))


def contents_id(files: list[Path]) -> str:
    """Hash of the contents of a file and its companion files, independent of their location."""
    hashes = [_contents(file) for file in files]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _beside(file: Path, *names: str) -> Path | None:
    """A file in the folder of `file`, or in the folder of its link target."""
    for place, name in zip((file, file.resolve()), names, strict=True):
        if (found := place.with_name(name)).is_file():
            return found
    return None


def _contents(file: Path) -> str:
    """Hash of a file, cached until the file changes, since files can be large and a sweep hashes them for every job.

    A change is detected by size and modification times, including that of the inode, which programs cannot set (`cp -p` and
    `touch -d` are detected). Only a second write of equal size within milliseconds of the first hash is missed.
    """
    facts = file.stat()
    return _hashed(file, facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


@functools.lru_cache
def _hashed(file: Path, *_: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
