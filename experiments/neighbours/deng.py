"""Deng et al. 2026 (arXiv:2602.04770): their two-dimensional demonstration, and their three starts on two modes."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gmdwgf
from experiments.common import record, training
from experiments.common.mixtures import modes_of, two_modes
from experiments.neighbours.common import Row, Sizes, best_elsewhere, learnt, train
from gmdwgf.metrics.modes import mode_counts

PAPER = "Deng et al."
TARGETS = {"checkerboard": {"scale": 1.0, "noise": 0.05}, "swiss_roll": {"scale": 1.0, "noise": 0.03}}
"""Noise as theirs; the scale is ours."""

TAUS = {"0.02": 0.02, "0.05": 0.05, "0.2": 0.2, "all three": [0.02, 0.05, 0.2]}
STARTS = ("between", "far", "collapsed")
START_TAUS = {"0.05": 0.05, "1": 1.0}
"""Theirs is not known; the distance of the modes is 3."""


def starts(temperature: Any, n_steps: int, seeds: int) -> dict[str, list[float]]:
    """Share on the lighter mode after the flow of Algorithm 2 from three starts: two modes 3 apart, sd 0.3, 256 particles."""
    target = two_modes(distance=3.0)
    drift = gmdwgf.load_drift("deng", temperature=temperature)
    problem = training.particle_flow(target, drift, n=256, n_steps=n_steps, eta=0.5)
    modes, keys = modes_of(target), jax.random.split(jax.random.key(0), seeds)
    noise = jnp.stack([jax.random.normal(key, (256, 2)) for key in keys])
    places = {
        "between": 0.2 * noise,
        "far": jnp.asarray([0.0, 3.0]) + 0.2 * noise,
        "collapsed": modes.centres[0] + 0.02 * noise,
    }
    found = {}
    for name, start in places.items():
        x = training.samples_of(problem, keys, np.array([n_steps]), 256, {"x": start})[:, 0]
        found[name] = [float(mode_counts(cloud, modes)[1].min()) / 256 for cloud in x]
    return found


def measure(experiment: record.Experiment, sizes: Sizes) -> dict[str, Any]:
    ask = lambda name, tau: experiment.cell(
        train, dataset=name, target=TARGETS[name], drift="deng", fields={"temperature": tau}, sizes=list(sizes)
    )
    cells: dict[str, Any] = {name: ask(name, 0.05) for name in TARGETS}
    cells["taus"] = {name: ask("checkerboard", tau) for name, tau in TAUS.items()}
    cells["starts"] = {
        name: experiment.cell(starts, temperature=tau, n_steps=sizes.n_steps, seeds=sizes.seeds)
        for name, tau in START_TAUS.items()
    }
    return cells


def rows(cells: dict[str, Any]) -> list[Row]:
    found = []
    for name in TARGETS:
        found.append(learnt(PAPER, f"Algorithm 2, tau = 0.05, learns the {name.replace('_', ' ')}", cells[name]))
    for (tau, cell), name in itertools.product(cells["starts"].items(), STARTS):
        least = record.mean_of_seeds(cell[name])
        says = f"two modes, tau = {tau}, start {name}: no collapse (share on the lighter mode, due 0.5)"
        found.append(Row(PAPER, says, least, "mass", least.low > 0.25))
    best = best_elsewhere([cells["taus"][name] for name in list(TAUS)[:3]], "mmd2")
    pairs = zip(cells["taus"]["all three"]["mmd2"], best, strict=True)
    more = record.mean_of_seeds([run[-1] - value for run, value in pairs])
    says = "three temperatures are no worse than the best one (MMD² minus its, checkerboard; FID in the paper)"
    found.append(Row(PAPER, says, more, "MMD²", more.low <= 0))
    return found
