"""Train five drifts on eight sets of real data at defaults, beside two baselines, and write the table."""

from typing import Any

from experiments.common.cores import on_all_cores
from experiments.common.record import Experiment, Number, median_of_seeds, table
from experiments.real_data.datasets import SETS
from experiments.real_data.figures import dots
from experiments.real_data.trials import baseline, train

DRIFTS = ("sinkhorn", "mmd", "deng", "kl", "sliced_wasserstein")
BASELINES = ("Gaussian", "k-means")
MEASURES = ("energy", "gap", "spread", "told apart", "/time/")
"""What is kept of a run; `/time/` is seconds, which `experiments.check` does not compare."""
CLOSE = 3.0
"""Deviations of the floor within which a run counts as close to the data. Ours."""


def results(experiment: Experiment, name: str, kind: str) -> list[dict[str, Any]]:
    """Scores of a drift or a baseline for each seed; computed once and kept."""
    seeds = list(range(3 if experiment.quick else 8))
    if kind in BASELINES:
        return experiment.cell(baseline, name=name, kind=kind, seeds=seeds)
    return experiment.cell(train, name=name, drift=kind, seeds=seeds)


def work(name: str, kind: str) -> None:
    results(Experiment(__file__, __doc__), name, kind)


def compute_all() -> None:
    """Compute all cells; the dearest sets come first, so that no process waits for the last one."""
    on_all_cores(work, [{"name": name, "kind": kind} for name in reversed(SETS) for kind in (*DRIFTS, *BASELINES)])


def numbers_of(found: dict[tuple[str, str], list[dict[str, Any]]]) -> dict[str, Number]:
    """Median over seeds of every measure, with the least and the largest as bounds."""
    numbers = {}
    for (name, kind), seeds in found.items():
        for measure in MEASURES:
            values = [seed["seconds" if measure == "/time/" else measure] for seed in seeds]
            numbers[f"{name}, {kind}: {measure}"] = median_of_seeds(values)
    return numbers


def verdicts(numbers: dict[str, Number], found: dict[tuple[str, str], list[dict[str, Any]]]) -> dict[str, Number]:
    """Counts that the text of the page refers to."""
    close = {name: sum(numbers[f"{name}, {drift}: energy"].value <= CLOSE for drift in DRIFTS) for name in SETS}
    unsaid = [key for key, seeds in found.items() for s in seeds if s["spread"] < 0.1 and not s["warnings"]]
    slowest = max(seed["seconds"] for seeds in found.values() for seed in seeds)
    count = lambda value: Number(float(value), float(value), float(value))
    return {
        "sets with at least 4 of 5 drifts close": count(sum(n >= 4 for n in close.values())),
        "pairs of set and drift that are close": count(sum(close.values())),
        "collapsed without a warning": count(len(unsaid)),
        "/time/ of the slowest run": Number(slowest, 0.0, 120.0),
    }


def page(
    numbers: dict[str, Number], counts: dict[str, Number], found: dict[tuple[str, str], list[dict[str, Any]]]
) -> list[str]:
    """The tables of the page."""
    lines = [f"{int(value.value)} {name}." for name, value in counts.items() if "/time/" not in name]
    lines += [f"The slowest run took {counts['/time/ of the slowest run'].value:.0f} s, with compilation."]
    kinds = (*DRIFTS, *BASELINES)
    for measure, words, form in (
        ("energy", "Energy distance above its floor, in standard deviations of the floor", ".1f"),
        ("gap", "Gap", ".1f"),
        ("told apart", "Accuracy with which 5 nearest neighbours tell samples from held-out rows", ".2f"),
        ("spread", "Spread of the samples over that of the held-out rows", ".2f"),
        ("/time/", "Seconds of a run on one core, with compilation in the first of the seeds", ".0f"),
    ):
        rows = [[name, *(format(numbers[f"{name}, {kind}: {measure}"].value, form) for kind in kinds)] for name in SETS]
        lines += ["", f"{words} (median of seeds):", "", *table(["set", *kinds], rows)]
    said = {(name, kind): line for (name, kind), seeds in found.items() for s in seeds for line in s["warnings"]}
    told = [f"- {name}, {kind}: {line}" for (name, kind), line in said.items() if "repeated rows" not in line]
    return [*lines, "", "Warnings of the runs, other than that rows repeat in a batch:", "", *(told or ["none."])]


def main() -> None:
    experiment = Experiment(__file__, __doc__)
    compute_all()
    found = {(name, kind): results(experiment, name, kind) for name in SETS for kind in (*DRIFTS, *BASELINES)}
    numbers = numbers_of(found)
    counts = verdicts(numbers, found)
    experiment.figure("energy", dots(numbers, list(SETS), DRIFTS, BASELINES, CLOSE))
    experiment.write(numbers | counts, page(numbers, counts, found))


if __name__ == "__main__":
    main()
