"""Compute all metrics of a run against fixed held-out points, with floors from fresh data."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gmdwgf.config.fields import Configurable, FieldError, count, reals
from gmdwgf.features.classifier import AbstractClassifier
from gmdwgf.manifolds import EUCLIDEAN, AbstractManifold, Euclidean
from gmdwgf.metrics.floors import Floor, floors, fresh_clouds, gap, n_per_cloud
from gmdwgf.metrics.geodesic import geodesic_energy, geodesic_w2, within
from gmdwgf.metrics.mmd import mean_over_distinct_pairs, mmd2, scoring_kernels
from gmdwgf.metrics.modes import Modes, mode_counts, mode_metrics
from gmdwgf.metrics.pictures import Judged, answers, class_accuracy, judge, picture_metrics
from gmdwgf.metrics.table import METRICS
from gmdwgf.metrics.wasserstein import exact_w2, sliced_w2, sorted_projections, uniform_directions
from gmdwgf.pairs.reductions import full_precision
from gmdwgf.typing import Key, Particles, Scalar, Targets

_OF_MODES = ("near", "covered", "n_modes", "mass_min", "mass_max")
_OF_PICTURES = (
    "digits_fd",
    "precision",
    "recall",
    "feature_mmd2",
    "feature_energy",
    "class_tv",
    "class_accuracy",
    "confidence",
)
_OF_MANIFOLDS = ("geodesic_w2", "geodesic_energy")
_COUNTS = ("covered", "n_modes")


@runtime_checkable
class Target(Protocol):
    """The part of the interface of a target that metrics use; implemented by `gmdwgf.targets.AbstractTarget`."""

    @property
    def n_held_out(self) -> int | None: ...
    @property
    def n_rows(self) -> int | None: ...
    @property
    def length(self) -> Scalar | float: ...
    def rows(self, key: Key, index: Array) -> Targets: ...
    def sample(self, key: Key, n: int) -> Targets: ...
    def held_out(self, key: Key, n: int) -> Targets: ...
    def modes(self) -> tuple[Array, Array] | None: ...
    def mode_radius(self) -> Scalar | float | None: ...
    def classifier(self) -> AbstractClassifier | None: ...
    def labelled_held_out(self) -> tuple[Targets, Array] | None: ...


class Reference(NamedTuple):
    """Precomputed quantities of the target that are fixed during a run."""

    y: Targets
    """Held-out points `[m d]`."""
    bandwidths: Float[Array, " h"]
    """Bandwidths of the Gaussian kernel, in the units of `y`."""
    within_y: dict[str, Scalar]
    """Mean over distinct pairs of held-out points, for each kernel."""
    directions: Float[Array, "p d"]
    y_sorted: Float[Array, "p m"]
    modes: Modes | None
    judged: Judged | None
    """Terms of the image metrics, if the target has a classifier; otherwise None."""
    floor: dict[str, Floor]
    """Floor of each metric; a run has converged when its metrics are within it."""
    manifold: AbstractManifold = EUCLIDEAN
    """Manifold of the points. Kernels and directions are those of the embedded points."""
    within_geodesic: Scalar | None = None
    """Mean geodesic distance of distinct held-out points; None in Euclidean space."""


class MetricSuite(Configurable):
    """Distances between a cloud of samples and a target, with the names in `METRICS`.

    The `bandwidths` of the Gaussian kernel are independent of those used in training, so that all drifts are evaluated by the same
    metric. They are multiples of the target's `length`, and so follow the scale of data of the user. `mmd2` and `energy_distance` are
    unbiased; `w2` and `sliced_w2` are biased upwards for finite clouds, and so are their floors. `gap` is the worst of three metrics
    above their floors (`gmdwgf.metrics.floors`).

    On a manifold these are the distances of the embedded points (on the sphere the points themselves), `geodesic_w2` takes the place
    of `w2`, and `geodesic_energy` is added (`gmdwgf.metrics.geodesic`).
    """

    n_samples: int = count(at_least=2, of_numbers=True)
    bandwidths: Float[Array, " h"] = reals("multiples of the target's length", above=0)
    n_assignment: int = count(of_numbers=True)
    n_projections: int = count(of_numbers=True)
    n_floor_draws: int = count(at_least=2, at_most=10_000)

    def check_values(self) -> None:
        if self.n_assignment > self.n_samples:
            fix = f"must be at most n_samples={self.n_samples}; reduce it, or increase n_samples"
            raise FieldError("n_assignment", self.n_assignment, fix)

    def n_evaluated(self, target: Target) -> int:
        """Number of samples that are evaluated: as many as held-out points, if these are fewer than `n_samples`.

        More would hardly sharpen the comparison, and floors of as many fresh points could not be computed from the training rows.
        """
        n = self.n_samples if target.n_held_out is None else min(self.n_samples, target.n_held_out)
        return n_per_cloud(n, target.n_rows)

    def prepare(
        self,
        target: Target,
        key: Key,
        n: int | None = None,
        floor: dict[str, Floor] | None = None,
        manifold: AbstractManifold | None = None,
    ) -> Reference:
        """Draw the held-out points and directions, and compute the floor from `n_floor_draws` clouds of fresh data.

        If `floor` is given, it is used instead of computing one. `manifold` is by default that of the target.

        `n` is the number of rows that will be evaluated, by default `n_evaluated(target)`. Pass the number of particles if it is
        fixed, since W2 between smaller clouds is larger. Held-out rows of a file are drawn without replacement, as duplicates would
        bias the mean over pairs.
        """
        key_y, key_directions, key_floor = jax.random.split(key, 3)
        n_y = self.n_samples if target.n_held_out is None else min(self.n_samples, target.n_held_out)
        place: AbstractManifold = getattr(target, "manifold", EUCLIDEAN) if manifold is None else manifold
        y, directions = _held_out(target, key_y, n_y, key_directions, self.n_projections, place)
        bandwidths = self.bandwidths * target.length
        within_y, y_sorted = _fixed_terms(bandwidths, place.embed(y), directions)
        within_geodesic = None if isinstance(place, Euclidean) else _within(place, y)
        modes = target.modes()
        if modes is not None:
            centres, masses = modes
            modes = Modes(centres, masses / jnp.sum(masses), jnp.asarray(target.mode_radius(), y.dtype))
        classifier = target.classifier()
        judged = None if classifier is None else judge(classifier, y, self.bandwidths)
        reference = Reference(y, bandwidths, within_y, directions, y_sorted, modes, judged, {}, place, within_geodesic)
        if floor is not None:
            return reference._replace(floor=floor)
        n = min(n or self.n_samples, self.n_evaluated(target))
        scores = [self.evaluate(x, reference) for x in fresh_clouds(target, key_floor, self.n_floor_draws, n)]
        floor = floors(scores, n, target.n_rows)
        return reference._replace(floor=floor | _accuracy_on_data(target, classifier))

    def evaluate(
        self,
        x: Particles | np.ndarray,
        reference: Reference,
        labels: Array | None = None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> dict[str, float]:
        """Compute all metrics of the cloud `x` `[n d]`, as Python floats; mode and image metrics only if the target has them.

        `w2` couples the first `n_assignment` rows of `x` and of the held-out points, so the rows should be in random order. All
        values are NaN if any entry of `x` is not finite; `mmd2` and `energy_distance` are NaN for a single row. `labels` `[n]` are
        the requested classes. `meanwhile` is called while a thread solves the assignment problem of `w2`.
        """
        x = _checked(x, reference)
        absent = (_OF_MODES if reference.modes is None else ()) + (_OF_PICTURES if reference.judged is None else ())
        is_flat = isinstance(reference.manifold, Euclidean)
        absent += _OF_MANIFOLDS if is_flat else ("w2",)
        absent += ("class_accuracy",) if labels is None else ()
        absent += () if reference.floor else ("gap",)
        names = [name for name in METRICS if name not in absent]
        on_host = np.asarray(x)
        if not np.isfinite(on_host).all():
            return dict.fromkeys(names, math.nan)
        n = self.n_assignment
        with ThreadPoolExecutor(1) as threads:  # scipy releases the interpreter's lock while it solves
            if is_flat:
                w2 = threads.submit(exact_w2, on_host[:n], np.asarray(reference.y[:n]))
            else:
                w2 = threads.submit(geodesic_w2, reference.manifold, x[:n], reference.y[:n])
            on_device = _device_metrics(x, reference._replace(judged=None, floor={}))
            of_pictures = (
                {} if reference.judged is None else picture_metrics(x, reference.judged, self.bandwidths, labels)
            )
            meanwhile()
            values = {"w2" if is_flat else "geodesic_w2": w2.result(), **jax.device_get(on_device), **of_pictures}
        found = {name: int(value) if name in _COUNTS else float(value) for name, value in values.items()}
        found |= {"gap": gap(found, reference.floor)} if reference.floor else {}
        return {name: found[name] for name in names}

    def mode_masses(self, x: Particles | np.ndarray, reference: Reference) -> list[float]:
        """Share of samples assigned to each mode `[k]`; empty if modes are unknown, NaN if `x` is not finite."""
        x = _checked(x, reference)
        if reference.modes is None:
            return []
        if not bool(jnp.isfinite(x).all()):
            return [math.nan] * len(reference.modes.masses)
        return (np.asarray(_belonging(x, reference.modes, reference.manifold)) / len(x)).tolist()


def _accuracy_on_data(target: Target, classifier: AbstractClassifier | None) -> dict[str, Floor]:
    """Accuracy of the classifier on held-out images, with its binomial standard deviation."""
    labelled = target.labelled_held_out()
    if classifier is None or labelled is None:
        return {}
    points, labels = labelled
    share = float(class_accuracy(labels, answers(classifier, points)[1]))
    return {"class_accuracy": Floor(share, math.sqrt(share * (1 - share) / len(labels)))}


def _checked(x: Any, reference: Reference) -> Particles:
    x, dim = jnp.asarray(x, reference.y.dtype), reference.y.shape[1]
    if x.ndim != 2 or x.shape[1] != dim or x.shape[0] == 0:
        raise ValueError(f"x must have shape [n {dim}] with at least one row, not {list(x.shape)}")
    return x


@eqx.filter_jit
def _held_out(target, key, n, key_directions, n_projections, manifold):
    # Separate from the pair terms, which are sharded over devices: every process needs all of these rows.
    y = target.held_out(key, n)
    dim = jax.eval_shape(manifold.embed, y).shape[1]
    return y, uniform_directions(key_directions, n_projections, dim).astype(y.dtype)


@jax.jit
@full_precision
def _fixed_terms(bandwidths, y, directions):
    return mean_over_distinct_pairs(scoring_kernels(bandwidths), y), sorted_projections(y, directions)


@jax.jit
@full_precision
def _device_metrics(x, reference):
    manifold, y = reference.manifold, reference.y
    seen_x, seen_y = manifold.embed(x), manifold.embed(y)
    values = mmd2(scoring_kernels(reference.bandwidths), seen_x, seen_y, reference.within_y)
    values["sliced_w2"] = sliced_w2(sorted_projections(seen_x, reference.directions), reference.y_sorted)
    if reference.within_geodesic is not None:
        values["geodesic_energy"] = geodesic_energy(manifold, x, y, reference.within_geodesic)
    return values if reference.modes is None else values | mode_metrics(x, reference.modes, manifold)


_within = jax.jit(within)

_belonging = jax.jit(lambda x, modes, manifold: mode_counts(x, modes, manifold)[0])
