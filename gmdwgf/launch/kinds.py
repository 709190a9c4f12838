"""Whether every piece of a run is of the kind that its place asks for."""

from inspect import Parameter
from typing import Any

from gmdwgf.config.build import ConfigError


def check_kinds(pieces: dict[str, Any]) -> None:
    """Raise ConfigError for a piece that is something else, or nothing but a mapping of its fields."""
    for name, kind in _kinds().items():
        piece = pieces[name].drift if name == "drift" else pieces.get(name)
        if piece is None or isinstance(piece, kind):
            continue
        if isinstance(piece, dict):
            raise ConfigError(
                f"{name}._target_", Parameter.empty, f"is missing; give {name}=NAME, or the class to make"
            )
        raise ConfigError(
            f"{name}._target_", type(piece).__name__, f"must be of the class {kind.__name__}; give {name}=NAME"
        )


def _kinds() -> dict[str, type]:
    from gmdwgf.drifts.base import AbstractDrift
    from gmdwgf.drifts.wrappers.classwise import ClassCondition
    from gmdwgf.drifts.wrappers.feature_space import FeatureSpace
    from gmdwgf.engine.multihost import DevicesConfig
    from gmdwgf.generators.base import AbstractGenerator
    from gmdwgf.metrics import MetricSuite
    from gmdwgf.optim.optimizers import AbstractOptimizer
    from gmdwgf.targets.base import AbstractTarget
    from gmdwgf.tracking import TrackingConfig
    from gmdwgf.training.problem import TrainingPlan

    return {
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
    }
