"""For notebooks and tests: drifts and targets by their config names, finished runs by their folders."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from omegaconf import OmegaConf

from gmdwgf.configuration import ConfigError, build, load_node
from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.generators.base import Condition
from gmdwgf.hyperparameters import FieldError
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Key, Particles


def load_drift(name: str, **fields: Any) -> AbstractDrift:
    """The drift of `configs/drift/<name>.yaml` (or of a YAML file of your own) with some fields changed."""
    return build(load_node("drift", name, fields), "drift")


def load_target(name: str, **fields: Any) -> AbstractTarget:
    """The target of `configs/dataset/<name>.yaml` (or of a YAML file of your own) with some fields changed."""
    return build(load_node("dataset", name, fields), "dataset")


class LoadedRun(NamedTuple):
    """A run read back from its folder."""

    config: dict[str, Any]
    """The resolved config."""
    records: list[dict[str, Any]]
    """The metrics, one record an evaluation, in the order of the steps; a table for `pandas.DataFrame(run.records)`."""
    samples: np.ndarray
    """Samples `[k n d]` at the steps `steps`."""
    steps: np.ndarray
    targets: np.ndarray
    """Held-out targets `[n d]`."""
    generator: Any
    params: Any
    """Parameters of the averaged generator at the checkpoint that was asked for."""
    step: int
    """The step of that checkpoint."""

    def __repr__(self) -> str:
        at, shape = (self.steps[-1] if len(self.steps) else 0), list(self.samples.shape)
        return (
            f"LoadedRun({len(self.records)} records, samples {shape} up to step {at}, {type(self.generator).__name__})"
        )

    def sample(self, key: Key, n: int, condition: Condition | None = None) -> Particles:
        """`n` fresh points of the trained generator."""
        return self.generator.sample(self.params, key, n, condition)


def load_run(folder: str | Path, *, which: str = "latest", ema_decay: float | None = None) -> LoadedRun:
    """Config, metrics, samples and restored generator of a run folder; `which` is `latest` or `best`: the
    checkpoint with the lowest MMD^2 of those whose own parameters were scored, or the latest where none was.

    `ema_decay` chooses among the averages of a run that has several; the first is taken by default.
    """
    import jax

    from gmdwgf.sweeps.folder import RunFolder
    from gmdwgf.sweeps.job import problem_of
    from gmdwgf.tracking import jsonl
    from gmdwgf.training import averages
    from gmdwgf.training.checkpoints import Checkpoints, as_state
    from gmdwgf.training.state import initial_state

    run = RunFolder(Path(folder))
    if run.status() == "new":
        raise ConfigError("folder", folder, "is not a run folder (it has no manifest.json)")
    config: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(run.path / "config.yaml"))  # type: ignore[assignment]
    problem = problem_of(config)
    complaints: list[str] = []
    checkpoints = Checkpoints(run.checkpoints, complaints.append, writing=False)
    like = initial_state(problem, jax.random.key(config["seed"]))
    found = checkpoints.best(like) if which == "best" else checkpoints.latest(like)
    checkpoints.close()
    if found is None:
        raise ConfigError("folder", folder, "has no readable checkpoint" + "".join(f"; {line}" for line in complaints))
    try:
        params = averages.of(problem.ema_decay, as_state(found[0], like).ema_params, ema_decay)
    except FieldError as error:
        raise ConfigError(error.name, error.value, error.fix) from error
    with np.load(run.samples) as kept:
        samples, steps, targets = kept["x"], kept["steps"], kept["y"]
    return LoadedRun(
        config, jsonl.read(run.metrics), samples, steps, targets, problem.generator, params, int(found[0].step)
    )
