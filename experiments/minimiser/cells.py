"""What is computed: the cells of the experiment, in an order in which neighbours share compiled programs."""

from typing import Any

import numpy as np

from experiments.minimiser.conditions import DRIFTS as CONDITIONS
from experiments.minimiser.training import plan_of

Cell = dict[str, Any]
BANDWIDTHS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
BRANCHES = tuple(round(float(h), 5) for h in 0.05 * 2 ** (np.arange(31) / 6))
"""Bandwidths at which the rests of `kl` on the line are followed; every other one for the other drifts."""
SMALL = (0.0125, 0.025)
"""Bandwidths for the limit h -> 0 on the line, beside 0.05."""
DRIFTS = ("kl", "kl_wgf", "blob", "mmd")
PLACES = ("line", "banana", "ring", "eight")
OF_TRANSPORT = (0.2, 0.4, 0.8, 1.6)
TRAINED: tuple[tuple[str, str, float, list[float] | None], ...] = (
    *(("line", drift, 0.8, None) for drift in ("kl", "kl_wgf", "mmd", "blob", "sinkhorn")),
    ("line", "kl", 0.4, [-0.3, 1.0]),
    ("line", "kl", 0.4, [-1.0, 0.45]),
    ("banana", "kl", 0.8, None),
    ("banana", "kl_wgf", 0.8, None),
)
"""Setting, drift, bandwidth and start (c, w) of the trainings; without a start, each seed has its own."""
BATCHES = (16, 32, 64, 128)
LAWS = ((1, 0.2), (1, 0.8), (2, 0.8), (8, 0.8), (8, 1.6), (32, 1.6), (32, 3.2))
"""Dimension and bandwidth of the exact rests at finite batches."""
GRID = {"centres": np.linspace(-0.8, 0.4, 49).round(4).tolist(), "widths": np.linspace(0.6, 1.6, 41).round(4).tolist()}
"""Members whose smoothed KL is drawn."""


def independent(quick: bool) -> list[Cell]:
    """All cells but those that need the answers of others."""
    return [*_population(), *_training(quick), *_limits(), *_conditions()]


def _population() -> list[Cell]:
    named = lambda name, drift, h: {"compute": "population", "name": name, "drift": drift, "h": h}
    cells = [named("line", "kl", h) for h in (*SMALL, *BRANCHES)]
    cells += [named("line", drift, h) for drift in DRIFTS[1:] for h in BRANCHES[::2]]
    cells += [named(name, drift, h) for drift in DRIFTS[:2] for name in ("banana", "eight", "ring") for h in BANDWIDTHS]
    return [*cells, {"compute": "surface", "name": "line", "h": 0.8, **GRID}]


def _training(quick: bool) -> list[Cell]:
    cells = []
    more = 1 if quick else 4
    for name, drift, h, start in TRAINED:
        plan = plan_of(drift, h)
        for n in (plan.n, 2 * plan.n):
            sizes = {**plan._asdict(), "n": n, "n_steps": more * plan.n_steps}
            cells.append({"name": name, "drift": drift, "h": h, "start": start, **sizes})
    sizes = {"n": 128, "n_steps": more * 4000, "n_seeds": 8, "rate": 0.6}
    cells.append({"name": "eight", "drift": "kl", "h": 1.6, "start": None, **sizes})
    for drift in ("kl, keep", "kl", "kl, two_batch"):
        sizes = {"n_steps": more * 2000, "n_seeds": 8, "rate": 1.0}
        cells += [{"name": "normal", "drift": drift, "h": 0.2, "n": n, **sizes} for n in BATCHES]
    return [{"compute": "trained", **cell} for cell in cells]


def _limits() -> list[Cell]:
    cells: list[Cell] = [{"compute": "exact_rests", "d": d, "h": h} for d, h in LAWS]
    cells += [{"compute": "euler", "drift": drift, "d": d} for drift in ("kl", "mmd") for d in (1, 2, 8, 32)]
    return cells + [{"compute": "round_on_gaussian", "d": d} for d in (2, 8, 32)]


def _conditions() -> list[Cell]:
    of = {"compute": "rest", "name": "line", "n": 256}
    cells = [{**of, "drift": drift, "h": h} for h in (0.4, 0.8) for drift in CONDITIONS]
    transported = {"compute": "transport", "n": 256}
    cells += [{**transported, "name": "line", "h": h} for h in OF_TRANSPORT]
    return cells + [{**transported, "name": "banana", "h": h} for h in OF_TRANSPORT]


def residuals_of(found: list[tuple[Cell, Any]]) -> list[Cell]:
    """Each condition at the rests of all others."""
    cells = []
    for h in (0.4, 0.8):
        thetas = {c["drift"]: answer["theta"] for c, answer in found if c["compute"] == "rest" and c["h"] == h}
        cells.append({"compute": "residuals", "name": "line", "h": h, "n": 256, "thetas": thetas})
    return cells
