"""Clouds of pictures, judged in the features of a classifier: Fréchet distance, precision and recall, classes.

Features are compared in units of their root mean square distance from their mean over held-out pictures. Clouds of n and m rows
stand for their laws only up to a bias that falls with n and m, so each number is to be read beside its data-versus-data floor.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from gmdwgf.metrics.mmd import mean_over_distinct_pairs, mmd2, scoring_kernels
from gmdwgf.pairs.reductions import centred, over_points, squared_distances
from gmdwgf.typing import Particles, Scalar, Targets

N_NEIGHBOURS = 3
"""k of precision and recall, as in the paper."""


class Moments(NamedTuple):
    """Mean `[k]` and covariance `[k k]` of features, in float64 on the host."""

    mean: np.ndarray
    covariance: np.ndarray


def moments(features: Any) -> Moments:
    """Of features `[n k]`, n > 1; the covariance divides by n - 1, as FID does."""
    features = np.asarray(features, np.float64)
    return Moments(features.mean(axis=0), np.cov(features, rowvar=False).reshape(2 * features.shape[1:]))


def frechet_distance(one: Moments, other: Moments) -> float:
    """Squared W2 of two Gaussians: |m_1 - m_2|^2 + tr(C_1 + C_2 - 2 (C_1^1/2 C_2 C_1^1/2)^1/2).

    With the features of Inception it is FID (Heusel et al. 2017); with others it is not, and must not be called so.
    """
    values, vectors = np.linalg.eigh(one.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    cross = np.linalg.eigvalsh(root @ other.covariance @ root)
    apart = np.sum((one.mean - other.mean) ** 2) + np.trace(one.covariance) + np.trace(other.covariance)
    return float(max(apart - 2 * np.sum(np.sqrt(np.maximum(cross, 0.0))), 0.0))


def moments_of_file(path: str | Path) -> Moments:
    """Of a file: `.npz` with `mu` `[k]` and `sigma` `[k k]`, the format of FID statistics, or features `[n k]` (`.npy`)."""
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return moments(loaded)
    with loaded as arrays:
        if not {"mu", "sigma"} <= set(arrays.files):
            raise ValueError(f"{path} has arrays {', '.join(arrays.files)}, not mu and sigma")
        return Moments(np.asarray(arrays["mu"], np.float64), np.asarray(arrays["sigma"], np.float64))


def _radii(cloud: Float[Array, "n k"]) -> Float[Array, " n"]:
    """Squared distance of every row to its third nearest other row; NaN, which covers nothing, if there are not so many."""
    if len(cloud) <= N_NEIGHBOURS:
        return jnp.full(len(cloud), jnp.nan, cloud.dtype)
    (cloud, _) = centred(cloud, cloud)

    def row(indexed):
        index, point = indexed
        r2 = jnp.where(jnp.arange(len(cloud)) == index, jnp.inf, squared_distances(point, cloud))
        return -jax.lax.top_k(-r2, N_NEIGHBOURS)[0][-1]

    return over_points(row, (jnp.arange(len(cloud)), cloud), len(cloud))


def _covered(x: Float[Array, "n k"], y: Float[Array, "m k"], radii: Float[Array, " m"]) -> Scalar:
    """Share of the rows of `x` within the ball of any row of `y`."""
    x, y = centred(x, y)
    within = over_points(lambda point: jnp.any(squared_distances(point, y) <= radii), x, len(y))
    return jnp.mean(within, dtype=y.dtype)


def precision_recall(x: Float[Array, "n k"], y: Float[Array, "m k"]) -> tuple[Scalar, Scalar]:
    """Share of `x` on the manifold of `y`, and of `y` on that of `x`; a cloud's manifold is the union of balls around its rows.

    A ball reaches to the third nearest other row of its own cloud. Kynkäänniemi et al. 2019 (arXiv:1904.06991), Eq. 1.
    """
    return _covered(x, y, _radii(y)), _covered(y, x, _radii(x))


def class_accuracy(labels: Int[Array, " n"], logits: Float[Array, "n c"]) -> Scalar:
    """Share of pictures that the classifier takes for the class that was asked for."""
    return jnp.mean(jnp.argmax(logits, axis=-1) == labels, dtype=logits.dtype)


def class_shares(logits: Float[Array, "n c"]) -> Float[Array, " c"]:
    """Share of pictures that the classifier takes for each class."""
    return jnp.bincount(jnp.argmax(logits, axis=-1), length=logits.shape[-1]) / logits.shape[0]


class Judged(NamedTuple):
    """What a classifier makes of held-out pictures, and the classifier."""

    classifier: Any
    features: Float[Array, "m k"]
    """Less their mean, in units of their root mean square distance from it."""
    centre: Float[Array, " k"]
    unit: Scalar
    shares: Float[Array, " c"]
    within_y: dict[str, Scalar]


@jax.jit
def answers(classifier: Any, points: Particles) -> tuple[Float[Array, "n k"], Float[Array, "n c"]]:
    """Features and logits of any number of points, 256 at a time."""
    one = lambda point: jax.tree.map(lambda array: array[0], classifier.answers(point[None]))
    return jax.lax.map(one, points, batch_size=256)


@jax.jit
def judge(classifier: Any, y: Targets, bandwidths: Float[Array, " h"]) -> Judged:
    """Everything that stays fixed while clouds are compared with the held-out points `y` `[m d]`."""
    features, logits = answers(classifier, y)
    centre = jnp.mean(features, axis=0)
    unit = jnp.sqrt(jnp.mean(jnp.sum((features - centre) ** 2, axis=1)))
    features = (features - centre) / unit
    within_y = mean_over_distinct_pairs(scoring_kernels(bandwidths), features)
    return Judged(classifier, features, centre, unit, class_shares(logits), within_y)


def picture_metrics(
    x: Particles, judged: Judged, bandwidths: Float[Array, " h"], labels: Int[Array, " n"] | None = None
) -> dict[str, float]:
    """The metrics of the pictures of `x` `[n d]`, by the names of `METRICS`; `bandwidths` in units of the features.

    With `labels`, the classes that were asked for, also how often the classifier agrees.
    """
    features, scores = _compared(x, judged, bandwidths, labels)
    fd = frechet_distance(moments(features), moments(judged.features)) if len(x) > 1 else math.nan
    return {"digits_fd": fd} | {name: float(score) for name, score in jax.device_get(scores).items()}


@jax.jit
def _compared(
    x: Particles, judged: Judged, bandwidths: Float[Array, " h"], labels: Int[Array, " n"] | None
) -> tuple[Array, dict[str, Scalar]]:
    features, logits = answers(judged.classifier, x)
    features = (features - judged.centre) / judged.unit
    distances = mmd2(scoring_kernels(bandwidths), features, judged.features, judged.within_y)
    precision, recall = precision_recall(features, judged.features)
    of_labels = {} if labels is None else {"class_accuracy": class_accuracy(labels, logits)}
    return features, of_labels | {
        "feature_mmd2": distances["mmd2"],
        "feature_energy": distances["energy_distance"],
        "precision": precision,
        "recall": recall,
        "class_tv": jnp.sum(jnp.abs(class_shares(logits) - judged.shares)) / 2,
        "confidence": jnp.mean(jnp.max(jax.nn.softmax(logits), axis=1)),
    }
