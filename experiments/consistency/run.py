"""Is V = 0 only at p = q? Search small clouds for other places of rest, and ask whether the flow stays there."""

import itertools
from typing import Any

from experiments.common.record import Experiment, Number, count_of_seeds, exact, mean_of_seeds, table
from experiments.consistency.figures import distances, gallery
from experiments.consistency.search import AT_REST, DRIFTS, KINDS, STRANDED, search

MEASURES = {
    "rest": "at rest",
    "far": "at rest, far",
    "far_stable": "at rest, far, stable",
    "flow_stable": "flow: ends stable",
    "flow_far_stable": "flow: stable and far",
    "flow_far": "flow: far",
    "flow_stranded": "flow: stranded",
    "flow_worst": "flow: largest distance",
}
SLOW = {
    "kl_wgf": {"n_each": 2},
    "sinkhorn": {"n_each": 2, "flow_steps": 500},
    "sliced_wasserstein": {"n_each": 2, "n_steps": 20, "flow_steps": 500},
}
"""Sizes of the quick preset for the drifts that cost most."""
SIZES, OF_SIZES = (8, 32, 64), ("kl", "mean_shift", "deng", "sinkhorn_proxy", "mmd, energy")
"""Numbers of particles besides those of the first table, and the drifts that are searched with them."""
STABLE = 1e-6
"""Largest real part of an eigenvalue of dV/dx up to which a cloud counts as stable: rounding, not growth."""


def at_rest(cell: dict[str, Any], seed: int, way: str) -> list[dict[str, Any]]:
    """The clouds of a cell at which the field vanishes and whose particles have kept company."""
    return [
        one
        | {
            "stable": one["rate"] <= STABLE,
            "far": one["distance"] > cell["far"],
            "seed": seed,
            "kind": kind,
            "way": way,
        }
        for one, kind in zip(cell[way], cell["kinds"], strict=True)
        if one["v"] < AT_REST and one["remote"] < STRANDED
    ]


def of_drift(experiment: Experiment, name: str, seeds: range, sizes: dict[str, int], words: str = ""):
    """Shares of a drift over the target clouds, and all clouds at rest that were found; `words` follow the drift's name in them."""
    shares: dict[str, list[float]] = {key: [] for key in MEASURES}
    everything: list[dict[str, Any]] = []
    for seed in seeds:
        cell = experiment.cell(search, drift=name, seed=seed, **sizes)
        n = len(cell["kinds"])
        found, kept = at_rest(cell, seed, "search"), at_rest(cell, seed, "flow")
        shares["rest"].append(len(found) / n)
        shares["far"].append(sum(one["far"] for one in found) / n)
        shares["far_stable"].append(sum(one["far"] and one["stable"] for one in found) / n)
        shares["flow_stranded"].append(sum(one["remote"] >= STRANDED for one in cell["flow"]) / n)
        shares["flow_stable"].append(sum(one["stable"] for one in kept) / n)
        shares["flow_far_stable"].append(sum(one["far"] and one["stable"] for one in kept) / n)
        shares["flow_far"].append(sum(distance > cell["far"] for distance in cell["flow_distance"]) / n)
        shares["flow_worst"].append(max(cell["flow_distance"]))
        everything += found + kept
    n_starts = len(KINDS) * sizes["n_each"]
    worst = {f"{name}{words} flow_worst": mean_of_seeds(shares.pop("flow_worst"))}
    return {f"{name}{words} {key}": share(values, n_starts) for key, values in shares.items()} | worst, everything


def share(values: list[float], n_starts: int) -> Number:
    """The mean share over the target clouds, `n_starts` starts in each.

    Its bounds are the wider ones of two 95 % intervals: Student's over the clouds, which vanishes if all agree, and the binomial
    one of all starts, which takes them for independent.
    """
    mean, low, high = mean_of_seeds(values)
    trials = count_of_seeds(
        [1.0] * round(sum(values) * n_starts) + [0.0] * round((len(values) - sum(values)) * n_starts), 1
    )
    return Number(mean, max(min(low, trials.low), 0.0), min(max(high, trials.high), 1.0))


def by_size(experiment: Experiment, seeds: range) -> tuple[dict[str, Number], list[str]]:
    """The same with fewer and more particles, the target cloud 2.5 times as large."""
    numbers, rows = dict[str, Number](), []
    for name, n in itertools.product(OF_SIZES, SIZES):
        sizes = {"n": n, "m": 5 * n // 2, "n_each": 4, "n_steps": 60, "flow_steps": 2000}
        found, _ = of_drift(experiment, name, seeds, sizes, f", n = {n}")
        numbers |= found
        keys = ("rest", "far", "far_stable", "flow_far_stable", "flow_far")
        rows.append([f"`{name}`", n, *(str(found[f"{name}, n = {n} {key}"]) for key in keys)])
    head = ("drift", "n", "at rest", "at rest, far", "at rest, far, stable", "flow: stable and far", "flow: far")
    return numbers, table(head, rows)


def chosen(clouds: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Of the clouds far from the target a stable one if there is any, the farthest of them."""
    far = [cloud for cloud in clouds if cloud["far"]]
    return max(far, key=lambda cloud: (cloud["stable"], cloud["distance"]), default=None)


def by_kind(found: dict[str, list[dict[str, Any]]], n_each: dict[str, int]):
    """Head and rows: of the starts of each kind, how many searches end at rest and far, and how many of these are stable."""
    rows = []
    for name, clouds in found.items():
        row: list[Any] = [f"`{name}`", n_each[name]]
        for kind in KINDS:
            far = [one for one in clouds if one["kind"] == kind and one["far"] and one["way"] == "search"]
            row.append(f"{len(far)} ({sum(one['stable'] for one in far)})")
        rows.append(row)
    return ("drift", "starts of each", *KINDS), rows


def main() -> None:
    experiment = Experiment(__file__, __doc__)
    quick = {"n": 16, "n_each": 4, "n_steps": 60, "flow_steps": 2000}
    sizes = quick if experiment.quick else {"n": 24, "n_each": 16, "n_steps": 150, "flow_steps": 20_000}
    seeds = range(5 if experiment.quick else 10)
    numbers: dict[str, Number] = {}
    found: dict[str, list[dict[str, Any]]] = {}
    for name in DRIFTS:
        shares, found[name] = of_drift(
            experiment, name, seeds, sizes | (SLOW.get(name, {}) if experiment.quick else {})
        )
        numbers |= shares
    distances_of_far = [experiment.cell(search, drift="kl", seed=seed, **sizes)["far"] for seed in seeds]
    numbers["far"] = mean_of_seeds(distances_of_far)
    for name, clouds in found.items():
        rates = [one["rate"] for one in clouds if one["far"] and one["way"] == "search"]
        numbers |= {f"{name} least rate": exact(min(rates), 0.1)} if rates else {}
    n_of = {name: (sizes | SLOW.get(name, {}) if experiment.quick else sizes)["n_each"] for name in DRIFTS}
    rows = [
        [f"`{name}`", n_of[name] * len(KINDS), *(str(numbers[f"{name} {key}"]) for key in MEASURES)] for name in DRIFTS
    ]
    lines = [
        f"Shares of the starts, and the largest energy distance at the end of the flow: means over {len(seeds)} target "
        f"clouds with 95 % intervals; n = {sizes['n']}; far: energy distance above {numbers['far'].value:.3g}.",
        "",
        *table(("drift", "starts", *MEASURES.values()), rows),
        "",
        "Searches that end at rest and far, by kind of start (in brackets: stable):",
        "",
        *table(*by_kind(found, {name: len(seeds) * n for name, n in n_of.items()})),
    ]
    of_sizes, rows = by_size(experiment, seeds)
    numbers |= of_sizes
    lines += ["", "Shares of 20 starts, by the number of particles n, against 2.5 n targets:", "", *rows]
    experiment.figure("clouds", gallery({name: chosen(clouds) for name, clouds in found.items()}))
    experiment.figure("distances", distances(found, numbers["far"].value))
    experiment.write(numbers, lines)


if __name__ == "__main__":
    main()
