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
from gmdwgf.training.problem import TrainingPlan

N_CHECKED = 256
"""Number of targets that are checked to lie on the manifold."""

FLAT_ONLY = {"lookahead": (1,), "noise_injection": (None,), "attraction": ("batch",)}
"""Fields of the plan that add vectors to points or average points, with the values that do not."""

OFF = 1e-3
"""Distance from the manifold, relative to a coordinate's size (or 1), beyond which points are not on it."""


def check_manifold(
    manifold: AbstractManifold,
    target: AbstractTarget,
    drift: AbstractDrift,
    plan: TrainingPlan,
    features: FeatureSpace | None,
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
    for name, flat in FLAT_ONLY.items():
        if (value := getattr(plan, name)) not in flat:
            fix = f"must be {flat[0] if flat[0] is not None else 'null'} on manifold={manifold.name}, where it is not defined"
            raise ConfigError(f"training.{name}", value, fix)
    if target.standardisation is not None:
        fix = "needs points in their own units, as standardising moves them off it; give dataset.standardise=none"
        raise ConfigError("manifold", manifold.name, fix)
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
