"""Collect runs in a tidy table: one row for each run and evaluation step, or for each cell and step with seeds averaged."""

import csv
import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gmdwgf.analysis.cells import Cell, cells, scientific, setting, varied
from gmdwgf.mappings import Record
from gmdwgf.runs.records import RunFiles

Row = Record

N_BOOTSTRAP = 1000
"""Number of bootstrap resamples of an interval (ours)."""


_FLOORS = ("mmd2", "energy_distance", "sliced_w2")
"""Metrics whose floors are columns of the table."""


def run_rows(runs: Sequence[RunFiles], all_keys: bool = False) -> list[Row]:
    """One row for each run and evaluation step: identity, config, metrics, floor of MMD^2 and versions.

    Config columns are the keys that differ between runs, or with `all_keys` every key that affects results.
    """
    keys = _all_keys(runs) if all_keys else varied(runs)
    return [row for cell in cells(runs, varied(runs)) for run in cell.runs for row in _rows_of(run, keys)]


def _all_keys(runs: Sequence[RunFiles]) -> list[str]:
    return list(dict.fromkeys(key for run in runs if run.config for key in scientific(run) if key != "seed"))


def _rows_of(run: RunFiles, keys: Sequence[str]) -> Iterator[Row]:
    floor = {
        f"floor_{name}{end}": value for name in _FLOORS for end, value in zip(("", "_sd"), run.floor(name), strict=True)
    }
    head = {"id": run.id, "name": run.name, "state": run.state, "dataset": run.dataset, "drift": run.drift}
    head |= {key: setting(run, key) for key in keys} | {"seed": run.seed}
    code, packages = run.manifest.get("code", {}), run.manifest.get("packages", {})
    tail = floor | {"version_gmdwgf": run.manifest.get("gmdwgf")}
    tail |= {"version_commit": code.get("commit"), "version_changed": code.get("changed")}
    tail |= {"version_jax": packages.get("jax"), "version_python": run.manifest.get("python")}
    for record in run.metrics:
        yield head | record | tail


def seed_rows(runs: Sequence[RunFiles]) -> list[Row]:
    """One row for each cell and step, with the mean over seeds of each metric, `_sd` (n - 1), `_low` and `_high`.

    `_low` and `_high` are the 95 % percentile bootstrap interval of the mean (missing for one seed; too narrow for few seeds).
    `n_seeds` counts the runs with a record at the step, and `n_diverged` those that have diverged, which are excluded from the mean.
    """
    keys = varied(runs)
    return [row for cell in cells(runs, keys) for row in _reduced(cell, keys)]


def _reduced(cell: Cell, keys: Sequence[str]) -> Iterator[Row]:
    by_step: dict[int, list[Row]] = {}
    for run in cell.runs:
        for record in run.metrics:
            if record["step"] < _end(run):
                by_step.setdefault(record["step"], []).append(record)
    head = {"dataset": cell.dataset, "drift": cell.drift} | {key: setting(cell.runs[0], key) for key in keys}
    for step in sorted(by_step):
        records = by_step[step]
        row = head | {"step": step, "n_seeds": len(records), "n_runs": len(cell.runs)}
        row["n_diverged"] = sum(_end(run) <= step for run in cell.runs)
        yield row | summaries(records, [name for name in records[0] if name != "step"])


def _end(run: RunFiles) -> float:
    """Step at which a run diverged; infinite if it did not."""
    return run.ending.get("diverged_step", math.inf)


def summaries(records: Sequence[Row], names: Sequence[str]) -> Row:
    """Mean, sd and bootstrap interval of each named value over the records, one per seed."""
    values = np.array([[record.get(name, math.nan) for name in names] for record in records], float)
    nothing = np.full(len(names), math.nan)
    with np.errstate(invalid="ignore", over="ignore"):
        mean, sd, low, high = values.mean(axis=0), nothing, nothing, nothing
        if len(values) > 1:
            sd = values.std(axis=0, ddof=1)
            low, high = np.quantile(values[_resamples(len(values))].mean(axis=1), [0.025, 0.975], axis=0)
    columns = {"": mean, "_sd": sd, "_low": low, "_high": high}
    return {f"{name}{suffix}": float(array[i]) for i, name in enumerate(names) for suffix, array in columns.items()}


@functools.cache
def _resamples(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(n, size=(N_BOOTSTRAP, n))


def columns_of(rows: Sequence[Row]) -> list[str]:
    """Columns of a table in order of first appearance, versions and floors last."""
    names = dict.fromkeys(name for row in rows for name in row)
    return sorted(names, key=lambda name: name.startswith(("floor_", "version_")))


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Write a CSV file, with `nan` and `inf` for such numbers, and empty fields for missing values."""
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.DictWriter(file, columns_of(rows), restval="")
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(rows: Sequence[Row], path: Path) -> None:
    """Write a parquet file; config columns of mixed types are text."""
    import pyarrow
    from pyarrow import parquet

    columns = {name: _one_kind([row.get(name) for row in rows]) for name in columns_of(rows)}
    parquet.write_table(pyarrow.table(columns), path)


def _one_kind(values: list[object]) -> list[object]:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and len(kinds) == 2:
        return [float(value) if isinstance(value, int | float) else None for value in values]
    if len(kinds) > 1 or kinds & {list, dict}:
        return [None if value is None else str(value) for value in values]
    return values
