"""Is V = 0 only at p = q? Search small clouds for other places of rest, and ask whether the flow stays there."""

import sys
from pathlib import Path
from typing import Any

from figures import distances, gallery
from search import AT_REST, DRIFTS, FAR_AWAY, KINDS, search

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from record import Experiment, Number, exact, mean_of_seeds, table  # noqa: E402

MEASURES = {
    "rest": "at rest",
    "far": "at rest, far",
    "far_stable": "at rest, far, stable",
    "escaped": "escaped",
    "flow_stable": "flow: ends stable",
    "flow_far_stable": "flow: stable and far",
    "flow_far": "flow: far",
}
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
        if one["v"] < AT_REST and one["extent"] < FAR_AWAY
    ]


def of_drift(experiment: Experiment, name: str, seeds: range, sizes: dict[str, int]):
    """Shares of a drift over the target clouds, and all clouds at rest that were found."""
    shares: dict[str, list[float]] = {key: [] for key in MEASURES}
    everything: list[dict[str, Any]] = []
    for seed in seeds:
        cell = experiment.cell(search, drift=name, seed=seed, **sizes)
        n = len(cell["kinds"])
        found, kept = at_rest(cell, seed, "search"), at_rest(cell, seed, "flow")
        shares["rest"].append(len(found) / n)
        shares["far"].append(sum(one["far"] for one in found) / n)
        shares["far_stable"].append(sum(one["far"] and one["stable"] for one in found) / n)
        shares["escaped"].append(sum(one["extent"] >= FAR_AWAY for one in cell["search"]) / n)
        shares["flow_stable"].append(sum(one["stable"] for one in kept) / n)
        shares["flow_far_stable"].append(sum(one["far"] and one["stable"] for one in kept) / n)
        shares["flow_far"].append(sum(distance > cell["far"] for distance in cell["flow_distance"]) / n)
        everything += found + kept
    return {f"{name} {key}": mean_of_seeds(values) for key, values in shares.items()}, everything


def chosen(clouds: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Of the clouds far from the target a stable one if there is any, the farthest of them."""
    far = [cloud for cloud in clouds if cloud["far"]]
    return max(far, key=lambda cloud: (cloud["stable"], cloud["distance"]), default=None)


def by_kind(found: dict[str, list[dict[str, Any]]], n_each: int):
    """Head and rows: of the starts of each kind, how many searches end at rest and far, and how many of these are stable."""
    rows = []
    for name, clouds in found.items():
        row = [f"`{name}`"]
        for kind in KINDS:
            far = [one for one in clouds if one["kind"] == kind and one["far"] and one["way"] == "search"]
            row.append(f"{len(far)} ({sum(one['stable'] for one in far)})")
        rows.append(row)
    return ("drift", *(f"{kind}, of {n_each}" for kind in KINDS)), rows


def main() -> None:
    experiment = Experiment(__file__, __doc__)
    quick = {"n": 16, "n_each": 4, "n_steps": 60, "flow_steps": 2000}
    sizes = quick if experiment.quick else {"n": 24, "n_each": 16, "n_steps": 150, "flow_steps": 20_000}
    seeds = range(3 if experiment.quick else 5)
    numbers: dict[str, Number] = {}
    found: dict[str, list[dict[str, Any]]] = {}
    for name in DRIFTS:
        shares, found[name] = of_drift(experiment, name, seeds, sizes)
        numbers |= shares
    distances_of_far = [experiment.cell(search, drift="kl", seed=seed, **sizes)["far"] for seed in seeds]
    numbers["far"] = mean_of_seeds(distances_of_far)
    for name, clouds in found.items():
        rates = [one["rate"] for one in clouds if one["far"] and one["way"] == "search"]
        numbers |= {f"{name} least rate": exact(min(rates), 0.1)} if rates else {}
    rows = [[f"`{name}`", *(str(numbers[f"{name} {key}"]) for key in MEASURES)] for name in DRIFTS]
    lines = [
        f"Shares of {sizes['n_each'] * len(KINDS)} starts, means over {len(seeds)} target clouds with 95 % intervals; "
        f"n = {sizes['n']}; far: energy distance above {numbers['far'].value:.3g}.",
        "",
        *table(("drift", *MEASURES.values()), rows),
        "",
        "Searches that end at rest and far, by kind of start (in brackets: stable):",
        "",
        *table(*by_kind(found, len(seeds) * sizes["n_each"])),
    ]
    experiment.figure("clouds", gallery({name: chosen(clouds) for name, clouds in found.items()}))
    experiment.figure("distances", distances(found, numbers["far"].value))
    experiment.write(numbers, lines)


if __name__ == "__main__":
    main()
