"""How city-like points on the globe are: geodesic energy distance, and kilometres to the nearest city."""

from typing import NamedTuple

import jax
import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist, pdist

import gmdwgf
from gmdwgf.metrics.floors import Floor, fresh_clouds
from gmdwgf.targets.cities import Cities

EARTH_KM = 6371.0
"""Mean radius."""
FAR_KM = 300.0
"""Distance from every training city beyond which a point counts as lost (ours)."""


class Score(NamedTuple):
    """Scores of points `[n 3]` on the unit sphere against held-out cities."""

    geodesic: float
    """Energy distance 2 E g(x, y) - E g(x, x') - E g(y, y') of great-circle distances g in radians, unbiased."""
    chord: float
    """The same of straight distances |x - y|. It sees all differences, the geodesic one no even harmonics."""
    nearest_km: float
    """Median distance to the nearest training city."""
    lost: float
    """Share of points farther than FAR_KM from every training city."""


class Judge:
    """Scores against all held-out cities, and floors of fresh training cities."""

    def __init__(self, target: Cities):
        self.target = target
        self.held = np.asarray(target.held_out(jax.random.key(0), target.n_held_out), float)
        self.tree = KDTree(np.asarray(target.training_rows(), float))
        self.within = {kind: float(np.mean(of(pdist(self.held)))) for kind, of in _DISTANCES.items()}

    def score(self, x: np.ndarray) -> Score:
        between, within = cdist(x, self.held), pdist(x)
        geodesic, chord = (2 * of(between).mean() - of(within).mean() - self.within[k] for k, of in _DISTANCES.items())
        away = EARTH_KM * _angle(self.tree.query(x)[0])
        return Score(float(geodesic), float(chord), float(np.median(away)), float(np.mean(away > FAR_KM)))

    def floors(self, n: int) -> dict[str, Floor]:
        """Mean and standard deviation of the scores of as many disjoint clouds of `n` training cities as there are.

        Distances to training cities are those of held-out cities, as training cities are at distance 0.
        """
        clouds = fresh_clouds(self.target, jax.random.key(1), int(self.target.n_rows or n) // n, n)
        scores = [self.score(np.asarray(cloud, float)) for cloud in clouds]
        by_name = {name: [getattr(score, name) for score in scores] for name in ("geodesic", "chord")}
        parts = [self.score(part) for part in np.array_split(self.held, len(self.held) // n)]
        by_name |= {name: [getattr(score, name) for score in parts] for name in ("nearest_km", "lost")}
        return {name: Floor(float(np.mean(v)), float(np.std(v, ddof=1))) for name, v in by_name.items()}


def judge() -> Judge:
    """The judge of `dataset=cities`."""
    target = gmdwgf.load_target("cities")
    assert isinstance(target, Cities)
    return Judge(target)


def _angle(chord: np.ndarray) -> np.ndarray:
    return 2 * np.arcsin(np.minimum(chord / 2, 1.0))


_DISTANCES = {"geodesic": _angle, "chord": lambda chord: chord}
