"""Cao et al. 2026 (arXiv:2603.10592): density-ratio weights of the score difference, and their mixture, on 8 Gaussians."""

from typing import Any

import numpy as np

from experiments.common import record
from experiments.neighbours.common import Row, Sizes, kept, last, train
from experiments.neighbours.he import MARKS, RING, on_ring

PAPER = "Cao et al."
EPSILON = 0.1
CLIP = 1e6
"""Bound of the density ratio, as theirs; bandwidth and target are ours."""


def weighted(divergence: str, clip: float) -> tuple[str, dict[str, Any]]:
    fields = {"divergence": divergence, "bandwidth": float(np.sqrt(EPSILON / 2)), "ratio_clip": clip}
    return "f_divergence", fields


def mixed(clip: float) -> tuple[str, dict[str, Any]]:
    """(p/q + q/p) times the score difference; the weight of chi2 here is 2 q/p."""
    part = lambda name: {"_target_": "gmdwgf.drifts.f_divergence.FDivergenceDrift"} | weighted(name, clip)[1]
    return "sum", {"drifts": [part("reverse_kl"), part("chi2")], "weights": [1.0, 0.5]}


DRIFTS = {
    "p/q": weighted("reverse_kl", CLIP),
    "q/p": weighted("chi2", CLIP),
    "p/q + q/p": mixed(CLIP),
    "p/q + q/p, clip 10": mixed(10.0),
}


def measure(experiment: record.Experiment, sizes: Sizes) -> dict[str, Any]:
    shared = {"dataset": RING[0], "target": RING[1], "sizes": list(sizes), "marks": MARKS}
    # Adam does not see a constant factor, so that weight 1 is the drift `kl`.
    cells = {"1": on_ring(experiment, sizes, "kl", EPSILON)}
    return cells | {
        name: experiment.cell(train, drift=drift, fields=fields, **shared) for name, (drift, fields) in DRIFTS.items()
    }


def rows(cells: dict[str, Any]) -> list[Row]:
    near = {name: last(cell, "near") for name, cell in cells.items()}
    modes = {name: kept(cell) for name, cell in cells.items()}
    mixture = "p/q + q/p"
    ratio = record.mean_of_seeds(
        [a[-1] / b[-1] for a, b in zip(cells[mixture]["mmd2"], cells["1"]["mmd2"], strict=True)]
    )
    lost, held = modes["p/q"], modes["q/p"]
    blur, over, both = near["1"], near["q/p"], modes[mixture]
    return [
        Row(PAPER, 'weight 1, "mode blur": share of samples on a mode', blur, "share", blur.high < near[mixture].low),
        Row(PAPER, 'weight p/q, "collapse": modes of 8 kept', lost, "modes", lost.high < 7.5),
        Row(PAPER, 'weight q/p, "over-coverage": share of samples on a mode', over, "share", over.high < blur.low),
        Row(PAPER, "weight q/p keeps all modes: modes of 8 kept", held, "modes", held.value > 7.5),
        Row(PAPER, "their mixture: modes of 8 kept", both, "modes", both.value > 7.5),
        Row(PAPER, "their mixture: MMD² over that of weight 1", ratio, "ratio", ratio.high < 1),
    ]
