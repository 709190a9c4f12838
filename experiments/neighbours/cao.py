"""Cao et al. 2026 (arXiv:2603.10592): density-ratio weights of the score difference, and their mixture, on 8 Gaussians.

Each weight is trained at a fixed small bandwidth and with a bandwidth that falls to it over half of the steps, with two clips.
"""

import itertools
from typing import Any

import numpy as np

from experiments.common import record
from experiments.neighbours.common import Row, Sizes, kept, last, modes_of_seeds, train
from experiments.neighbours.he import MARKS, RING, on_ring

PAPER = "Cao et al."
EPSILON = 0.1
WIDE, NARROW = 1.5, float(np.sqrt(EPSILON / 2))
"""The bandwidths at the start and at the end; ours, like the target."""
CLIPS = {"1e6": 1e6, "10": 10.0}
"""Bounds of the density ratio; the first is theirs."""
SCHEDULES = {"fixed": None, "falling": [WIDE, NARROW]}
WEIGHTS = ("1", "p/q", "q/p", "p/q + q/p")
MIXTURE = WEIGHTS[-1]


def cells_of_weight(weight: str) -> list[str]:
    """Clips of a weight; there is nothing to clip in weight 1."""
    return [""] if weight == "1" else [f", clip {clip}" for clip in CLIPS]


def drift_of(weight: str, clip: float) -> tuple[str, dict[str, Any], list[str]]:
    """Name and fields of a drift, and where its bandwidths are; the mixture is (p/q + q/p) times the score difference.

    Adam does not see a constant factor, so that weight 1 is the drift `kl`; the weight of chi2 is 2 q/p.
    """
    if weight == "1":
        return "kl", {"bandwidth": NARROW}, ["bandwidth"]
    fields = lambda name: {"divergence": name, "bandwidth": NARROW, "ratio_clip": clip}
    if weight != MIXTURE:
        return "f_divergence", fields({"p/q": "reverse_kl", "q/p": "chi2"}[weight]), ["bandwidth"]
    parts = [
        {"_target_": "gmdwgf.drifts.f_divergence.FDivergenceDrift"} | fields(name) for name in ("reverse_kl", "chi2")
    ]
    return "sum", {"drifts": parts, "weights": [1.0, 0.5]}, ["drifts.0.bandwidth", "drifts.1.bandwidth"]


def measure(experiment: record.Experiment, sizes: Sizes) -> dict[str, Any]:
    shared = {"dataset": RING[0], "target": RING[1], "sizes": list(sizes), "marks": MARKS}
    cells = {}
    for (schedule, annealed), weight in itertools.product(SCHEDULES.items(), WEIGHTS):
        for clip in cells_of_weight(weight):
            drift, fields, paths = drift_of(weight, CLIPS.get(clip.removeprefix(", clip "), 1.0))
            falling = {"annealed": annealed, "share": 0.5, "paths": paths} if annealed else {}
            is_shared = weight == "1" and not falling
            cells[f"{schedule}, {weight}{clip}"] = (
                on_ring(experiment, sizes, "kl", EPSILON)
                if is_shared
                else experiment.cell(train, drift=drift, fields=fields, **shared, **falling)
            )
    return cells


def paired(cell: dict[str, Any], other: dict[str, Any], metric: str) -> record.Number:
    """The difference of a metric at the end, seed by seed."""
    pairs = zip(cell[metric], other[metric], strict=True)
    return record.mean_of_seeds([one[-1] - two[-1] for one, two in pairs])


def rows(cells: dict[str, Any]) -> list[Row]:
    """Their labels, read as: samples between modes (blur), modes lost (collapse), samples off the modes (over-coverage)."""
    found = []
    for schedule, clip in itertools.product(SCHEDULES, CLIPS):
        named = {
            weight: cells[f"{schedule}, {weight}{', clip ' + clip if weight != '1' else ''}"] for weight in WEIGHTS
        }
        one, both = named["1"], named[MIXTURE]
        blur, over = paired(one, both, "near"), paired(named["q/p"], one, "near")
        lost, held, closer = kept(named["p/q"]), kept(both), paired(both, one, "mmd2")
        where = f"h {schedule}, clip {clip}:"
        found += [
            Row(PAPER, f'{where} weight 1, "mode blur": share on a mode minus the mixture\'s', blur, "share", blur.high < 0),
            Row(PAPER, f'{where} weight p/q, "collapse": modes of 8 kept', lost, "modes", kept(named["p/q"]).high < 7.5),
            Row(PAPER, f'{where} weight q/p, "over-coverage": share on a mode minus weight 1\'s', over, "share", over.high < 0),
            Row(PAPER, f"{where} their mixture: modes of 8 kept", held, "modes", held.value > 7.5),
            Row(PAPER, f"{where} their mixture: MMD² minus weight 1's", closer, "MMD²", closer.high < 0),
        ]  # fmt: skip
    return found


def numbers(cells: dict[str, Any]) -> dict[str, record.Number]:
    """What every weight, schedule and clip ends with."""
    found = {}
    for name, cell in cells.items():
        found |= {f"Cao et al., {name}: modes kept": kept(cell)}
        all_kept = [float(count == len(cell["masses"][0])) for count in modes_of_seeds(cell)]
        found |= {f"Cao et al., {name}: share of seeds with all modes": record.count_of_seeds(all_kept, 1)}
        found |= {f"Cao et al., {name}: {metric}": last(cell, metric) for metric in ("near", "w2", "mmd2")}
    return found


def lines(cells: dict[str, Any]) -> list[str]:
    """The table of weights."""
    found = numbers(cells)
    head = ["weight", "modes of 8 kept", "seeds with all", "share on a mode", "W2", "MMD²"]
    keys = ("modes kept", "share of seeds with all modes", "near", "w2", "mmd2")
    table = [[name, *(found[f"Cao et al., {name}: {key}"] for key in keys)] for name in cells]
    said = f"Cao et al., by weight, bandwidth (fixed at {NARROW:.3f}, or falling to it from {WIDE:g} in half of the steps) and clip:"
    return [said, "", *record.table(head, table)]
