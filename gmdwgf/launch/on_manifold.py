"""Check that a manifold fits the target, the drift and the features of a run, before anything compiles."""

import jax
import jax.numpy as jnp

from gmdwgf.config.build import ConfigError, errors_under
from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.drifts.wrappers.feature_space import FeatureSpace
from gmdwgf.drifts.wrappers.on_manifold import on_manifold
from gmdwgf.manifolds import AbstractManifold, Euclidean
from gmdwgf.targets.absent import AbsentTarget
from gmdwgf.targets.base import AbstractTarget

N_CHECKED = 256
"""Number of targets that are checked to lie on the manifold."""

OFF = 1e-3
"""Distance from the manifold, relative to a coordinate's size (or 1), beyond which points are not on it."""


def check_manifold(
    manifold: AbstractManifold, target: AbstractTarget, drift: AbstractDrift, features: FeatureSpace | None
) -> None:
    """Raise ConfigError if the components cannot be used on the manifold."""
    with errors_under("drift"):
        on_manifold(drift, manifold)
    if isinstance(manifold, Euclidean):
        return
    with errors_under(""):
        manifold.check_dim(target.dim)
    if features is not None:
        raise ConfigError(
            "features", type(features.maps).__name__, f"are not supported on manifold={manifold.name}; omit one"
        )
    if target.standardisation is not None:
        how = getattr(target, "standardise", "true")
        fix = f"moves points off manifold={manifold.name}; give dataset.standardise=none"
        raise ConfigError("dataset.standardise", how, fix)
    if jax.tree.structure(manifold) != jax.tree.structure(target.manifold):
        _check_points(manifold, target)


def _check_points(manifold: AbstractManifold, target: AbstractTarget) -> None:
    """Check that targets lie on a manifold that is not their own."""
    if not isinstance(target.manifold, Euclidean):
        fix = f"the target lies on manifold={target.manifold.name}; omit it, or give manifold=euclidean for the ambient space"
        raise ConfigError("manifold", manifold.name, fix)
    if isinstance(target, AbsentTarget):
        return
    points = target.sample(jax.random.key(0), N_CHECKED)
    off = float(jnp.max(jnp.abs(manifold.project(points) - points) / jnp.maximum(1, jnp.abs(points))))
    if not off < OFF:
        fix = f"points of the target are up to {off:.2g} off it; project the data to it, or omit it"
        raise ConfigError("manifold", manifold.name, fix)
