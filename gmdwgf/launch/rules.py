"""Rules: lengths that follow from the targets, in place of numbers.

    drift.bandwidth: {rule: nearest}                            # distance to the nearest of 256 other targets
    drift.bandwidth: {rule: nearest, share_of_median: 0.15}     # but at least 0.15 median distances
    drift.epsilon: {rule: median, factor: 0.005}                # 0.005 * (median distance)^2

| rule | length |
|---|---|
| median | median distance of two targets |
| mean_distance | mean distance of two targets |
| percentile | the distance that `q` percent of the pairs do not exceed |
| nearest | median over targets of the distance to the nearest of `among` others |

The value is factor * length^power, where the power is that of a length in the unit of the field: 1 for a bandwidth, 2 for an
`epsilon` in squared lengths. A field without a length in its unit has no rule. Lengths are those of distinct points among fixed
draws from the target, as it is trained on.

In many dimensions all distances are near the median, and the nearest targets decide whether a kernel sees anything; in the plane
hundreds of targets are close together, and `nearest` alone is too short. Hence the defaults for data of a user. Measured with a
batch of 256 and 600 steps, one seed, on rows scaled to a median distance of 2: energy distance from all rows, in standard
deviations between halves of the rows (hundreds and more: collapsed or diverged):

| rows | d | nearest | kl: nearest | kl: nearest, at least 0.2 medians | deng: nearest / 4 | deng: 0.1 medians |
|---|---|---|---|---|---|---|
| two_moons | 2 | 0.06 | 226 | -0.6 | 74,196 | 1.3 |
| eight_gaussians | 2 | 0.02 | 696 | 4.5 | 311 | 2.7 |
| checkerboard | 2 | 0.08 | 243 | 0.1 | 65,603 | -0.2 |
| a curved sheet | 3 | 0.13 | 249 | -0.4 | 1,332 | 0.0 |
| five Gaussians | 10 | 0.32 | 152 | 63 | 7.0 | -0.4 |
| digit latents | 16 | 0.88 | 10.1 | 10.1 | 1.0 | -0.1 |
| four heavy-tailed factors | 30 | 1.09 | 9.9 | 9.9 | 0.8 | 0.5 |
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial.distance import pdist, squareform

from gmdwgf.config.fields import Configurable, FieldError, choice, count, real, real_or_null
from gmdwgf.manifolds import Euclidean
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Scalar

N_DRAWN = 1000
"""Number of target points from which a rule is computed, the same points for every run of a target."""

AMONG = 256
"""Number of other targets among which the nearest is sought by default, as in a batch of this size."""


class Distances:
    """Distances between distinct points of a target, computed once, when first needed."""

    def __init__(self, target: AbstractTarget):
        self._target = target

    @functools.cached_property
    def points(self) -> np.ndarray:
        """Distinct points, in the order of the draws."""
        drawn = np.asarray(self._target.sample(jax.random.key(0), N_DRAWN), float)
        _, first = np.unique(drawn, axis=0, return_index=True)
        return drawn[np.sort(first)]

    @functools.cached_property
    def pairs(self) -> np.ndarray:
        """Distances of all pairs; empty for a single point."""
        manifold = self._target.manifold
        return pdist(
            self.points
            if isinstance(manifold, Euclidean)
            else np.asarray(manifold.embed(jnp.asarray(self.points)), float)
        )

    def nearest(self, among: int) -> np.ndarray:
        """Distance from every point to the nearest of `among` others, the next ones in the order of the draws."""
        n = len(self.points)
        others = (np.arange(n)[:, None] + 1 + np.arange(min(among, n - 1))) % n
        return np.take_along_axis(squareform(self.pairs), others, axis=1).min(axis=1)


UNLESS_PERCENTILE = {"rule": ("median", "mean_distance", "nearest")}
UNLESS_NEAREST = {"rule": ("median", "mean_distance", "percentile")}


class Rule(Configurable):
    """`factor` times a length of the targets, raised to the power of the field's unit; see the module."""

    rule: str = choice("median", "mean_distance", "percentile", "nearest")
    factor: Scalar = real(above=0, default=1.0)
    q: Scalar | None = real_or_null("percent", above=0, at_most=100, ignored_when=UNLESS_PERCENTILE, default=None)
    among: int = count(at_most=N_DRAWN - 1, ignored_when=UNLESS_NEAREST, default=AMONG)
    share_of_median: Scalar = real("median distances", at_least=0, ignored_when=UNLESS_NEAREST, default=0.0)

    def check_values(self) -> None:
        if self.rule == "percentile" and self.q is None:
            raise FieldError("q", "null", "is required for rule=percentile: the percent of the pairs, e.g. q: 5")

    def length(self, distances: Distances) -> float:
        """The length before factor and power, in data units. Raises FieldError if it is 0."""
        if not distances.pairs.size:
            fix = f"the {N_DRAWN} targets drawn are all the same point, which has no distances; give a number"
            raise FieldError("rule", self.rule, fix)
        of = {
            "median": lambda: np.median(distances.pairs),
            "mean_distance": lambda: np.mean(distances.pairs),
            "percentile": lambda: np.percentile(distances.pairs, float(self.q or 0)),
            "nearest": lambda: np.median(distances.nearest(self.among)),
        }
        length = float(of[self.rule]())
        return max(length, float(self.share_of_median) * float(np.median(distances.pairs)))

    def value(self, distances: Distances, power: int) -> float:
        """The value of a field in whose unit a length has the given power."""
        return float(self.factor) * self.length(distances) ** power

    def words(self, distances: Distances, power: int) -> str:
        """How the value was computed."""
        name = {
            "median": "median distance",
            "mean_distance": "mean distance",
            "percentile": f"percentile {float(self.q or 0):g} of the distances",
            "nearest": f"distance to the nearest of {self.among}",
        }[self.rule]
        if self.share_of_median > 0:
            name += f", at least {float(self.share_of_median):g} median distances"
        length = f"{self.length(distances):.6g}" + (f"^{power}" if power != 1 else "")
        return f"{float(self.factor):.6g} * {length} ({name})"
