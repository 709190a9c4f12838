"""Load drifts and targets by config name, and finished runs from their folders."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gmdwgf.config.build import ConfigError, any_object, build, errors_under, load_node, options, shipped_piece
from gmdwgf.data import data_files
from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.drifts.wrappers.on_manifold import on_manifold
from gmdwgf.files import DamagedFile
from gmdwgf.generators.base import AbstractGenerator, Condition
from gmdwgf.manifolds import AbstractManifold
from gmdwgf.mappings import Config, Record
from gmdwgf.runs.folder import RunDir
from gmdwgf.runs.records import flatten
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.targets.standardisation import Standardisation, from_facts, in_data_units
from gmdwgf.typing import Key, Particles, PyTree


def load_drift(name: str, *, manifold: str | AbstractManifold | None = None, **fields: object) -> AbstractDrift:
    """Build the drift of `configs/drift/<name>.yaml`, or of the YAML file `name`, with the given fields changed.

    `manifold`, a name in `configs/manifold/` or an object, gives the drift for points of this manifold. In training it is not
    needed: drifts follow the manifold of the target.
    """
    drift = build(load_node("drift", name, fields), "drift")
    if manifold is None:
        return drift
    place = build(load_node("manifold", manifold, {}), "manifold") if isinstance(manifold, str) else manifold
    with errors_under("drift"):
        return on_manifold(drift, place)


def load_target(name: str, **fields: object) -> AbstractTarget:
    """Build the target of `configs/dataset/<name>.yaml`, or of the YAML or data file `name`, with the given fields changed."""
    if name not in options("dataset") and data_files.is_data(name):
        name, fields = "array", {"path": name} | fields
    return build(load_node("dataset", name, fields), "dataset")


class LoadedRun(NamedTuple):
    """A run loaded from its folder."""

    config: Config
    """The resolved config."""
    records: list[Record]
    """One record of metrics for each evaluation, in order of steps; can be passed to `pandas.DataFrame`."""
    samples: np.ndarray
    """Samples `[k n d]` at the steps `steps`."""
    steps: np.ndarray
    targets: np.ndarray
    """Held-out targets `[n d]`."""
    generator: AbstractGenerator
    params: PyTree
    """Parameters of the averaged generator at the loaded checkpoint."""
    step: int
    """Step of the loaded checkpoint."""
    standardisation: Standardisation | None = None
    """Map from the generator's points to the units of the data; None if they are in these units."""

    def __repr__(self) -> str:
        at, shape = (self.steps[-1] if len(self.steps) else 0), list(self.samples.shape)
        return (
            f"LoadedRun({len(self.records)} records, samples {shape} up to step {at}, {type(self.generator).__name__})"
        )

    def sample(self, key: Key, n: int, condition: Condition | None = None) -> Particles:
        """Draw `n` points from the trained generator, in the units of the data."""
        return in_data_units(self.standardisation, self.generator.sample(self.params, key, n, condition))


def load_run(
    folder: str | Path, *, which: str = "latest", ema_decay: float | None = None, trust: bool = False
) -> LoadedRun:
    """Load config, metrics, samples and generator of a run from its folder.

    `which` is `latest` or `best`: the checkpoint with the lowest gap (MMD^2 in older runs) among those saved at evaluations, or the
    latest if there is none. `ema_decay` selects an average of a run that has several, by default the first. A data file of the target
    is not read.
    Damaged or missing records and samples are omitted with a warning.

    Folders of unknown origin are safe to load: only classes of gmdwgf are instantiated, and no environment variable is read. With
    `trust=True` the config can name other classes (a drift, a schedule, a feature map), which are imported and called.
    """
    import jax

    from gmdwgf.engine.checkpoints import Checkpoints, from_host
    from gmdwgf.launch.components import problem_of
    from gmdwgf.launch.environment import filled
    from gmdwgf.training import ema
    from gmdwgf.training.state import initial_state

    run = RunDir(Path(folder))
    if run.status() == "new":
        raise ConfigError("folder", folder, "is not a run folder (it has no manifest.json)")
    config = run.config()
    records, clouds = _records_of(run), _clouds_of(run)
    find = any_object if trust else shipped_piece
    problem = problem_of(filled(config, trust), _stand_in(run, config, clouds), find)
    complaints: list[str] = []
    checkpoints = Checkpoints(run.checkpoints, complaints.append, writing=False)
    like = initial_state(problem, jax.random.key(config["seed"]))
    found = checkpoints.best(like) if which == "best" else checkpoints.latest(like)
    checkpoints.close()
    if found is None:
        raise ConfigError("folder", folder, "has no readable checkpoint" + "".join(f"; {line}" for line in complaints))
    with errors_under(""):
        params = ema.of(problem.ema_decay, from_host(found[0], like).ema_params, ema_decay)
    dim = problem.target.dim
    x, steps, y = clouds or (np.zeros((0, 0, dim)), np.zeros(0, int), np.zeros((0, dim)))
    at = int(found[0].step)
    return LoadedRun(config, records, x, steps, y, problem.generator, params, at, _standardisation(run, config, dim))


def _standardisation(run: RunDir, config: Config, dim: int) -> Standardisation | None:
    """The map from the generator's points to the units of the data, as recorded in the manifest."""
    facts = run.manifest().get("standardisation")
    try:
        if facts is None and (config.get("dataset") or {}).get("standardise", "none") != "none":
            raise ValueError("it is missing")
        return from_facts(facts, dim)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            "folder", run.path, f"its manifest.json has no valid standardisation ({error}); restore it"
        ) from error


def _stand_in(run: RunDir, config: Config, clouds: tuple[np.ndarray, ...] | None) -> AbstractTarget | None:
    """Placeholder for a target with a data file, which a generator does not need; None if the target can be built.

    Its sizes are those in the manifest of the run. For older runs the dimension is that of the samples, and the number of classes
    is read from the data file, if it exists.
    """
    from gmdwgf.targets.absent import AbsentTarget

    dataset = config.get("dataset") or {}
    paths = [key for key, value in flatten(dataset).items() if data_files.is_path_key(key) and isinstance(value, str)]
    if not paths:
        return None
    sizes = run.manifest().get("sizes", {})
    dim = sizes.get("dim") or (clouds[0].shape[2] if clouds else None)
    n_classes = sizes.get("n_classes", None if config.get("condition") else 0)
    if dim is not None and n_classes is not None:
        return AbsentTarget((dim, n_classes))
    if not all(data_files.names_a_file(key, flatten(dataset)[key]) for key in paths):
        fix = "does not exist, and the run does not record the dimension and classes of the target; restore the file to load it"
        raise ConfigError(f"dataset.{paths[0]}", flatten(dataset)[paths[0]], fix)
    return None


def _records_of(run: RunDir) -> list[Record]:
    """Read all intact records, with a warning for the others."""
    from gmdwgf.tracking import jsonl

    try:
        records, damage = jsonl.salvage(run.metrics)
    except OSError as error:
        warnings.warn(f"{run.metrics}: {error.strerror}; run.records is empty", stacklevel=3)
        return []
    if damage is not None:
        warnings.warn(f"{damage}; run.records has the others", stacklevel=3)
    return records


def _clouds_of(run: RunDir) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Read samples, their steps and the held-out targets; None with a warning if they cannot be read."""
    from gmdwgf.runs import snapshots

    try:
        kept = snapshots.read(run.samples)
    except (OSError, DamagedFile) as error:
        line = str(error) if isinstance(error, DamagedFile) else f"{run.samples}: {error.strerror}"
        warnings.warn(f"{line}; run.samples and run.targets are empty", stacklevel=3)
        return None
    return kept["x"], kept["steps"], kept["y"]
