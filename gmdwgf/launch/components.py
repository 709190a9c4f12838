"""Build the components of a run from a resolved config."""

from typing import NamedTuple

import jax
from jax.sharding import Mesh

from gmdwgf.config.build import ConfigError, Find, any_object, build, errors_under
from gmdwgf.drifts.wrappers.feature_space import FeatureSpace
from gmdwgf.engine import devices
from gmdwgf.engine.multihost import DevicesConfig
from gmdwgf.generators.base import n_parameters
from gmdwgf.launch.drift_fields import BuiltDrift, build_drift
from gmdwgf.launch.extension import Parent, parent_of
from gmdwgf.launch.ignored import check_ignored
from gmdwgf.launch.kinds import check_kinds
from gmdwgf.launch.layout import OPTIONAL, check_keys
from gmdwgf.launch.on_manifold import check_manifold
from gmdwgf.launch.sizes import check_memory
from gmdwgf.launch.spec import RunSpec
from gmdwgf.mappings import Config
from gmdwgf.metrics import MetricSuite
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.tracking import TrackingConfig
from gmdwgf.training.all_data import with_moments
from gmdwgf.training.problem import Problem, TrainingPlan, assemble_problem

OF_PROBLEM = ("dataset", "generator", "optimizer", "training")
"""Required sections of a problem besides `drift`."""


class Components(NamedTuple):
    """Components of a run."""

    problem: Problem
    drift: BuiltDrift
    """The drift at its initial values, with its schedules and the values of its rules."""
    plan: TrainingPlan
    suite: MetricSuite
    tracking: TrackingConfig
    devices: DevicesConfig
    parent: Parent | None = None
    """Finished run that this one extends."""

    def mesh(self) -> Mesh | None:
        """Make the device mesh of the run. Raises ConfigError if there are too few devices or they do not divide the batch."""
        with errors_under("devices"):
            mesh = devices.make_mesh(self.devices.n)
        with errors_under("training"):
            devices.check_divides(mesh, "batch_size", self.plan.batch_size)
        return mesh


def build_components(spec: RunSpec) -> Components:
    """Build and check all components of a run. Raises ConfigError for invalid values, before anything compiles."""
    check_keys(spec.config)
    components = components_of(spec.config)
    check_memory(components.problem, components.plan, components.suite)
    if spec.folder.status() == "new":
        check_ignored(spec.config, spec.choices, components.problem.target)
    parent = parent_of(spec.config, spec.folder, components.problem.optimizer) if spec.writes else None
    return components._replace(parent=parent)


def components_of(config: Config) -> Components:
    """Build the objects of a resolved config; values that are objects already are used as they are."""
    problem, drift, plan = _problem(config)
    problem, told = _with_moments(problem, plan)
    drift = drift._replace(told=[*drift.told, *told])
    rest = {name: build(config[name], name) for name in ("metrics", "tracking", "devices")}
    check_kinds(rest)
    return Components(problem, drift, plan, rest["metrics"], rest["tracking"], rest["devices"])


def trainable_problem_of(config: Config) -> Problem:
    """Build the problem of a resolved config, with what is computed from the data before training."""
    problem, _, plan = _problem(config)
    return _with_moments(problem, plan)[0]


def problem_of(config: Config, target: AbstractTarget | None = None, find: Find = any_object) -> Problem:
    """Build the problem of a resolved config, with `target` in place of the configured one if given."""
    return _problem(config if target is None else config | {"dataset": target}, find)[0]


def _with_moments(problem: Problem, plan: TrainingPlan) -> tuple[Problem, list[str]]:
    with errors_under("training"):
        return with_moments(problem, plan)


def _problem(config: Config, find: Find = any_object) -> tuple[Problem, BuiltDrift, TrainingPlan]:
    parts = {name: build(config[name], name, find) for name in OF_PROBLEM}
    parts |= {name: build(config[name], name, find) if config.get(name) else None for name in OPTIONAL}
    check_kinds(parts)
    target, plan, features = parts["dataset"], parts["training"], parts["features"]
    drift = build_drift(config["drift"], target, find)
    check_kinds({"drift": drift.drift})
    manifold = target.manifold if parts["manifold"] is None else parts["manifold"]
    check_manifold(manifold, target, drift.drift.towards(target), plan, features)
    with errors_under("condition"):
        problem = assemble_problem(
            target,
            drift.drift,
            parts["generator"],
            parts["optimizer"],
            plan,
            drift.schedules,
            parts["condition"],
            features,
            manifold,
        )
    with errors_under("generator"):
        n_parameters(problem.generator, plan.batch_size, target.dim, problem.n_classes)
    if features is not None:
        _check_features(features, target)
    return problem, drift, plan


def _check_features(space: FeatureSpace, target: AbstractTarget) -> None:
    """Raise ConfigError if the feature maps cannot be applied to points of the target."""
    points = jax.eval_shape(lambda: target.sample(jax.random.key(0), 2))
    try:
        jax.eval_shape(space.maps.maps, points)
    except Exception as error:  # a user-defined map can raise any error
        made_for = f"cannot be applied to points in {target.dim} dimensions ({' '.join(str(error).split())[:120]})"
        raise ConfigError("features", type(space.maps).__name__, made_for) from error
