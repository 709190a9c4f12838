"""Numbers and sentences about the runs of the sweep, computed from the runs alone."""

import math
from collections.abc import Iterable, Sequence

from experiments.common.record import Number, count_of_seeds, mean_of_seeds, table
from experiments.compare.choice import Held, held_out
from gmdwgf.analysis.cells import cells, varied
from gmdwgf.metrics.table import headline
from gmdwgf.reports.figures import floor_of
from gmdwgf.reports.findings import NEAR, Score, number_of, score
from gmdwgf.reports.rows import labels_of, rows_of
from gmdwgf.runs.records import RunFiles

Found = dict[tuple[str, str], list[Score]]
"""Settings by dataset and row (a drift, or a drift and its kernel)."""

MEASURES = ("mmd2", "gap")


def settings_of(runs: Sequence[RunFiles]) -> Found:
    """The settings of every dataset and row."""
    scores = [score(cell) for cell in cells(runs, varied(runs))]
    found: Found = {}
    for dataset in sorted({s.cell.dataset for s in scores}):
        for row, here in rows_of([s for s in scores if s.cell.dataset == dataset]).items():
            found[dataset, row] = here
    return found


def numbers_of(runs: Sequence[RunFiles]) -> dict[str, Number]:
    """For every dataset and row, with intervals over the seeds: MMD^2 and gap of settings that other seeds choose, and counts.

    `close` and `diverged` count settings; `every/.../close` and `every/.../diverged` those of all datasets together.
    """
    found, numbers = settings_of(runs), {}
    for (dataset, row), scores in found.items():
        for measure in MEASURES:
            held = chosen_by_others(scores, measure)
            if held and all(map(math.isfinite, held.best)):
                numbers[f"{dataset}/{row}/{measure}"] = mean_of_seeds(held.best)
        numbers |= _counts(f"{dataset}/{row}", scores)
    for row in dict.fromkeys(row for _, row in found):
        numbers |= _counts(f"every/{row}", [s for (_, name), scores in found.items() if name == row for s in scores])
    for dataset in sorted({run.dataset for run in runs}):
        for measure, name in (("mmd2", "floor"), ("gap", "floor of the gap")):
            edge = floor_of(runs, dataset, measure)
            if edge:
                numbers[f"{dataset}/{name}"] = Number(edge[1], edge[1] / 2, edge[1] * 2)
    return numbers


def chosen_by_others(scores: Sequence[Score], measure: str) -> Held | None:
    """The value of every seed in the setting that the other seeds choose; None for fewer than two complete seeds."""
    seeds = _seeds(scores)
    if len(seeds) < 2:
        return None
    value = lambda run: number_of(run.last.get(measure), math.nan) if run.state == "done" else math.nan
    return held_out([[value(_run_of(s, seed)) for seed in seeds] for s in scores], labels_of(scores)[1])


def is_close(run: RunFiles) -> bool:
    """Whether a run ended within `NEAR` times the upper edge of the floor."""
    if run.state != "done":
        return False
    name = headline([run.ending])
    mean, sd = run.floor(name)
    return number_of(run.ending.get(name), math.inf) <= NEAR * (mean + 2 * sd)


def _counts(name: str, scores: Sequence[Score]) -> dict[str, Number]:
    seeds = _seeds(scores)
    if not seeds:
        return {}
    count = lambda holds: count_of_seeds([sum(holds(_run_of(s, seed)) for s in scores) for seed in seeds], len(scores))
    lost = lambda run: run.state == "diverged"
    return {f"{name}/close": count(is_close), f"{name}/diverged": count(lost)}


def _seeds(scores: Sequence[Score]) -> list[object]:
    """Seeds of which every setting has ended."""
    ended = [{run.seed for run in s.cell.runs if run.state in ("done", "diverged")} for s in scores]
    return sorted(set.intersection(*ended)) if ended else []


def _run_of(s: Score, seed: object) -> RunFiles:
    return next(run for run in s.cell.runs if run.seed == seed)


def lines(runs: Sequence[RunFiles], numbers: dict[str, Number]) -> list[str]:
    """The findings in words, and the two tables."""
    found = settings_of(runs)
    datasets, rows = (list(dict.fromkeys(key[i] for key in found)) for i in (0, 1))
    n_seeds = len({run.seed for run in runs})
    n_settings = {row: sum(len(scores) for (_, name), scores in found.items() if name == row) for row in rows}
    ended = [row for row in rows if f"every/{row}/close" in numbers]
    head = (
        f"{len(runs)} runs, {n_seeds} seeds. A run is *close* if its gap is within {NEAR:.0f} times the edge of fresh data, and "
        "diverged by the rule of docs/sweeps.md. Means over the seeds of the settings of all datasets, with 95 % intervals:"
    )
    cell = lambda row, what: (
        f"{(n := numbers[f'every/{row}/{what}']).value:.3g} ({n.low:.2g} to {n.high:.2g}) of {n_settings[row]}"
    )
    counts = [[f"`{row}`", cell(row, "close"), cell(row, "diverged")] for row in ended]
    below = (
        "The setting that all seeds choose by the gap; MMD² and gap, each in the setting that the other seeds choose by it; "
        "and the gap in units of the edge of fresh data:"
    )
    best = [[f"`{row}`", *(_best(numbers, found, dataset, row) for dataset in datasets)] for row in rows]
    words = [f"- {sentence}" for sentence in sentences(numbers, datasets, ended, n_settings)]
    return [
        *[head, "", *table(["drift", "close", "diverged"], counts), ""],
        *[*words, "", below, "", *table(["drift", *datasets], best)],
    ]


def _best(numbers: dict[str, Number], found: Found, dataset: str, row: str) -> str:
    held = chosen_by_others(found.get((dataset, row), []), "gap")
    mmd2, gap = (numbers.get(f"{dataset}/{row}/{measure}") for measure in MEASURES)
    edge = numbers.get(f"{dataset}/floor of the gap")
    if held is None or mmd2 is None or gap is None:
        return "not complete" if held is None else "a chosen run diverged"
    ratio = f" ({gap.value / edge.value:.1f}×)" if edge else ""
    return f"{held.chosen}: {mmd2.value:.2g}, {gap.value:.2g}{ratio}"


def sentences(
    numbers: dict[str, Number], datasets: Sequence[str], rows: Sequence[str], n_settings: dict[str, int]
) -> list[str]:
    """What the numbers say: which drifts are close with most or few of their settings, which reach fresh data, which diverge."""
    close = {row: numbers[f"every/{row}/close"] for row in rows}
    most = [row for row in rows if close[row].low > n_settings[row] / 2]
    few = [row for row in rows if close[row].high < n_settings[row] / 2]
    open_ = [row for row in rows if row not in most + few]
    reached = {row: [d for d in datasets if _within(numbers, d, row)] for row in rows}
    everywhere = [row for row in rows if len(reached[row]) == len(datasets)]
    nowhere = [row for row in rows if not reached[row]]
    lost = {row: numbers[f"every/{row}/diverged"].value for row in rows}
    told = [
        f"Close with more than half of their settings: {_names(most)}; with less than half: {_names(few)}; "
        f"with these seeds undecided: {_names(open_)}.",
        "With the setting that the other seeds choose, the mean gap is within that of fresh data on all "
        f"{len(datasets)} datasets for {_names(everywhere)}, and on none for {_names(nowhere)}.",
    ]
    diverged = [f"`{row}` ({lost[row]:.2g} of {n_settings[row]})" for row in rows if lost[row]]
    return [*told, f"Settings that diverged, mean over the seeds: {', '.join(diverged) if diverged else 'none'}."]


def _within(numbers: dict[str, Number], dataset: str, row: str) -> bool:
    gap, edge = numbers.get(f"{dataset}/{row}/gap"), numbers.get(f"{dataset}/floor of the gap")
    return gap is not None and edge is not None and gap.value <= edge.value


def _names(rows: Iterable[str]) -> str:
    return ", ".join(f"`{row}`" for row in rows) or "none"
