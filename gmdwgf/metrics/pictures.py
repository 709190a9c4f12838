"""Metrics of images in the feature space of a classifier: Fréchet distance, precision and recall, class shares.

Features are standardised by their mean and root mean square deviation over held-out images. All estimates have a bias that
decreases with the sample sizes, so compare each with its floor.
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
"""k of precision and recall, as in Kynkäänniemi et al. 2019 (arXiv:1904.06991)."""


class Moments(NamedTuple):
    """Mean `[k]` and covariance `[k k]` of features, in float64 on the host."""

    mean: np.ndarray
    covariance: np.ndarray


def moments(features: Any) -> Moments:
    """Mean and covariance of features `[n k]`, n > 1; the covariance is divided by n - 1, as in FID."""
    features = np.asarray(features, np.float64)
    return Moments(features.mean(axis=0), np.cov(features, rowvar=False).reshape(2 * features.shape[1:]))


def frechet_distance(one: Moments, other: Moments) -> float:
    """Squared W2 of two Gaussians: |m_1 - m_2|^2 + tr(C_1 + C_2 - 2 (C_1^1/2 C_2 C_1^1/2)^1/2).

    With Inception features this is FID (Heusel et al. 2017, arXiv:1706.08500); with other features it is not comparable to FID.
    """
    values, vectors = np.linalg.eigh(one.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    cross = np.linalg.eigvalsh(root @ other.covariance @ root)
    apart = np.sum((one.mean - other.mean) ** 2) + np.trace(one.covariance) + np.trace(other.covariance)
    return float(max(apart - 2 * np.sum(np.sqrt(np.maximum(cross, 0.0))), 0.0))


def moments_of_file(path: str | Path) -> Moments:
    """Load FID statistics (`.npz` with `mu` `[k]` and `sigma` `[k k]`), or compute moments of features `[n k]` (`.npy`)."""
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return moments(loaded)
    with loaded as arrays:
        if not {"mu", "sigma"} <= set(arrays.files):
            raise ValueError(f"{path} has arrays {', '.join(arrays.files)}, not mu and sigma")
        return Moments(np.asarray(arrays["mu"], np.float64), np.asarray(arrays["sigma"], np.float64))


def _radii(cloud: Float[Array, "n k"]) -> Float[Array, " n"]:
    """Squared distance of every row to its third nearest other row; NaN, which covers no point, if there are fewer rows."""
    if len(cloud) <= N_NEIGHBOURS:
        return jnp.full(len(cloud), jnp.nan, cloud.dtype)
    (cloud, _) = centred(cloud, cloud)

    def row(indexed):
        index, point = indexed
        r2 = jnp.where(jnp.arange(len(cloud)) == index, jnp.inf, squared_distances(point, cloud))
        return -jax.lax.top_k(-r2, N_NEIGHBOURS)[0][-1]

    return over_points(row, (jnp.arange(len(cloud)), cloud), len(cloud))


def _covered(x: Float[Array, "n k"], y: Float[Array, "m k"], radii: Float[Array, " m"]) -> Scalar:
    """Share of the rows of `x` that lie in the ball of at least one row of `y`."""
    x, y = centred(x, y)
    within = over_points(lambda point: jnp.any(squared_distances(point, y) <= radii), x, len(y))
    return jnp.mean(within, dtype=y.dtype)


def precision_recall(x: Float[Array, "n k"], y: Float[Array, "m k"]) -> tuple[Scalar, Scalar]:
    """Precision, the share of `x` on the manifold of `y`, and recall, the share of `y` on the manifold of `x`.

    The manifold of a cloud is the union of balls around its rows, each with the distance to the third nearest other row as radius.
    Source: Kynkäänniemi et al. 2019 (arXiv:1904.06991), Eq. 1.
    """
    return _covered(x, y, _radii(y)), _covered(y, x, _radii(x))


def class_accuracy(labels: Int[Array, " n"], logits: Float[Array, "n c"]) -> Scalar:
    """Share of images that are classified as their requested class."""
    return jnp.mean(jnp.argmax(logits, axis=-1) == labels, dtype=logits.dtype)


def class_shares(logits: Float[Array, "n c"]) -> Float[Array, " c"]:
    """Share of images that are classified as each class."""
    return jnp.bincount(jnp.argmax(logits, axis=-1), length=logits.shape[-1]) / logits.shape[0]


class Judged(NamedTuple):
    """Features and class shares of held-out images, and the classifier that computed them."""

    classifier: Any
    features: Float[Array, "m k"]
    """Features, centred and divided by their root mean square deviation."""
    centre: Float[Array, " k"]
    unit: Scalar
    shares: Float[Array, " c"]
    within_y: dict[str, Scalar]


@jax.jit
def answers(classifier: Any, points: Particles) -> tuple[Float[Array, "n k"], Float[Array, "n c"]]:
    """Compute features and logits of points in batches of 256."""
    one = lambda point: jax.tree.map(lambda array: array[0], classifier.answers(point[None]))
    return jax.lax.map(one, points, batch_size=256)


@jax.jit
def judge(classifier: Any, y: Targets, bandwidths: Float[Array, " h"]) -> Judged:
    """Precompute all terms of the metrics that depend only on the held-out points `y` `[m d]`."""
    features, logits = answers(classifier, y)
    centre = jnp.mean(features, axis=0)
    unit = jnp.sqrt(jnp.mean(jnp.sum((features - centre) ** 2, axis=1)))
    features = (features - centre) / unit
    within_y = mean_over_distinct_pairs(scoring_kernels(bandwidths), features)
    return Judged(classifier, features, centre, unit, class_shares(logits), within_y)


def picture_metrics(
    x: Particles, judged: Judged, bandwidths: Float[Array, " h"], labels: Int[Array, " n"] | None = None
) -> dict[str, float]:
    """Image metrics of the points `x` `[n d]`, with the names in `METRICS`; `bandwidths` in units of the features.

    With `labels`, the requested classes, the result includes `class_accuracy`.
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
