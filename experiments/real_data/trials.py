"""Train a drift on a set of real data as `gmdwgf.fit` does by default, and score it beside two baselines."""

import importlib
import time
from typing import Any

import jax
import numpy as np

import gmdwgf
from experiments.real_data.datasets import SETS, RealData
from gmdwgf.engine.references import fixed_reference
from gmdwgf.launch.chosen import choose
from gmdwgf.launch.components import components_of
from gmdwgf.metrics.floors import Floor, in_deviations
from gmdwgf.targets import ArrayTarget

N_CLUSTERS = 20
"""Gaussians of the k-means baseline. Ours."""


def target_of(data: RealData) -> ArrayTarget:
    return ArrayTarget(data.rows, None, 0.2, 0, data.standardise)


def train(name: str, drift: str, seeds: list[int]) -> list[dict[str, Any]]:
    """Scores of a drift for each seed, at the defaults of the package; the first seed pays for compilation."""
    data = SETS[name]()
    target = target_of(data)
    found = []
    for seed in seeds:
        start = time.perf_counter()
        result = gmdwgf.fit(target, drift, seed=seed, progress=False)
        seconds = time.perf_counter() - start
        last = result.records[-1]
        scores = {"gap": last["gap"], "seconds": seconds, "warnings": result.warnings, "status": result.status}
        scores["energy"] = in_deviations(last["energy_distance"], Floor(*result.floor["energy_distance"]))
        z = result.generator.sample(result.params, jax.random.key(seed), 2 * target.n_held_out)
        scores |= _tests(np.asarray(z, float), target)
        found.append(scores)
    return found


def baseline(name: str, kind: str, seeds: list[int]) -> list[dict[str, Any]]:
    """Scores of a Gaussian, or of a mixture of Gaussians around the centres of k-means, fitted to the training rows."""
    target = target_of(SETS[name]())
    components = components_of(choose(target, "mmd").with_objects())
    suite, reference = components.suite, fixed_reference(components.suite, components.problem)
    train, found = np.asarray(target.train, float), []
    for seed in seeds:
        start, rng = time.perf_counter(), np.random.default_rng(seed)
        draw = {"Gaussian": _gaussian, "k-means": _clusters}[kind](train, rng)
        x = draw(suite.n_evaluated(target))
        values = suite.evaluate(x, reference)
        scores = {"gap": values["gap"], "seconds": time.perf_counter() - start, "warnings": [], "status": "done"}
        scores["energy"] = in_deviations(values["energy_distance"], reference.floor["energy_distance"])
        found.append(scores | _tests(draw(2 * target.n_held_out), target))
    return found


def _gaussian(train: np.ndarray, rng: np.random.Generator) -> Any:
    mean, root = train.mean(axis=0), np.linalg.svd(train - train.mean(axis=0), full_matrices=False)
    directions = root[2] * (root[1] / np.sqrt(len(train)))[:, None]
    return lambda n: mean + rng.normal(size=(n, len(directions))) @ directions


def _clusters(train: np.ndarray, rng: np.random.Generator) -> Any:
    """Draw the cluster of a training row, and a point of the isotropic Gaussian with the spread of that cluster."""
    k = min(N_CLUSTERS, len(train) // 5)
    cluster: Any = importlib.import_module("sklearn.cluster")
    made = cluster.KMeans(k, n_init=1, random_state=int(rng.integers(2**31))).fit(train)
    off = train - made.cluster_centers_[made.labels_]
    spread = np.array([off[made.labels_ == j].std() for j in range(k)])

    def draw(n: int) -> np.ndarray:
        j = rng.choice(made.labels_, n)
        return made.cluster_centers_[j] + spread[j, None] * rng.normal(size=(n, train.shape[1]))

    return draw


def _tests(z: np.ndarray, target: ArrayTarget) -> dict[str, float]:
    """Spread of samples over that of the held-out rows, and the accuracy of a classifier that tells samples from held-out rows.

    The classifier is that of the 5 nearest neighbours, by five-fold cross-validation on as many samples as held-out rows: 0.5 where
    it cannot tell them apart (Lopez-Paz and Oquab 2017).
    """
    held = np.asarray(target.held, float)
    spread = float(np.sqrt(z.var(axis=0).sum() / held.var(axis=0).sum()))
    neighbours: Any = importlib.import_module("sklearn.neighbors")
    chosen: Any = importlib.import_module("sklearn.model_selection")
    n = min(len(z), len(held))
    x, y = np.r_[z[:n], held[:n]], np.r_[np.zeros(n), np.ones(n)]
    folds = chosen.StratifiedKFold(5, shuffle=True, random_state=0)
    accuracy = chosen.cross_val_score(neighbours.KNeighborsClassifier(5), x, y, cv=folds).mean()
    return {"spread": spread, "told apart": float(accuracy)}
