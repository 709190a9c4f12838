"""Extend a finished run by more steps: find the run, and check that its steps are the first steps of the longer run.

A run can be extended only if nothing but `training.n_steps` differs and no step depends on it. The longer run is then equal, to the
bit, to a run from the start, and has its id and folder. Its manifest names the parent.
"""

from pathlib import Path
from typing import NamedTuple

from gmdwgf.config.build import ConfigError
from gmdwgf.mappings import Config, Facts
from gmdwgf.optim.optimizers import AbstractOptimizer, RateSchedule
from gmdwgf.runs.folder import RunDir
from gmdwgf.runs.identity import differences, run_id
from gmdwgf.runs.records import RunFiles

NEW_RUN = "or train from the start (extend=null)"

_ENDS = {
    "diverged": "diverged: a longer run would too",
    "live": "is still running; wait for it",
    "unfinished": "has not finished; finish it by its own command first",
    "failed": "has failed; finish it by its own command first",
}


class Parent(NamedTuple):
    """A finished run that another one extends."""

    folder: RunDir
    id: str
    n_steps: int

    def facts(self) -> Facts:
        """Entry about the parent in the manifest of the longer run."""
        return {"id": self.id, "folder": str(self.folder.path), "n_steps": self.n_steps}


def parent_of(config: Config, folder: RunDir, optimizer: AbstractOptimizer) -> Parent | None:
    """Find the run named by `extend`, or, if it is true, the longest that fits; None if the run already has checkpoints.

    Raises ConfigError if there is no such run, or if the longer run would differ from a run from the start.
    """
    wanted = config.get("extend")
    has_begun = any(path.name.isdigit() for path in folder.checkpoints.glob("*"))
    if wanted is None or wanted is False or has_begun:
        return None
    root = Path(config["paths"]["root"]).expanduser().absolute()
    found = _longest(root, config) if wanted is True else _named(root, wanted)
    if found is None:
        return None
    _check_fits(found, config)
    _check_rate(optimizer, found, config)
    return Parent(RunDir(found.path), found.id, int(found.n_steps or 0))


def _longest(root: Path, config: Config) -> RunFiles | None:
    """Find the finished run with the most steps among those that differ only in having fewer steps."""
    asked = run_id(config)
    ended = [RunFiles(path.parent) for path in sorted(root.glob("*/DONE.json"))]
    fitting = [run for run in ended if _is_shorter(run, config) and _id_with_steps_of(run.config, config) == asked]
    return max(fitting, key=lambda run: run.n_steps or 0, default=None)


def _named(root: Path, wanted: object) -> RunFiles:
    if not isinstance(wanted, str | int):
        raise ConfigError("extend", wanted, "give the folder of a run, its name or its id in quotes, true, or null")
    path = Path(str(wanted)).expanduser()
    if (path / "manifest.json").is_file():
        return RunFiles(path.absolute())
    beside = [path.parent for path in sorted(root.glob("*/manifest.json"))]
    for path in beside:
        if str(wanted) in (path.name, path.name.rpartition("-")[2]):
            return RunFiles(path)
    raise ConfigError("extend", wanted, f"is no run folder, and no name or id of a run in {root}; {NEW_RUN}")


def _is_shorter(run: RunFiles, config: Config) -> bool:
    return isinstance(run.n_steps, int) and run.n_steps < config["training"]["n_steps"]


def _id_with_steps_of(config: Config, other: Config) -> str:
    """Id of a run with the number of steps of another config."""
    return run_id(config | {"training": config["training"] | {"n_steps": other["training"]["n_steps"]}})


def _check_fits(parent: RunFiles, config: Config) -> None:
    """Raise ConfigError unless the parent is finished, unchanged, shorter, and otherwise the same."""
    name, n_steps = parent.name, config["training"]["n_steps"]
    if not isinstance(parent.config.get("training"), dict) or not isinstance(parent.n_steps, int):
        raise ConfigError("extend", name, f"its config.yaml cannot be read; give another run, {NEW_RUN}")
    if parent.state != "done":
        raise ConfigError("extend", name, f"{_ENDS[parent.state]}, {NEW_RUN}")
    if parent.n_steps >= n_steps:
        fix = f"must be more than the {parent.n_steps} steps of {name}, which extend names"
        raise ConfigError("training.n_steps", n_steps, fix)
    if _id_with_steps_of(parent.config, config) != run_id(config):
        different = differences(parent.config, config)
        different.pop("training.n_steps", None)
        differing = [f"{key} ({old} there, {new} here)" for key, (old, new) in different.items()]
        fix = f"differs in {', '.join(differing) or 'its data'}: only training.n_steps may; give the same, {NEW_RUN}"
        raise ConfigError("extend", name, fix)
    if run_id(parent.config) != parent.id:
        fix = f"its data have changed since it was trained; restore them, {NEW_RUN}"
        raise ConfigError("extend", name, fix)


def _check_rate(optimizer: AbstractOptimizer, parent: RunFiles, config: Config) -> None:
    """Raise ConfigError if the learning rate at a step depends on the number of steps."""
    n_steps, rate = config["training"]["n_steps"], optimizer.schedule
    if type(rate) is not RateSchedule or type(optimizer).update is not AbstractOptimizer.update:
        fix = "its optimiser is user-defined and may depend on training.n_steps; train from the start (extend=null)"
        raise ConfigError("extend", parent.name, fix)
    constant = [] if rate.decay == "constant" else ["optimizer.schedule.decay=constant"]
    constant += [] if float(rate.warmup_fraction) == 0 else ["optimizer.schedule.warmup_fraction=0"]
    if constant:
        fix = (
            f"the learning rate of {parent.name} was scheduled over its {parent.n_steps} steps, not over {n_steps}; "
            f"train runs to be extended later with {' '.join(constant)}, {NEW_RUN}"
        )
        raise ConfigError("extend", parent.name, fix)
