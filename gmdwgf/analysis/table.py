"""Load the runs of a folder as one table."""

from pathlib import Path
from typing import Any

from gmdwgf.runs.table import as_table


def load_runs(folder: str | Path, *, all_keys: bool = False) -> Any:
    """Load all runs in a folder, at any depth, as one table with a row for each run and evaluation step.

        table = gmdwgf.load_runs("runs")
        table[table.step == table.step.max()].groupby("drift").mmd2.mean()

    Columns: `id`, `name`, `state` (`done`, `diverged`, `failed`, `unfinished`, `live`), `dataset`, `drift`, the config keys that
    differ between runs (with `all_keys` every key that affects results), `seed`, `step`, the metrics, the floor of MMD^2 (the score
    of fresh data) and versions. Returns a pandas DataFrame if pandas is installed, otherwise a list of dicts. Runs without records
    have no rows. Raises ConfigError for a folder without runs. `python -m gmdwgf.runs collect` writes the same table.
    """
    from gmdwgf.analysis.collect import run_rows
    from gmdwgf.runs.records import read_all

    return as_table(run_rows(read_all(Path(folder).expanduser()), all_keys))
