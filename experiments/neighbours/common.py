"""What the papers' modules share: sizes, targets, runs with their scores, and rows of the table."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

import gmdwgf
from experiments.common import record, training
from experiments.compare.choice import held_out
from gmdwgf.config.build import build, load_node
from gmdwgf.metrics.suite import MetricSuite, Reference
from gmdwgf.targets.base import AbstractTarget

N_SHOWN = 400
"""Samples that are kept of the first seed, for the figures."""


class Sizes(NamedTuple):
    """How much is trained."""

    width: int
    batch: int
    n_steps: int
    seeds: int
    particle_steps: int


QUICK, FULL = Sizes(128, 256, 1000, 10, 4000), Sizes(256, 2048, 4000, 10, 20000)


class Row(NamedTuple):
    """A statement of a paper, and what was measured of it here."""

    paper: str
    statement: str
    measured: record.Number
    unit: str
    reproduced: bool


@functools.cache
def suite() -> MetricSuite:
    """The package's metrics, on fewer points."""
    return build(
        load_node("metrics", "default", {"n_samples": 1000, "n_assignment": 500, "n_floor_draws": 16}), "metrics"
    )


def scored(x: np.ndarray, reference: Reference) -> dict[str, Any]:
    """Scores of samples `[seeds marks n d]`: `[seed][mark]` by metric, and samples of the first seed at the last mark."""
    scores = [[suite().evaluate(cloud, reference) for cloud in run] for run in x]
    found: dict[str, Any] = {name: [[score[name] for score in run] for run in scores] for name in scores[0][0]}
    found["masses"] = [suite().mode_masses(run[-1], reference) for run in x]
    found["samples"] = np.round(x[0, -1, :N_SHOWN], 3).tolist()
    found["floor"] = {name: list(floor) for name, floor in reference.floor.items()}
    return found


def reference_of(target: AbstractTarget) -> Reference:
    return suite().prepare(target, jax.random.key(99))


def train(
    dataset: str,
    target: dict[str, Any],
    drift: str,
    fields: dict[str, Any],
    sizes: list[int],
    rate: float = 3e-3,
    marks: int = 1,
    annealed: list[float] | None = None,
    share: float = 0.8,
    paths: Sequence[str] = ("bandwidth",),
) -> dict[str, Any]:
    """Networks trained from `sizes.seeds` seeds, scored at `marks` evenly spaced steps.

    `annealed`: the bandwidths at `paths` of the drift fall from the first to the second value over the first `share` of the steps.
    """
    size, law = Sizes(*sizes), gmdwgf.load_target(dataset, **target)
    schedules = training.falling_bandwidth(annealed[0], annealed[1], share * size.n_steps, paths) if annealed else {}
    asked = {"width": size.width, "batch": size.batch, "n_steps": size.n_steps, "rate": rate, "decay": "cosine"}
    problem = training.network_training(law, gmdwgf.load_drift(drift, **fields), schedules=schedules, **asked)
    steps = np.arange(1, marks + 1) * (size.n_steps // marks)
    x = training.samples_of(problem, jax.random.split(jax.random.key(0), size.seeds), steps, 1000)
    return scored(x, reference_of(law))


def last(cell: dict[str, Any], metric: str) -> record.Number:
    """A metric at the end, over the seeds."""
    return record.mean_of_seeds([run[-1] for run in cell[metric]])


def learnt(paper: str, says: str, cell: dict[str, Any]) -> Row:
    """A row of the one criterion of what learns a target: W2 at most 3 standard deviations above that of fresh data."""
    mean, sd = cell["floor"]["w2"]
    above = record.mean_of_seeds([(run[-1] - mean) / sd for run in cell["w2"]])
    return Row(paper, f"{says} (W2 above the data's {mean:.2g}, in its sd: at most 3)", above, "sd", above.high < 3)


def modes_of_seeds(cell: dict[str, Any]) -> list[int]:
    """How many modes have at least a quarter of their due mass among the samples nearest to them, by seed."""
    return [sum(mass >= 0.25 / len(masses) for mass in masses) for masses in cell["masses"]]


def kept(cell: dict[str, Any]) -> record.Number:
    """The mean of `modes_of_seeds`, with a binomial interval."""
    return record.count_of_seeds(modes_of_seeds(cell), len(cell["masses"][0]))


def best_elsewhere(cells: Sequence[dict[str, Any]], metric: str) -> list[float]:
    """A metric at the end by seed, each of the cell that is best on the other seeds."""
    return held_out([[run[-1] for run in cell[metric]] for cell in cells], cells).best
