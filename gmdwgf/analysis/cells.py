"""Find the varied settings of a sweep, and group its runs into cells that differ only in the seed."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gmdwgf.mappings import Config
from gmdwgf.runs.identity import science
from gmdwgf.runs.records import RunFiles, flatten

CellSettings = tuple[tuple[str, object], ...]
"""Varied keys and their values in a cell."""


class Cell(NamedTuple):
    """Runs with the same target, drift and settings, by seed."""

    dataset: str
    drift: str
    settings: CellSettings
    runs: list[RunFiles]


def varied(runs: Sequence[RunFiles]) -> list[str]:
    """Config keys that affect results and differ between runs, except the seed.

    A field of a drift counts only if runs with that drift differ in it, and likewise for other components (`optimizer` itself counts
    if its class differs).
    """
    groups: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    sizes: dict[tuple[str, str], int] = defaultdict(int)
    parts: dict[str, set[str]] = defaultdict(set)
    order: dict[str, None] = {}
    for run in runs:
        if not run.config:
            continue
        flat = scientific(run)
        for part in {key.partition(".")[0] for key in flat}:
            sizes[part, _choice(run, part)] += 1
            parts[part].add(_choice(run, part))
        for key, value in flat.items():
            part = key.partition(".")[0]
            order.setdefault(key)
            groups[part, _choice(run, part)][key].add(_same(value))
    found = []
    for key in order:
        part = key.partition(".")[0]
        if key == f"{part}._target_":
            if part not in ("dataset", "drift") and len(parts[part]) > 1:
                found.append(part)
        elif key != "seed" and any(len(seen[key]) > 1 for (owner, _), seen in groups.items() if owner == part):
            found.append(key)
    return sorted(found, key=lambda key: not key.startswith("drift."))


def scientific(run: RunFiles) -> Config:
    """Flat config keys of a run that affect its results."""
    return flatten(science(run.config))


def setting(run: RunFiles, key: str) -> object:
    """Value of a varied key in a run; None if it does not have the key."""
    return run.flat[key] if key in run.flat else _choice(run, key) if f"{key}._target_" in run.flat else None


def settings_of(run: RunFiles, keys: Iterable[str]) -> CellSettings:
    """Varied keys of a run with their values."""
    return tuple((key, value) for key in keys if (value := setting(run, key)) is not None)


def short(key: str, keys: Iterable[str]) -> str:
    """Shortest suffix of a key that is unique among `keys`."""
    words = key.split(".")
    for n in range(1, len(words)):
        tail = ".".join(words[-n:])
        if all(other == key or not f".{other}".endswith(f".{tail}") for other in keys):
            return tail
    return key


def caption(settings: CellSettings) -> str:
    """Caption of a panel, e.g. `bandwidth=0.3`."""
    keys = [key for key, _ in settings]
    return ", ".join(f"{short(key, keys)}={show(value)}" for key, value in settings) or "as configured"


def show(value: object) -> str:
    """Format a config value as on the command line."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)


def cells(runs: Sequence[RunFiles], keys: Sequence[str]) -> list[Cell]:
    """Cells of a sweep, sorted by target, drift and settings (the keys varied within a drift)."""
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for run in runs:
        for key in keys:
            seen[run.drift, key].add(_same(setting(run, key)))
    found: dict[tuple, Cell] = {}
    for run in runs:
        settings = settings_of(run, [key for key in keys if len(seen[run.drift, key]) > 1])
        # The contents of a data file can change while its path stays the same.
        name = (run.dataset, run.drift, _same(settings), run.manifest.get("data"))
        found.setdefault(name, Cell(run.dataset, run.drift, settings, [])).runs.append(run)
    for cell in found.values():
        cell.runs.sort(key=lambda run: _rank(run.seed))
    return sorted(found.values(), key=lambda cell: (cell.dataset, cell.drift, *rank(cell.settings)))


def rank(settings: CellSettings) -> list[tuple]:
    """Sort key of settings: numbers by size, before strings."""
    return [(key, *_rank(value)) for key, value in settings]


def _rank(value: object) -> tuple:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0, float(value) if not math.isnan(value) else math.inf, ""
    return 1, 0.0, show(value)


def _choice(run: RunFiles, part: str) -> str:
    if part in ("dataset", "drift"):
        return getattr(run, part)
    return str(run.flat.get(f"{part}._target_", "")).rpartition(".")[2]


def _same(value: object) -> str:
    """Text that is equal for equivalent values such as 1 and 1.0."""
    if isinstance(value, list | tuple):
        return "[" + ",".join(_same(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_same(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(float(value))
    return json.dumps(value, default=str)
