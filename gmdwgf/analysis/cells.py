"""Which numbers of a sweep were varied, and the cells they make: runs alike in all but their seed."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from gmdwgf.mappings import Config
from gmdwgf.runs.identity import science
from gmdwgf.runs.records import RunFiles, flatten

CellSettings = tuple[tuple[str, Any], ...]
"""Varied keys and their values in one cell."""


class Cell(NamedTuple):
    """Runs of one dataset, drift and setting, by seed."""

    dataset: str
    drift: str
    settings: CellSettings
    runs: list[RunFiles]


def varied(runs: Sequence[RunFiles]) -> list[str]:
    """The config keys that differ between runs and decide numbers, but for the seed.

    A field of a drift counts where runs of that drift differ in it, so that what only one drift has is no setting; so
    for every other part of the config (`optimizer`: the name of the class stands for the part that was exchanged).
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
    """The keys of a run's config that decide its numbers, flat."""
    return flatten(science(run.config))


def setting(run: RunFiles, key: str) -> Any:
    """The value of a varied key in a run; None where it has none."""
    return run.flat[key] if key in run.flat else _choice(run, key) if f"{key}._target_" in run.flat else None


def settings_of(run: RunFiles, keys: Iterable[str]) -> CellSettings:
    """The varied keys a run has, with its values."""
    return tuple((key, value) for key in keys if (value := setting(run, key)) is not None)


def short(key: str, keys: Iterable[str]) -> str:
    """The last word of a key, or as many as tell it from the others."""
    words = key.split(".")
    for n in range(1, len(words)):
        tail = ".".join(words[-n:])
        if all(other == key or not f".{other}".endswith(f".{tail}") for other in keys):
            return tail
    return key


def caption(settings: CellSettings) -> str:
    """What a person reads over a panel: `bandwidth=0.3`."""
    keys = [key for key, _ in settings]
    return ", ".join(f"{short(key, keys)}={show(value)}" for key, value in settings) or "as configured"


def show(value: Any) -> str:
    """A value of a config as one would type it."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)


def cells(runs: Sequence[RunFiles], keys: Sequence[str]) -> list[Cell]:
    """The cells of a sweep, sorted by dataset, drift and settings; these are the keys varied within a drift."""
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for run in runs:
        for key in keys:
            seen[run.drift, key].add(_same(setting(run, key)))
    found: dict[tuple, Cell] = {}
    for run in runs:
        settings = settings_of(run, [key for key in keys if len(seen[run.drift, key]) > 1])
        # The contents of a data file may change under its path.
        name = (run.dataset, run.drift, _same(settings), run.manifest.get("data"))
        found.setdefault(name, Cell(run.dataset, run.drift, settings, [])).runs.append(run)
    for cell in found.values():
        cell.runs.sort(key=lambda run: _rank(run.seed))
    return sorted(found.values(), key=lambda cell: (cell.dataset, cell.drift, *rank(cell.settings)))


def rank(settings: CellSettings) -> list[tuple]:
    """By what settings are sorted: numbers by size, before words."""
    return [(key, *_rank(value)) for key, value in settings]


def _rank(value: Any) -> tuple:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0, float(value) if not math.isnan(value) else math.inf, ""
    return 1, 0.0, show(value)


def _choice(run: RunFiles, part: str) -> str:
    if part in ("dataset", "drift"):
        return getattr(run, part)
    return str(run.flat.get(f"{part}._target_", "")).rpartition(".")[2]


def _same(value: Any) -> str:
    """Text that is equal for values that mean the same: 1 and 1.0."""
    if isinstance(value, list | tuple):
        return "[" + ",".join(_same(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_same(value[key])}" for key in sorted(value)) + "}"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return repr(float(value)) if number else json.dumps(value, default=str)
