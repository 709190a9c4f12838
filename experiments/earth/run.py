"""Train five drifts on the cities of the Earth, and write how far their points are from held-out cities."""

from typing import Any

import jax
import numpy as np

import gmdwgf
from experiments.common.cores import on_all_cores
from experiments.common.record import Experiment, Number, median_of_seeds, table
from experiments.earth.figures import globes
from experiments.earth.scores import Judge, judge
from gmdwgf.metrics.floors import Floor, in_deviations

SETTINGS: dict[str, dict[str, Any]] = {
    "sinkhorn": {"epsilon": 0.005},
    "kl": {"bandwidth": 0.1},
    "mmd": {},
    "deng": {"temperature": 0.05},
    "wflow": {"epsilon": 0.01},
}
"""Changed fields of each drift: lengths are a sixth to a third of the defaults, as coasts are finer than planar modes."""
NUMBERS: dict[str, Any] = {"n_codes": 256}
"""Changed numbers of every run."""
TRIALS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    **{f"{drift}, the defaults": (drift, {}, {}) for drift in ("sinkhorn", "deng")},
    "sinkhorn, epsilon 0.005": ("sinkhorn", {"epsilon": 0.005}, {}),
    "sinkhorn, epsilon 0.005, 256 codes, in R^3": ("sinkhorn", {"epsilon": 0.005}, NUMBERS | {"manifold": "euclidean"}),
}
"""A drift with changed fields, and changed arguments of `gmdwgf.fit`."""
N_SAMPLES = 2_000


def train(drift: str, seed: int) -> dict[str, Any]:
    """Scores of one run, and its points."""
    return run_of(drift, SETTINGS[drift], NUMBERS, seed)


def trial(name: str, seed: int) -> dict[str, Any]:
    """The scores of a trial, without points."""
    found = run_of(*TRIALS[name], seed)
    return {key: value for key, value in found.items() if key != "x"}


def run_of(drift: str, fields: dict[str, Any], numbers: dict[str, Any], seed: int) -> dict[str, Any]:
    field = gmdwgf.load_drift(drift, **fields)
    result = gmdwgf.fit("cities", field, seed=seed, progress=False, **numbers)
    x = np.asarray(result.sample(jax.random.key(seed), N_SAMPLES), float)
    last, lengths = result.records[-1], np.linalg.norm(x, axis=1)
    found = judge().score(x / lengths[:, None])._asdict() | {"off_sphere": float(np.abs(lengths - 1).max())}
    return found | {"gap": last["gap"], "seconds": last["seconds"], "x": np.round(x, 4).tolist()}


def floors() -> dict[str, list[float]]:
    """Floors of the scores, as mean and standard deviation."""
    return {name: list(floor) for name, floor in judge().floors(N_SAMPLES).items()}


def seeds_of(experiment: Experiment) -> range:
    """Seeds, which were not used in the trials."""
    return range(10, 11 if experiment.quick else 15)


def work(**cell: Any) -> None:
    Experiment(__file__, __doc__).cell(trial if "name" in cell else train, **cell)


def numbers_of(found: dict[str, list[dict[str, Any]]], floor: dict[str, Floor]) -> dict[str, Number]:
    """Medians over seeds with the least and the largest as bounds, and floors with their mean and two deviations."""
    numbers = {f"floor: {name}": Number(f.mean, f.mean - 2 * f.sd, f.mean + 2 * f.sd) for name, f in floor.items()}
    for name, runs in found.items():
        for key in runs[0].keys() - {"x"}:
            words = "/time/" if key == "seconds" else key
            numbers[f"{name}: {words}"] = median_of_seeds([run[key] for run in runs])
        for key in ("geodesic", "chord"):
            numbers[f"{name}: {key} in sd"] = median_of_seeds([in_deviations(run[key], floor[key]) for run in runs])
    return numbers


HEAD = [
    "",
    "geodesic energy distance, sd above floor",
    "chord, sd",
    "km to the nearest city",
    "lost",
    "gap",
    "seconds on one core",
]
KEYS = ("geodesic in sd", "chord in sd", "nearest_km", "lost", "gap", "/time/")


def page(numbers: dict[str, Number], floor: dict[str, Floor]) -> list[str]:
    """The tables of the page."""
    row = lambda name: [name, *(f"{numbers[f'{name}: {key}'].value:.3g}" for key in KEYS)]
    data = ["held-out cities", "0 ± 1", "0 ± 1", f"{floor['nearest_km'].mean:.3g}", f"{floor['lost'].mean:.2g}", "", ""]
    lines = ["Median of the seeds (one, 10, in the quick preset):", "", *table(HEAD, [data, *map(row, SETTINGS)])]
    return [*lines, "", "What was tried, one seed (0):", "", *table(HEAD, [row(name) for name in TRIALS])]


def main() -> None:
    experiment = Experiment(__file__, __doc__)
    cells = [{"drift": drift, "seed": seed} for seed in seeds_of(experiment) for drift in SETTINGS]
    on_all_cores(work, [*cells, *({"name": name, "seed": 0} for name in TRIALS)])
    floor = {name: Floor(*pair) for name, pair in experiment.cell(floors).items()}
    found = {
        drift: [experiment.cell(train, drift=drift, seed=seed) for seed in seeds_of(experiment)] for drift in SETTINGS
    }
    of_trials = {name: [experiment.cell(trial, name=name, seed=0)] for name in TRIALS}
    numbers = numbers_of(found | of_trials, floor)
    by_drift = {drift: np.asarray(runs[0]["x"]) for drift, runs in found.items()}
    data: Judge = judge()
    behind = np.asarray(data.target.training_rows())
    experiment.figure("globes", globes({"held-out cities": data.held[:N_SAMPLES]} | by_drift, behind))
    experiment.write(numbers, page(numbers, floor))


if __name__ == "__main__":
    main()
