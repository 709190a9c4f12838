"""arXiv:2603.09936: a bandwidth that falls exponentially, for the score difference on 8 Gaussians."""

from typing import Any

import numpy as np

from experiments.common import record
from experiments.neighbours.common import Row, Sizes, best_elsewhere, kept, last, train
from experiments.neighbours.he import EPSILONS, MARKS, RING, on_ring

PAPER = "2603.09936"
WIDE, NARROW = float(np.sqrt(EPSILONS[0] / 2)), float(np.sqrt(EPSILONS[-1] / 2))


def measure(experiment: record.Experiment, sizes: Sizes) -> dict[str, Any]:
    names = ("wide", "middle", "narrow")
    cells = {name: on_ring(experiment, sizes, "kl", eps) for name, eps in zip(names, EPSILONS, strict=True)}
    falling = {"drift": "kl", "fields": {"bandwidth": WIDE}, "annealed": [WIDE, NARROW]}
    shared = {"dataset": RING[0], "target": RING[1], "sizes": list(sizes), "marks": MARKS}
    return cells | {"annealed": experiment.cell(train, **shared, **falling)}


def rows(cells: dict[str, Any]) -> list[Row]:
    heaviest = record.mean_of_seeds([max(masses) for masses in cells["narrow"]["masses"]])
    near, modes = last(cells["wide"], "near"), kept(cells["annealed"])
    best = best_elsewhere([cells[name] for name in ("wide", "middle", "narrow")], "mmd2")
    pairs = zip(cells["annealed"]["mmd2"], best, strict=True)
    less = record.mean_of_seeds([run[-1] - value for run, value in pairs])
    return [
        Row(
            PAPER,
            f"fixed bandwidth {NARROW:.2g}: mass of the heaviest mode (due 0.125)",
            heaviest,
            "mass",
            heaviest.low > 0.5,
        ),
        Row(PAPER, f"fixed bandwidth {WIDE:.2g} merges modes: share of samples on one", near, "share", near.high < 0.5),
        Row(PAPER, f"annealed {WIDE:.2g} to {NARROW:.2g}: modes of 8 kept", modes, "modes", modes.value > 7.5),
        Row(PAPER, "annealed: MMD² minus that of the best fixed bandwidth", less, "MMD²", less.high < 0),
    ]
