"""Convert arguments of the Python API (names, objects, numbers) to the config and components of a run."""

import dataclasses
import inspect
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import equinox as eqx
import jax
import numpy as np
from numpy.typing import ArrayLike
from omegaconf import DictConfig, OmegaConf

from gmdwgf.config.build import ConfigError, config_dir, load_node, options, unknown_name
from gmdwgf.config.composition import compose
from gmdwgf.config.fields import FieldError
from gmdwgf.config.moved import current_field, notice
from gmdwgf.data import data_files
from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.drifts.wrappers.classwise import ClassCondition
from gmdwgf.drifts.wrappers.feature_space import FeatureSpace
from gmdwgf.generators.base import AbstractGenerator
from gmdwgf.generators.particles import ParticlesGenerator
from gmdwgf.launch.components import trainable_problem_of
from gmdwgf.launch.ignored import check_ignored
from gmdwgf.launch.kinds import KINDS
from gmdwgf.manifolds import AbstractManifold
from gmdwgf.mappings import Config
from gmdwgf.optim.optimizers import AbstractOptimizer
from gmdwgf.optim.schedules import SCHEDULES, AbstractSchedule
from gmdwgf.targets.arrays import ArrayTarget
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.targets.functions import FunctionTarget
from gmdwgf.training.problem import Problem
from gmdwgf.typing import Array, Key

if TYPE_CHECKING:
    import pyarrow as pa

NUMBERED = ("training", "optimizer", "generator", "metrics")
"""Groups whose fields can be keyword arguments; their names are unique across these groups."""

TargetLike = str | AbstractTarget | ArrayLike | Callable[[Key, int], Array]
"""A target: its name, the path of a data file, an object, points `[N d]`, a data frame, or a function `(key, n) -> [n d]`."""


class Chosen(NamedTuple):
    """Config and given objects of a run, before anything is built."""

    cfg: DictConfig
    """The config, in which every given object is represented by its `_target_` and fields."""
    choices: dict[str, str]
    """Name of the choice in every group: of the YAML file, or of the class of the object."""
    objects: Config
    """Objects given in place of names, by group."""
    unnamed: list[str]
    """Groups whose objects cannot be described by a config; `cfg` contains only their repr."""
    rows: "np.ndarray | pa.Table | None"
    """The points, if the target was given as an array or a data frame."""

    def config(self) -> Config:
        """The resolved config."""
        return OmegaConf.to_container(self.cfg, resolve=True)  # type: ignore[return-value]

    def name(self) -> str:
        """Names of target and drift, as in the name of the run folder."""
        return f"{self.choices['dataset']}-{self.choices['drift']}"

    def with_objects(self) -> Config:
        """The resolved config, with given objects in place of their descriptions."""
        return self.config() | self.objects


def choose(
    target: TargetLike,
    drift: str | AbstractDrift,
    *,
    generator: str | AbstractGenerator = "mlp",
    optimizer: str | AbstractOptimizer | None = None,
    condition: str | ClassCondition | None = None,
    features: str | FeatureSpace | None = None,
    manifold: str | AbstractManifold | None = None,
    schedules: Mapping[str, AbstractSchedule] | None = None,
    seed: object = 0,
    **numbers: object,
) -> Chosen:
    """Compose the config from the arguments of `gmdwgf.fit`. Raises ConfigError for unknown names and invalid values."""
    given = {"dataset": target, "drift": drift, "generator": generator, "optimizer": optimizer}
    given |= {"condition": condition, "features": features, "manifold": manifold}
    is_data = isinstance(target, str) and target not in options("dataset") and data_files.is_data(target)
    data = target if is_data else None
    given |= {"dataset": target if data is None else "array"}
    names = {group: value for group, value in given.items() if isinstance(value, str)}
    objects = {group: value for group, value in given.items() if value is not None and group not in names}
    rows = _as_rows(target)
    if "dataset" in objects:
        objects["dataset"] = _as_target(target, rows)
    for group, value in objects.items():
        _check_kind(group, value)
    # The config of free particles selects their optimiser, also if they are given as an object.
    brought = {"generator": "particles"} if isinstance(generator, ParticlesGenerator) else {}
    cfg = compose(names | brought)
    cfg["seed"] = seed
    if data is not None:
        cfg["dataset"]["path"] = data
    _set_numbers(cfg, {name: value for name, value in numbers.items() if value is not None}, objects)
    unnamed = [group for group, value in objects.items() if not _describe(cfg, group, value)]
    choices = {group: Path(name).stem for group, name in names.items()}
    choices |= {group: _choice(group, value) for group, value in objects.items()}
    choices |= {"dataset": "array"} if rows is not None else {}
    if schedules:
        if "drift" in unnamed:
            raise ConfigError("drift", type(drift).__name__, "can have schedules only if its fields determine it")
        objects.pop("drift", None)  # it is rebuilt from the config, with its schedules
        _set_schedules(cfg, schedules)
    return Chosen(cfg, choices, objects, unnamed, rows)


def make_problem(
    target: TargetLike,
    drift: str | AbstractDrift,
    *,
    generator: str | AbstractGenerator = "mlp",
    optimizer: str | AbstractOptimizer | None = None,
    condition: str | ClassCondition | None = None,
    features: str | FeatureSpace | None = None,
    manifold: str | AbstractManifold | None = None,
    schedules: Mapping[str, AbstractSchedule] | None = None,
    **numbers: object,
) -> Problem:
    """Make the problem of a training run, the input of `gmdwgf.train_step`, for your own training loop.

        problem = gmdwgf.make_problem("eight_gaussians", "kl", batch_size=256, n_steps=1000)
        state = gmdwgf.initial_state(problem, jax.random.key(0))
        step = jax.jit(gmdwgf.train_step)
        for _ in range(1000):
            state, logs = step(problem, state)  # logs: loss, v_rms, grad_norm, learning_rate, ...
        x = problem.generator.sample(state.params, jax.random.key(1), 500)  # [500 d]

    Arguments and defaults are those of `gmdwgf.fit`; `n_steps` is the length of the schedules of the learning rate and of the
    drift. Real numbers are traced, so changing `eta` or a bandwidth does not recompile; changing `batch_size` does.
    `state.params` are the parameters, `state.ema_params` their average. Raises ConfigError for an invalid key or value.
    """
    chosen = choose(
        target,
        drift,
        generator=generator,
        optimizer=optimizer,
        condition=condition,
        features=features,
        manifold=manifold,
        schedules=schedules,
        **numbers,
    )
    problem = trainable_problem_of(chosen.with_objects())
    check_ignored(chosen.config(), chosen.choices, problem.target)
    return problem


def as_node(value: object) -> object:
    """Describe an object as a config node: `_target_` and its fields. Raises TypeError if they do not determine it."""
    if isinstance(value, eqx.Module):
        return _module_node(value)
    if isinstance(value, list | tuple):
        return [as_node(item) for item in value]
    if isinstance(value, np.ndarray | np.generic | jax.Array) and np.ndim(value) < 2:
        numbers = _numbers(value)
        return numbers if np.ndim(value) else numbers[0]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} cannot be stored in a config")


def _module_node(module: eqx.Module) -> Config:
    kind, fields = type(module), dataclasses.fields(module)
    if list(inspect.signature(kind).parameters) != [field.name for field in fields]:
        raise TypeError(f"{kind.__name__} is not determined by its fields")
    target = {"_target_": f"{kind.__module__}.{kind.__qualname__}"}
    return target | {field.name: _field_node(field, getattr(module, field.name)) for field in fields}


def _numbers(value: np.ndarray | np.generic | jax.Array) -> list[float]:
    """Numbers of an array, each from the shortest decimal representation with the same bits."""
    return [float(str(number)) for number in np.ravel(np.asarray(value))]


def _field_node(field: dataclasses.Field, value: object) -> object:
    """A field as in a YAML file; a list of one number becomes that number if the field converts numbers to lists."""
    convert = field.metadata.get("converter")
    if isinstance(value, jax.Array) and value.shape == (1,) and convert is not None:
        number = _numbers(value)[0]
        return number if np.shape(convert(number)) == (1,) else [number]
    return as_node(value)


def _describe(cfg: DictConfig, group: str, value: object) -> bool:
    """Store the description of an object in the config; returns whether it determines the object."""
    try:
        cfg[group] = as_node(value)
    except TypeError:
        cfg[group] = repr(value).replace("$", "")
        return False
    return True


def _choice(group: str, value: object) -> str:
    """Name of an object in folders and figures: of the YAML file of its class, or of the class itself."""
    kind = type(value)
    line = f"_target_: {kind.__module__}.{kind.__qualname__}\n"
    files = sorted((config_dir() / group).glob("*.yaml"), key=lambda path: (len(path.stem), path.stem))
    return next((path.stem for path in files if line in path.read_text()), kind.__name__)


def _as_rows(target: object) -> "np.ndarray | pa.Table | None":
    """The target as an array (NumPy, JAX, PyTorch, a list of points) or as a table (pandas, polars, pyarrow); None for others."""
    if hasattr(target, "columns") and (hasattr(target, "__arrow_c_stream__") or hasattr(target, "dtypes")):
        import pyarrow as pa

        return pa.table(target).replace_schema_metadata(None)  # type: ignore[arg-type]  # a data frame
    if isinstance(target, list | tuple) or hasattr(target, "__array__"):
        return np.asarray(target)
    return None


def _as_target(target: TargetLike, rows: np.ndarray | None) -> object:
    try:
        if rows is not None:
            split = load_node("dataset", "array", {})
            return ArrayTarget(rows, None, split.held_out_fraction, split.split_seed, split.standardise)
        if callable(target) and not isinstance(target, AbstractTarget | type):
            return FunctionTarget(target)
    except FieldError as error:
        shown = (
            f"{'array' if isinstance(rows, np.ndarray) else 'table'} {list(rows.shape)}"
            if rows is not None
            else error.value
        )
        raise ConfigError("target", shown, error.fix) from error
    return target


def _check_kind(group: str, value: object) -> None:
    key = "target" if group == "dataset" else group
    also = ", an array [N d] or a function (key, n) -> [n d]" if group == "dataset" else ""
    if isinstance(value, type) and issubclass(value, KINDS[group]):
        raise ConfigError(key, value.__name__, f"is a class; pass an instance of it: {value.__name__}(...)")
    if not isinstance(value, KINDS[group]):
        fix = f"must be the name of a config, an object of {KINDS[group].__name__}{also}"
        raise ConfigError(key, type(value).__name__, fix)


def _set_numbers(cfg: DictConfig, numbers: Config, objects: Config) -> None:
    """Set fields of the groups in `NUMBERED` that are not given as objects."""
    owners = {
        str(name): group
        for group in NUMBERED
        if group not in objects
        for name, value in cfg[group].items()
        if name != "_target_" and not OmegaConf.is_dict(value)
    }
    for name, value in numbers.items():
        old = f"{name}={value}"
        name, value = current_field("training", name, value)
        if old != f"{name}={value}":
            warnings.warn(notice(old, f"{name}={value}"), FutureWarning, stacklevel=4)
        if name not in owners:
            raise ConfigError(name, value, _no_field(cfg, name, list(owners), objects))
        OmegaConf.update(cfg, f"{owners[name]}.{name}", _plain(value), merge=False)


def _no_field(cfg: DictConfig, name: str, known: list[str], objects: Config) -> str:
    """Suggestion in place of the unknown argument `name`."""
    for group, value in objects.items():
        if name in {field.name for field in dataclasses.fields(value)}:
            return f"is a field of the {_argument(group)}, which is an object here; set it there"
    for group in ("drift", "dataset"):
        if OmegaConf.is_dict(cfg[group]) and name in cfg[group]:
            word = _argument(group)
            return f"is a field of the {word}; use {word}=gmdwgf.load_{word}(NAME, {name}=...)"
    return unknown_name(name, known)


def _argument(group: str) -> str:
    return "target" if group == "dataset" else group


def _plain(value: object) -> object:
    """Convert a value to plain Python types for a config."""
    if hasattr(value, "__array__"):
        return (
            as_node(np.asarray(value))
            if np.issubdtype(np.asarray(value).dtype, np.floating)
            else np.asarray(value).tolist()
        )
    return list(value) if isinstance(value, tuple) else value


def _set_schedules(cfg: DictConfig, schedules: Mapping[str, AbstractSchedule]) -> None:
    short = {kind: name for name, kind in SCHEDULES.items()}
    for path, schedule in schedules.items():
        if not isinstance(schedule, AbstractSchedule):
            fix = "must be a schedule of gmdwgf.optim, by the field's name: {'bandwidth': Linear(...)}"
            raise ConfigError(f"schedules.{path}", schedule, fix)
        if OmegaConf.select(cfg.drift, path) is None:
            raise ConfigError(
                f"schedules.{path}", type(schedule).__name__, unknown_name(path, [str(k) for k in cfg.drift])
            )
        node = _module_node(schedule)
        name = node.pop("_target_")
        OmegaConf.update(cfg, f"drift.{path}", {"schedule": short.get(type(schedule), name)} | node, merge=False)
