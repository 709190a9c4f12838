"""Rows of the figures of a sweep: the settings of a drift, apart for options that have settings of their own."""

from collections.abc import Sequence

from gmdwgf.analysis.cells import CellSettings, short, show
from gmdwgf.reports.findings import Score


def rows_of(scores: Sequence[Score]) -> dict[str, list[Score]]:
    """Cells of one target by row: a drift, or a drift and its option, as `mmd, gaussian` and `mmd, riesz`.

    An option is a setting in words (a kernel, a self term) that has several cells: these differ in further settings.
    """
    found: dict[str, list[Score]] = {}
    for drift in dict.fromkeys(s.cell.drift for s in scores):
        here = [s for s in scores if s.cell.drift == drift]
        option = _option(here)
        for s in here:
            name = f"{drift}, {dict(s.cell.settings).get(option)}" if option else drift
            found.setdefault(name, []).append(s)
    return found


def labels_of(scores: Sequence[Score]) -> tuple[str, list[str]]:
    """Names of the settings that differ within a row, and the values of each cell, as labels of an axis."""
    settings = [dict(s.cell.settings) for s in scores]
    keys = [key for key in dict.fromkeys(key for found in settings for key in found) if _varies(key, settings)]
    values = [", ".join(show(found[key]) for key in keys if key in found) for found in settings]
    return ", ".join(short(key, keys) for key in keys), values if keys else ["as configured"] * len(scores)


def _option(scores: Sequence[Score]) -> str | None:
    """The first setting in words that has several cells for one of its values; None if there is none."""
    settings: list[CellSettings] = [s.cell.settings for s in scores]
    for key in dict.fromkeys(key for found in settings for key, _ in found):
        values = [value for found in settings for name, value in found if name == key]
        if all(isinstance(value, str) for value in values) and 1 < len(set(values)) < len(values):
            return key
    return None


def _varies(key: str, settings: Sequence[dict[str, object]]) -> bool:
    return len({show(found[key]) if key in found else None for found in settings}) > 1
