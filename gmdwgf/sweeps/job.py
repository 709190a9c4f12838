"""One job: from a composed config to a finished run folder."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from gmdwgf.configuration import ConfigError, build, unknown_name
from gmdwgf.sweeps import folder as folders
from gmdwgf.sweeps.identity import drift_file_id, run_id, run_name
from gmdwgf.sweeps.workers import no_temporary_folder


class Job(NamedTuple):
    """A run that is known by name but not yet begun."""

    config: dict[str, Any]
    yaml: str
    id: str
    name: str
    choices: dict[str, str]
    """Which config was chosen of every group."""
    folder: folders.RunFolder
    command: list[str]
    """What to type to get this run, by itself."""
    sweep: str | None = None
    """The name of the sweep it belongs to."""
    writes: bool = True
    """Whether this process keeps what the run leaves; of several processes only one does."""

    def drift_changed(self) -> bool:
        """Whether the file of the drift is another than when the run was begun: the id of a run does not tell."""
        before = self.folder.manifest().get("drift_file")
        return bool(before) and before != drift_file_id(self.config)


def describe(cfg: DictConfig, choices: dict[str, str], overrides: Iterable[str] = ()) -> Job:
    """Identity and folder of the run a config asks for; touches no device."""
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    name = run_name(config, choices)
    folder = folders.RunFolder(Path(config["paths"]["root"]).expanduser().absolute() / name)
    yaml, command = OmegaConf.to_yaml(cfg, resolve=True), ["python", "-m", "gmdwgf.train", *told(overrides)]
    return Job(config, yaml, run_id(config), name, choices, folder, command, config["sweep"]["name"])


def told(overrides: Iterable[str]) -> list[str]:
    """The overrides that say which run it is, without those on how the sweep goes on."""
    return [override for override in overrides if not override.startswith("sweep.")]


def meet(job: Job) -> tuple[Job, str]:
    """Join the other processes of the run, if there are any: the job for this process, and the state of its folder.

    Process 0 decides what state that is. What the others write goes to a folder that is thrown away.
    """
    if not build(job.config["devices"], "devices").join():
        return job, job.folder.status()
    from gmdwgf.training import hosts

    states = ("new", "unfinished", *folders.ENDINGS)
    state = states[int(hosts.told(states.index(job.folder.status())))]
    if not hosts.writes():
        elsewhere = _temporary_folder()
        atexit.register(shutil.rmtree, elsewhere, ignore_errors=True)
        job = job._replace(folder=folders.RunFolder(Path(elsewhere)), writes=False)
    return job, state


def _temporary_folder() -> str:
    try:
        return tempfile.mkdtemp(prefix="gmdwgf-")
    except OSError as error:
        found = no_temporary_folder(error)
        _leave_the_others(found)
        raise found from error


def check_writable(folder: Path) -> None:
    """Raise ConfigError unless the folder of a run can be made and written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        fix = f"cannot be written ({error.strerror or error}); choose another folder, e.g. paths.root=runs"
        raise ConfigError("paths.root", str(folder.parent), fix) from error


def carry_out(job: Job, say: Callable[[str], None], detail: Callable[[str], None]) -> dict[str, Any]:
    """Run a job to its end in its folder and return its summary; `say` takes its news and `detail` what it is made of.

    Raises ConfigError for a config that cannot run (before anything compiles) and RunIsLive when another process has it.
    """
    pieces = prepare(job)
    mesh = _mesh(pieces)
    check_writable(job.folder.path)
    from gmdwgf.sweeps.session import Session
    from gmdwgf.training import devices
    from gmdwgf.training.loop import train

    session = None
    with job.folder.lock() as left:
        if left:
            say(left)
        try:
            session = Session(job, pieces, say, detail)
            with devices.active(mesh):
                outcome = train(session.run)
            return session.finish(outcome)
        except Exception as error:
            found = error if job.folder.is_there() else folders.RunVanished(job.folder.path)
            job.folder.fail(found)
            _leave_the_others(found)
            if found is not error:
                raise found from error
            raise
        finally:
            if session is not None:
                session.close()


def check(job: Job) -> None:
    """Build all that a job needs and go through one step of it with shapes alone; raises what is wrong, writes nothing."""
    from gmdwgf.training.step import check_step

    pieces = prepare(job)
    _mesh(pieces)
    check_step(pieces["problem"])


def rehearse(job: Job, voice: Any) -> float:
    """Say what would come of the job; run nothing."""
    state = job.folder.status()
    try:
        if state not in ("done", "diverged"):
            check(job)
        return voice.would(job, state)
    except Exception as error:
        if voice.number is None:
            raise
        return voice.wrong(error)


def prepare(job: Job) -> dict[str, Any]:
    """Everything a job is made of, by config group; ConfigError for what cannot be used."""
    _check_keys(job.config)
    missing = [name for name in _PIECES if not isinstance(job.config.get(name), dict)]
    if missing:
        raise ConfigError(missing[0], job.config.get(missing[0], "null"), f"a run has one: {missing[0]}=NAME")
    seed_of(job.config)
    return _build(job.config, _PIECES)


def _leave_the_others(error: Exception) -> None:
    """Where there are several processes, end this one on the spot: they cannot go on by themselves, and may wait for it."""
    from gmdwgf.training import hosts

    if hosts.several():
        line = str(error) if isinstance(error, ConfigError) else folders.reason(error)
        hosts.leave(f"gmdwgf: {' '.join(line.split())[:300]}")


_PIECES = ("dataset", "drift", "generator", "optimizer", "training", "metrics", "tracking", "devices")

_OPTIONAL = ("condition", "features")
"""Pieces that a config may do without."""


def problem_of(config: dict[str, Any]) -> Any:
    """The problem (target, drift, generator, optimiser and their numbers) of a resolved config."""
    return _build(config, [name for name in _PIECES if name not in ("metrics", "tracking", "devices")])["problem"]


def _build(config: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The object of every piece, of the drift also its schedules and what its rules came to; and the problem they make."""
    from gmdwgf.sweeps.fields import build_drift

    pieces = {name: build(config[name], name) for name in names if name != "drift"}
    pieces |= {name: build(config[name], name) for name in _OPTIONAL if config.get(name)}
    pieces["drift"] = build_drift(config["drift"], pieces["dataset"])
    return pieces | {"problem": _problem(pieces)}


def _problem(pieces: dict[str, Any]) -> Any:
    """The problem made of the pieces of a job; ConfigError where they do not fit together."""
    from gmdwgf.generators.base import n_parameters
    from gmdwgf.hyperparameters import FieldError
    from gmdwgf.training.plan import make_problem

    target, generator, optimizer, plan = (pieces[name] for name in ("dataset", "generator", "optimizer", "training"))
    drift, schedules = pieces["drift"].drift, pieces["drift"].schedules
    optional = {name: pieces.get(name) for name in _OPTIONAL}
    try:
        problem = make_problem(target, drift, generator, optimizer, plan, schedules, **optional)
    except FieldError as error:
        raise ConfigError(f"condition.{error.name}", error.value, error.fix) from error
    try:
        n_parameters(generator, plan.batch_size, target.dim, problem.n_classes)
    except FieldError as error:
        raise ConfigError(f"generator.{error.name}", error.value, error.fix) from error
    _check_features(pieces.get("features"), target)
    return problem


def _check_features(space: Any, target: Any) -> None:
    """Raise ConfigError for features that cannot be taken of points of the target."""
    import jax

    if space is None:
        return
    points = jax.eval_shape(lambda: target.sample(jax.random.key(0), 2))
    try:
        jax.eval_shape(space.maps.maps, points)
    except Exception as error:  # a map of the user's own may fail in any way
        made_for = f"cannot be taken of points of {target.dim} numbers ({' '.join(str(error).split())[:120]})"
        raise ConfigError("features", type(space.maps).__name__, made_for) from error


def _check_keys(config: dict[str, Any]) -> None:
    """Raise ConfigError for a top-level key that nothing reads: `+sed=3` would otherwise be a run of seed 0."""
    known = ["seed", "paths", "sweep", *_PIECES, *_OPTIONAL]
    for name, value in config.items():
        if name not in known and not name.startswith("_"):
            raise ConfigError(name, value, f"{unknown_name(name, known)} (a name that begins with _ is left alone)")


def seed_of(config: dict[str, Any]) -> int:
    """The seed; ConfigError where it cannot be one."""
    value = config["seed"]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**32:
        raise ConfigError("seed", value, "must be a whole number from 0 to 2^32 - 1")
    return value


def _mesh(pieces: dict[str, Any]) -> Any:
    """The devices of the run; ConfigError where they are not there or cannot share the batch."""
    from gmdwgf.hyperparameters import FieldError
    from gmdwgf.training import devices

    try:
        mesh = devices.make_mesh(pieces["devices"].n)
    except FieldError as error:
        raise ConfigError(f"devices.{error.name}", error.value, error.fix) from error
    try:
        devices.check_divides(mesh, "batch_size", pieces["training"].batch_size)
    except FieldError as error:
        raise ConfigError(f"training.{error.name}", error.value, error.fix) from error
    return mesh
