"""Read `config.yaml`, `manifest.json` and the endings of a run, with the types of their keys checked.

Values of the wrong type are omitted and reported, so that readers of a run only receive valid values. Unknown keys, of a newer
version or of the user, are passed through.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gmdwgf.config.moved import updated
from gmdwgf.files import DamagedFile
from gmdwgf.mappings import Config, Facts
from gmdwgf.reading import one_line, parse_json, parse_yaml, read_mapping

FIX = "the command of the run resumes from its checkpoints and writes it again"


class Contents(NamedTuple):
    """Valid values of a file, and its problems."""

    values: Config
    troubles: list[DamagedFile]


class Kind(NamedTuple):
    """Type of a value: its description and a predicate."""

    words: str
    holds: Callable[[object], bool]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: object) -> bool:
    return isinstance(value, str)


NUMBER, COUNT, TEXT = Kind("a number", _is_number), Kind("an integer", _is_count), Kind("text", _is_text)
WORD = Kind("a word", lambda value: _is_text(value) and bool(value.strip()))
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
TEXTS = Kind("a list of text", lambda value: isinstance(value, list) and all(map(_is_text, value)))
SCALAR = Kind("a number or text", lambda value: value is None or isinstance(value, bool | int | float | str))
PAIR = Kind("two numbers", lambda value: isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)))

_ANY = "*"
"""Matches every key that is not listed."""

MANIFEST = {
    "id": WORD,
    "command": TEXTS,
    "started": TEXT,
    "gmdwgf": TEXT,
    "code": {"commit": TEXT, "changed": FLAG},
    "packages": {_ANY: TEXT},
    "python": TEXT,
    "machine": {"system": TEXT, "cpus": COUNT},
    "rules": {_ANY: NUMBER},
    "data": TEXT,
    "data_files": {_ANY: TEXTS},
    "drift_file": TEXT,
    "sizes": {"dim": COUNT, "n_classes": COUNT},
    "lost": TEXTS,
    "warnings": TEXTS,
}

ENDING = {
    "id": WORD,
    "status": WORD,
    "step": COUNT,
    "best_step": COUNT,
    "floor": {_ANY: PAIR},
    "compile": {_ANY: NUMBER},
    "diverged_step": COUNT,
    "diverged_term": TEXT,
    "diverged_value": TEXT,
    "error": TEXT,
    "traceback": TEXT,
    **dict.fromkeys(("seconds", "wall_seconds", "best_mmd2", "best_gap", "gap", "v_rms", "loss"), NUMBER),
    _ANY: SCALAR,
}

_GROUP = {"_target_": TEXT}

CONFIG = {
    "seed": COUNT,
    "paths": {},
    "sweep": {"note": Kind("text", lambda value: value is None or _is_text(value))},
    "tracking": {},
    **dict.fromkeys(("dataset", "drift", "generator", "optimizer", "metrics", "devices"), _GROUP),
    "training": {**_GROUP, "n_steps": COUNT},
}


def read_config(folder: Path) -> Contents:
    """Read the resolved config of a run, with deprecated keys renamed."""
    fix = "restore it, or remove the run and repeat its command"
    found = _read(folder / "config.yaml", parse_yaml, CONFIG, fix)
    return found._replace(values=updated(found.values))


def read_manifest(folder: Path) -> Contents:
    """Read the manifest, written when the run began."""
    return _read(folder / "manifest.json", parse_json, MANIFEST, FIX)


def read_ending(folder: Path, name: str) -> Contents:
    """Read an ending, written when the run ended."""
    from gmdwgf.metrics.table import METRICS

    return _read(folder / name, parse_json, dict.fromkeys(METRICS, NUMBER) | ENDING, FIX)


def _read(path: Path, parse: Callable[[str], object], schema: Config, fix: str) -> Contents:
    try:
        found = read_mapping(path, parse, fix)
    except FileNotFoundError:
        return Contents({}, [DamagedFile(path, "is missing", fix)])
    except OSError as error:
        return Contents({}, [DamagedFile(path, f"cannot be read ({error.strerror or error})", fix)])
    except DamagedFile as damage:
        return Contents({}, [damage])
    values, problems = _typed(found, schema, "")
    return Contents(values, [DamagedFile(path, problem, fix) for problem in problems])


def _typed(values: Config, schema: Config, prefix: str) -> tuple[Facts, list[str]]:
    """Values of the right type, and a line for each value of the wrong type."""
    kept, problems = {}, []
    for name, value in values.items():
        key, kind = f"{prefix}{name}", schema.get(name, schema.get(_ANY))
        if isinstance(kind, dict) and isinstance(value, dict):
            kept[name], more = _typed(value, kind, f"{key}.")
            problems += more
        elif kind is None or (isinstance(kind, Kind) and kind.holds(value)):
            kept[name] = value
        else:
            words = kind.words if isinstance(kind, Kind) else "a mapping"
            problems.append(f"has {one_line(key)[:80]}={one_line(repr(value))[:60]}, which is not {words}")
    return kept, problems
