"""Check the classes of the components of a run."""

from inspect import Parameter

from gmdwgf.config.build import ConfigError
from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.drifts.wrappers.classwise import ClassCondition
from gmdwgf.drifts.wrappers.feature_space import FeatureSpace
from gmdwgf.engine.multihost import DevicesConfig
from gmdwgf.generators.base import AbstractGenerator
from gmdwgf.manifolds import AbstractManifold
from gmdwgf.mappings import Config
from gmdwgf.metrics import MetricSuite
from gmdwgf.optim.optimizers import AbstractOptimizer
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.tracking import TrackingConfig
from gmdwgf.training.problem import TrainingPlan

KINDS: dict[str, type] = {
    "dataset": AbstractTarget,
    "drift": AbstractDrift,
    "generator": AbstractGenerator,
    "optimizer": AbstractOptimizer,
    "training": TrainingPlan,
    "metrics": MetricSuite,
    "tracking": TrackingConfig,
    "devices": DevicesConfig,
    "condition": ClassCondition,
    "features": FeatureSpace,
    "manifold": AbstractManifold,
}
"""Base class of the objects of each section."""


def check_kinds(objects: Config) -> None:
    """Raise ConfigError for a component of another class, or for a mapping without `_target_`."""
    for name, piece in objects.items():
        kind = KINDS[name]
        if piece is None or isinstance(piece, kind):
            continue
        if isinstance(piece, dict):
            raise ConfigError(
                f"{name}._target_", Parameter.empty, f"is missing; give {name}=NAME, or the class to make"
            )
        raise ConfigError(
            f"{name}._target_", type(piece).__name__, f"must be of the class {kind.__name__}; give {name}=NAME"
        )
