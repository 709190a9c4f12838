"""LaTeX table of the final results of a sweep: a row for each drift and setting, a column for each metric."""

import inspect
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from gmdwgf.analysis.cells import Cell, caption, cells, varied
from gmdwgf.config.build import ConfigError, unknown_name
from gmdwgf.files import write_atomically
from gmdwgf.metrics.table import METRICS, Metric
from gmdwgf.reading import one_line
from gmdwgf.runs.records import STATES, RunFiles

BY_COMMAND = "% Written by `python -m gmdwgf.runs collect"
"""How the file of a table begins; another file is not overwritten."""

COMMENT = r"""% Needs \usepackage{booktabs}.
% Values: mean over the seeds that ended, +- half of the 95 % interval of the mean by Student's t (none for one seed). Counts: mean,
%   with the least and the greatest value in brackets.
% Bold: the best mean of its target, where its interval overlaps that of no other row and none of its seeds diverged or failed. A row
%   of one seed has no interval: it is never bold, and no row beside it is. Nor are counts. A setting that is chosen by this table
%   should be scored on fresh seeds: the best of many rows is so partly by chance.
% Seeds: how many ended, and what became of the others, which are in no mean.
% Data against data: mean and, in brackets, standard deviation of the same metric for fresh data in place of samples."""
"""How to read the table, at its head."""

_SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "²": "$^2$",
    **{c: f"${c}$" for c in "<>|"},
    **{c: f"{{{c}}}" for c in "[*"},  # after the end of a row these would be an argument of it
}


class Value(NamedTuple):
    """Mean of a metric over seeds and the bounds of its interval, NaN if there are none."""

    mean: float
    low: float = math.nan
    high: float = math.nan


class Row(NamedTuple):
    """A line of the table: runs that differ in the seed only, and their values by metric."""

    cell: Cell
    values: dict[str, Value]

    def count(self, *states: str) -> int:
        """Number of runs in one of the states."""
        return sum(run.state in states for run in self.cell.runs)


def escape(text: str) -> str:
    """Text of unknown origin as LaTeX that prints it; characters that pdfLaTeX may not have lose their accents or become `?`."""
    return "".join(map(_escaped, one_line(text)))


def _escaped(c: str) -> str:
    if c not in _SPECIAL and not (c.isascii() or ("À" <= c <= "ÿ" and c not in "ÐðÞþ")):
        base = unicodedata.normalize("NFKD", c)[0]
        c = base if base.isascii() and base.isprintable() else "?"
    return _SPECIAL.get(c, c)


def value_of(numbers: Sequence[float], is_count: bool = False) -> Value:
    """Mean of the numbers, one for each seed, with its 95 % interval by Student's t; for counts the least and the greatest."""
    n = len(numbers)
    if n < 2:
        return Value(numbers[0] if n else math.nan)
    mean = float(np.mean(numbers))
    if is_count:
        return Value(mean, min(numbers), max(numbers))
    half = float(stdtrit(n - 1, 0.975) * np.std(numbers, ddof=1) / math.sqrt(n))
    return Value(mean, mean - half, mean + half)


def best_of(rows: Sequence[Row], name: str) -> Row | None:
    """Row with the best mean of a metric, if its interval overlaps that of no other row and none of its seeds is lost."""
    metric = metric_of(name)
    if metric.better == "neither" or metric.unit == "count":
        return None
    sign = -1 if metric.better == "higher" else 1
    rivals = sorted(
        (row for row in rows if math.isfinite(row.values[name].mean)), key=lambda r: sign * r.values[name].mean
    )
    if len(rivals) < 2 or rivals[0].count("diverged", "failed"):
        return None
    best, *others = (sorted((sign * row.values[name].low, sign * row.values[name].high)) for row in rivals)
    return rivals[0] if all(best[1] < other[0] for other in others) else None  # false for NaN


def metric_of(name: str) -> Metric:
    """Description of a metric; one that is not known has no direction."""
    return METRICS.get(name, Metric(name, "", "neither", ""))


def choose_metrics(runs: Sequence[RunFiles], asked: str | None) -> list[str]:
    """Columns of the table: those asked for, separated by commas, or all known metrics of finished runs that are scores."""
    known = list(dict.fromkeys(name for run in runs if run.state == "done" for name in run.ending if _has(run, name)))
    if asked is None:
        found = [name for name in METRICS if name in known and METRICS[name].better != "neither"]
        if not found:
            raise ConfigError("--latex", inspect.Parameter.empty, "needs at least one finished run with a metric")
        return found
    names = [name.strip() for name in asked.split(",")]
    for name in names:
        if name not in known:
            raise ConfigError("--metrics", name, unknown_name(name, known))
    return names


def _has(run: RunFiles, name: str) -> bool:
    value = run.ending.get(name)
    return isinstance(value, int | float) and not isinstance(value, bool)


def table(runs: Sequence[RunFiles], metrics: Sequence[str], folder: str) -> str:
    """The table as LaTeX, with comments that say how to read it; `folder` is the folder of the runs."""
    rows = [_row(cell, metrics) for cell in cells(runs, varied(runs))]
    datasets = list(dict.fromkeys(row.cell.dataset for row in rows))
    has_settings = any(row.cell.settings for row in rows)
    scales = {name: scale_of([row.values[name].mean for row in rows]) for name in metrics}
    first = ["drift", "setting", "seeds"] if has_settings else ["drift", "seeds"]
    lines = [_line([*first, *(_heading(name, scales[name]) for name in metrics)])]
    for dataset in datasets:
        lines.append(r"    \midrule")
        if len(datasets) > 1:
            lines.append(rf"    \multicolumn{{{len(first) + len(metrics)}}}{{l}}{{\textit{{{escape(dataset)}}}}} \\")
        lines += _block([row for row in rows if row.cell.dataset == dataset], scales, has_settings)
    about = f"Final results on {', '.join(map(escape, datasets))}: mean over seeds"
    label = re.sub("[^a-zA-Z0-9]+", "-", Path(folder).name).strip("-") or "runs"
    head = [
        f"{BY_COMMAND} {one_line(folder)} --latex`.",
        COMMENT,
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{about}, with 95\,\% intervals by Student's $t$.}}",
        rf"  \label{{tab:{label}}}",
        rf"  \begin{{tabular}}{{{'l' * (len(first) - 1)}c{'r' * len(metrics)}}}",
        r"    \toprule",
    ]
    return "\n".join([*head, *lines, r"    \bottomrule", r"  \end{tabular}", r"\end{table}", ""])


def _block(rows: Sequence[Row], scales: Mapping[str, int], has_settings: bool) -> Iterator[str]:
    """Lines of one target: its rows, and the floor."""
    best = {name: best_of(rows, name) for name in scales}
    for row in rows:
        setting = [escape(caption(row.cell.settings))] if has_settings else []
        shown = [number(row.values[name], scale, name, row is best[name]) for name, scale in scales.items()]
        yield _line([escape(row.cell.drift), *setting, seeds(row), *shown])
    yield r"    \addlinespace"
    runs = [run for row in rows for run in row.cell.runs]
    floors = [_floor(runs, name, scale) for name, scale in scales.items()]
    yield _line(["data against data", *[""] * (1 + has_settings), *floors])


def _row(cell: Cell, metrics: Sequence[str]) -> Row:
    done = [run for run in cell.runs if run.state == "done"]
    numbers = {name: [float(run.ending[name]) if _has(run, name) else math.nan for run in done] for name in metrics}
    return Row(cell, {name: value_of(numbers[name], metric_of(name).unit == "count") for name in metrics})


def _line(columns: Sequence[str]) -> str:
    return "    " + " & ".join(columns) + r" \\"


def _heading(name: str, scale: int) -> str:
    metric = metric_of(name)
    unit = rf" [$10^{{{scale}}}$]" if scale else ""
    arrow = {"lower": r" $\downarrow$", "higher": r" $\uparrow$", "neither": ""}[metric.better]
    return escape(metric.label) + unit + arrow


def scale_of(means: Sequence[float]) -> int:
    """Power of ten in which a column is given: 0, unless the median of its values is below 0.01 or above 1,000."""
    sizes = [abs(mean) for mean in means if math.isfinite(mean) and mean]
    exponent = math.floor(math.log10(np.median(sizes))) if sizes else 0
    return 0 if -2 <= exponent < 3 else min(max(exponent, -300), 300)


def number(value: Value, scale: int, name: str, is_best: bool) -> str:
    """A value in a column of the power of ten `scale`: two digits of the half interval, or three of a mean that has none."""
    if not math.isfinite(value.mean):
        return "--"
    mean, half = value.mean / 10.0**scale, (value.high - value.mean) / 10.0**scale
    if metric_of(name).unit == "count":
        return f"${mean:.3g}$" + (f" ({value.low:g}--{value.high:g})" if value.low < value.high else "")
    digits = _decimals(half, 2) if half > 0 else _decimals(mean, 3)
    shown = f"{mean:.{digits}f}"
    shown = rf"\mathbf{{{shown}}}" if is_best else shown
    return rf"${shown} \pm {half:.{digits}f}$" if math.isfinite(half) else f"${shown}$"


def _decimals(size: float, digits: int) -> int:
    """Decimals that show so many significant digits of a number."""
    return min(max(digits - 1 - math.floor(math.log10(abs(size))), 0), 8) if size else 0


def seeds(row: Row) -> str:
    """Number of seeds that ended, and what became of the others: `3 of 5 (2 diverged)`."""
    total, lost = len(row.cell.runs), [state for state in STATES if state != "done" and row.count(state)]
    told = ", ".join(f"{row.count(state)} {state}" for state in lost)
    return f"{row.count('done')} of {total} ({told})" if lost else str(total)


def _floor(runs: Sequence[RunFiles], name: str, scale: int) -> str:
    """Mean and standard deviation of a metric for fresh data, over the runs that have recorded them."""
    found = [(mean, sd) for mean, sd in (run.floor(name) for run in runs) if math.isfinite(mean + sd)]
    if not found:
        return "--"
    mean, sd = np.mean([mean for mean, _ in found]), math.sqrt(np.mean([sd**2 for _, sd in found]))
    digits = _decimals(sd / 10.0**scale, 2) if sd else _decimals(float(mean) / 10.0**scale, 3)
    return f"${mean / 10.0**scale:.{digits}f}$ (${sd / 10.0**scale:.{digits}f}$)"


def write(runs: Sequence[RunFiles], path: Path, asked: str | None, folder: Path) -> None:
    """Write the table to a file that does not exist or holds such a table. Raises ConfigError for any other file."""
    if path.suffix != ".tex":
        raise ConfigError("--latex", path, "must end in .tex, so that no other file is overwritten")
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(BY_COMMAND):
        raise ConfigError("--latex", path, "is not a table of this command and is not overwritten; choose another name")
    write_atomically(path, table(runs, choose_metrics(runs, asked), str(folder)))
