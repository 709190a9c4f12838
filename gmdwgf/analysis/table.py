"""The runs of a folder as one table."""

from pathlib import Path
from typing import Any

from gmdwgf.runs.table import as_table


def load_runs(folder: str | Path, *, all_keys: bool = False) -> Any:
    """All runs in a folder, at any depth, as one table: a row a run and evaluation step.

        table = gmdwgf.load_runs("runs")
        table[table.step == table.step.max()].groupby("drift").mmd2.mean()

    Columns: `id`, `name`, `state` (`done`, `diverged`, `failed`, `unfinished`, `live`), `dataset`, `drift`, the config keys that
    differ between the runs (with `all_keys` every key that decides numbers), `seed`, `step`, the metrics, the floor of MMD^2 (what
    fresh data score) and the versions. A pandas DataFrame where pandas is installed, otherwise a list of dicts. Runs without a
    record have no row. Raises ConfigError for a folder without runs. It is what `python -m gmdwgf.runs collect` writes.
    """
    from gmdwgf.analysis.collect import run_rows
    from gmdwgf.runs.records import read_all

    return as_table(run_rows(read_all(Path(folder).expanduser()), all_keys))
