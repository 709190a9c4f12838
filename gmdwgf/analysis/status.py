"""Table of the states of runs, for the terminal."""

import math
import sys
from collections import Counter
from collections.abc import Sequence

from gmdwgf.analysis import cells as sweeps
from gmdwgf.config.build import ConfigError
from gmdwgf.mappings import Record
from gmdwgf.reading import one_line
from gmdwgf.runs.records import STATES, RunFiles

_COLOURS = {"done": 32, "diverged": 35, "failed": 31, "unfinished": 33, "live": 36}
"""ANSI codes of the states."""

_NUMBERS = ("step", "gap", "MMD^2", "floor", "time")


def chosen(runs: Sequence[RunFiles], words: Sequence[str]) -> list[RunFiles]:
    """Select runs by `words`: states, ids or folder names; all if empty. Raises ConfigError for an unknown word."""
    names = {run.id for run in runs} | {run.name for run in runs}
    for word in words:
        if word not in STATES and word not in names:
            raise ConfigError("WHICH", word, f"is no state ({', '.join(STATES)}) and no run in this folder")
    return [run for run in runs if not words or {run.state, run.id, run.name} & set(words)]


def status_lines(runs: Sequence[RunFiles], keys: Sequence[str], coloured: bool) -> list[str]:
    """A heading, and one line for each run: what distinguishes it, its state, its step and why it stopped."""
    names = ["run", "dataset", "drift", *(sweeps.short(key, keys) for key in keys), "seed", "state"]
    table = [[*names, *_NUMBERS, "why"]]
    table += [_row(run, keys) for cell in sweeps.cells(runs, keys) for run in cell.runs]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    state = names.index("state")
    lines = []
    for row in table:
        cells = [
            text.rjust(width) if heading in _NUMBERS else text.ljust(width)
            for heading, text, width in zip(table[0], row, widths, strict=True)
        ]
        if coloured and row[state] in _COLOURS:
            cells[state] = f"\x1b[{_COLOURS[row[state]]}m{cells[state]}\x1b[0m"
        lines.append("  ".join(cells).rstrip())
    return lines


def _row(run: RunFiles, keys: Sequence[str]) -> list[str]:
    last, (mean, sd) = run.last, run.floor()
    values = ["" if (value := sweeps.setting(run, key)) is None else sweeps.show(value) for key in keys]
    seed = "" if run.seed is None else str(run.seed)
    step = f"{last['step']}/{run.n_steps}" if "step" in last else ""
    numbers = [step, _gap(last), number(last.get("mmd2")), number(mean + 2 * sd), _time(run)]
    return [one_line(cell) for cell in (run.id, run.dataset, run.drift, *values, seed, run.state, *numbers, run.why)]


def count_states(runs: Sequence[RunFiles]) -> str:
    """Count runs by state: `40 runs: 36 done, 4 diverged`."""
    found = Counter(run.state for run in runs)
    return f"{len(runs)} run{'s' * (len(runs) != 1)}: " + ", ".join(f"{found[s]} {s}" for s in STATES if found[s])


def print_status(runs: Sequence[RunFiles], words: Sequence[str]) -> None:
    """Print the table of the runs selected by `words`, and their counts."""
    shown = chosen(runs, words)
    lines = status_lines(shown, sweeps.varied(runs), sys.stdout.isatty()) if shown else []
    if shown:
        lines.append(
            "gap: worst of energy distance, MMD^2 and sliced W2 above fresh data, in sd of their floors (fresh data: about 1); "
            "floor: MMD^2 of fresh data, mean + 2 sd"
        )
    lines += [f"{run.id}: warning: {line}" for run in shown for line in run.warnings]
    print("\n".join([*lines, count_states(shown)]))  # noqa: T201


def number(value: float | None) -> str:
    """Format a metric; empty if unknown."""
    return "" if value is None or math.isnan(value) else f"{value:.2e}"


def _gap(last: Record) -> str:
    value = last.get("gap")
    return f"{value:.1f}" if isinstance(value, int | float) and math.isfinite(value) else ""


def _time(run: RunFiles) -> str:
    seconds = run.last.get("seconds")
    if seconds is None:
        return ""
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
