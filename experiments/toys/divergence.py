"""Where a drift diverges: the optimiser, its rate, and the length of a step, seed by seed."""

from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

import gmdwgf
from experiments.common.record import Experiment, Number
from experiments.common.trial import Sizes, problem_of, run
from gmdwgf.plots.style import PAGE, Figure, styled

DRIFTS: dict[str, tuple[str, dict[str, Any]]] = {
    "kl": ("kl", {}),
    "mean_shift": ("mean_shift", {}),
    "deng": ("deng", {}),
    "sinkhorn_proxy": ("sinkhorn_proxy", {}),
    "sinkhorn": ("sinkhorn", {"epsilon": 0.1, "self_term": "same_batch"}),
    "mmd, energy": ("mmd", {"kernel": "energy"}),
    "mmd, Gaussian": ("mmd", {"kernel": "gaussian", "bandwidth": 0.3}),
    "sliced_wasserstein": ("sliced_wasserstein", {"n_projections": 16, "directions": "independent"}),
    "critic, KL": ("critic", {"width": 64}),
    "critic, χ², unclipped": (
        "critic",
        {"width": 64, "objective": "chi2", "ratio_clip": 1e6, "gradient_penalty": 0.0},
    ),
}
WAYS: dict[str, tuple[str, bool, str, tuple[float, ...]]] = {
    "particles, step η": ("particles", True, "eta", (0.5, 1, 1.9, 2.1, 4, 16, 100)),
    "network, SGD, rate": ("mlp", True, "learning_rate", (0.01, 0.1, 1, 10)),
    "network, Adam, rate": ("mlp", False, "learning_rate", (0.001, 0.01, 0.1, 1)),
}
"""What is trained, whether by plain gradient descent, and the number that grows."""

QUICK, FULL = Sizes(128, 200, 64), Sizes(256, 2000, 256)


def diverged(drift: str, way: str, value: float, seeds: int, n_steps: int, batch: int, width: int) -> list[int]:
    """A cell: the step at which each seed diverged, |x| > 100 or a number that is not finite; -1 where it did not."""
    config, fields = DRIFTS[drift]
    generator, plain, number, _ = WAYS[way]
    told = {"learning_rate": 0.5, "eta": 1.0} | {number: value}
    rate = told.pop("learning_rate")
    sizes = Sizes(batch, n_steps, width)
    target = gmdwgf.load_target("eight_gaussians")
    drift_of = gmdwgf.load_drift(config, **fields)
    problem = problem_of(target, drift_of, sizes, rate, plain=plain, generator=generator, eta=told["eta"])
    ends = [run(problem, seed, n_steps)[0].health for seed in range(seeds)]
    return [int(end.step) if bool(end.diverged) else -1 for end in ends]


def shares(experiment: Experiment) -> dict[str, Number]:
    """The share of the seeds that diverged, for every drift, way and value. One seed more or less is within bounds."""
    sizes, seeds = (QUICK, 3) if experiment.quick else (FULL, 5)
    shape = {"seeds": seeds, "n_steps": sizes.n_steps, "batch": sizes.batch_size, "width": sizes.width}
    numbers = {}
    for drift in DRIFTS:
        for way, (*_, values) in WAYS.items():
            for value in values:
                ends = experiment.cell(diverged, drift=drift, way=way, value=value, **shape)
                share, one = float(np.mean([end >= 0 for end in ends])), 1 / seeds
                numbers[f"diverged/{way}/{value:g}/{drift}"] = Number(share, max(share - one, 0), min(share + one, 1))
    return numbers


@styled
def map_of(numbers: dict[str, Number]) -> Figure:
    """Dark cells diverged with all seeds, pale ones with none."""
    figure = Figure((PAGE, 2.9), layout="constrained")
    ratios = [len(values) for *_, values in WAYS.values()]
    shade = LinearSegmentedColormap.from_list("diverged", ["#F2F2F2", "#D55E00"])
    for axes, (way, (*_, values)) in zip(
        figure.subplots(1, len(WAYS), sharey=True, width_ratios=ratios), WAYS.items(), strict=True
    ):
        grid = np.array([[numbers[f"diverged/{way}/{value:g}/{drift}"].value for value in values] for drift in DRIFTS])
        axes.pcolormesh(grid, cmap=shade, vmin=0, vmax=1, edgecolors="white", linewidth=1.5)
        for row, column in np.argwhere(grid > 0):
            text = "all" if grid[row, column] == 1 else f"{grid[row, column]:.0%}"
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=6.5)
        axes.set_xticks(np.arange(len(values)) + 0.5, [f"{value:g}" for value in values])
        axes.set_yticks(np.arange(len(DRIFTS)) + 0.5, DRIFTS)
        axes.set_xlabel(way)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    figure.axes[0].invert_yaxis()
    return figure


def table_rows(numbers: dict[str, Number]) -> list[list[str]]:
    """For every drift and way the smallest value with which every seed diverged, and those with which some did."""
    rows = []
    for drift in DRIFTS:
        row = [f"`{drift}`"]
        for way, (*_, values) in WAYS.items():
            found = [(value, numbers[f"diverged/{way}/{value:g}/{drift}"].value) for value in values]
            always = [f"{value:g}" for value, share in found if share == 1]
            some = [f"{value:g}" for value, share in found if 0 < share < 1]
            row.append(
                "; ".join(filter(None, [", ".join(always), f"some: {', '.join(some)}" if some else ""])) or "none"
            )
        rows.append(row)
    return rows
