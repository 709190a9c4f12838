"""One job: from a composed config to a finished run folder."""

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from gmdwgf.configuration import ConfigError, build
from gmdwgf.sweeps import folder as folders
from gmdwgf.sweeps.identity import run_id, run_name


class Job(NamedTuple):
    """A run that is known by name but not yet begun."""

    config: dict[str, Any]
    yaml: str
    id: str
    name: str
    choices: dict[str, str]
    """Which config was chosen of every group."""
    folder: folders.RunFolder
    writes: bool = True
    """Whether this process keeps what the run leaves; of several processes only one does."""


def describe(cfg: DictConfig, choices: dict[str, str]) -> Job:
    """Identity and folder of the run a config asks for; touches no device."""
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    name = run_name(config, choices)
    folder = folders.RunFolder(Path(config["paths"]["root"]).expanduser().absolute() / name)
    return Job(config, OmegaConf.to_yaml(cfg, resolve=True), run_id(config), name, choices, folder)


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
        elsewhere = tempfile.mkdtemp(prefix="gmdwgf-")
        atexit.register(shutil.rmtree, elsewhere, ignore_errors=True)
        job = job._replace(folder=folders.RunFolder(Path(elsewhere)), writes=False)
    return job, state


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
    seed = _seed(job.config["seed"])
    pieces = _build(job.config, _PIECES)
    pieces["mesh"] = _mesh(pieces)
    pieces["n_parameters"] = _n_parameters(pieces)
    check_writable(job.folder.path)
    with job.folder.lock():
        rules = {"rules": pieces["drift"].rules}
        job.folder.begin(job.yaml, folders.manifest(job.id, folders.command_line()) | rules)
        try:
            return _train(job, pieces, seed, say, detail)
        except Exception as error:
            job.folder.end("failed", folders.failure(error))
            _leave_the_others(error)
            raise


def _leave_the_others(error: Exception) -> None:
    """Where there are several processes, end this one on the spot: they cannot go on by themselves, and may wait for it."""
    from gmdwgf.training import hosts

    if hosts.several():
        hosts.leave(f"gmdwgf: {' '.join(folders.failure(error)['error'].split())[:200]}")


_PIECES = ("dataset", "drift", "generator", "optimizer", "training", "metrics", "tracking", "devices")

_OPTIONAL = ("condition", "features")
"""Pieces that a config may do without."""


def problem_of(config: dict[str, Any]) -> Any:
    """The problem (target, drift, generator, optimiser and their numbers) of a resolved config."""
    return _problem(_build(config, [name for name in _PIECES if name not in ("metrics", "tracking", "devices")]))


def _build(config: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The object of every piece; of the drift also its schedules and what its rules came to."""
    from gmdwgf.sweeps.fields import build_drift

    pieces = {name: build(config[name], name) for name in names if name != "drift"}
    pieces |= {name: build(config[name], name) for name in _OPTIONAL if config.get(name)}
    return pieces | {"drift": build_drift(config["drift"], pieces["dataset"])}


def _problem(pieces: dict[str, Any]) -> Any:
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
    return problem


def _seed(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**32:
        raise ConfigError("seed", value, "must be a whole number from 0 to 2^32 - 1")
    return value


def _train(job: Job, pieces: dict[str, Any], seed: int, say: Callable, detail: Callable) -> dict[str, Any]:
    import jax

    from gmdwgf.plots.run import draw_run
    from gmdwgf.tracking import RunInfo, make_tracker
    from gmdwgf.training import devices
    from gmdwgf.training.checkpoints import as_plain, as_state
    from gmdwgf.training.compilation import CompileClock, keep_compiled_programs
    from gmdwgf.training.loop import Run, train

    keep_compiled_programs()
    clock = CompileClock()
    plan, problem = pieces["training"], _problem(pieces)

    def note(line: str) -> None:
        job.folder.note(line)
        say(line)

    size = f"{type(pieces['generator']).__name__}: {pieces['n_parameters']:,} parameters"
    for line in [*pieces["drift"].introduction(), size]:
        job.folder.note(line)
        detail(line)
    info = RunInfo(job.id, job.name, job.folder.path, job.config, plan.n_steps)
    tracker = make_tracker(pieces["tracking"] if job.writes else None, info, note)
    began = time.perf_counter()
    summary: dict[str, Any] = {"status": "failed"}
    try:
        run = Run(problem, plan, pieces["metrics"], jax.random.key(seed), job.folder, tracker, note)
        with devices.active(pieces["mesh"]):
            outcome = train(run)
        summary = {"id": job.id, **outcome.summary, "wall_seconds": time.perf_counter() - began}
        if outcome.status != "interrupted" and job.writes:
            outcome = outcome._replace(state=as_state(as_plain(outcome.state), outcome.state))  # on one device
            for figure in draw_run(run, outcome, job.choices.get("drift", ""), job.name):
                tracker.figure(figure.stem, figure)
            job.folder.end(outcome.status, summary | {"floor": outcome.reference.floor, "compile": clock.stop()})
    finally:
        tracker.finish(summary)
    return summary


def _n_parameters(pieces: dict[str, Any]) -> int:
    """How many numbers are trained; ConfigError where the generator cannot make points of the dataset."""
    from gmdwgf.generators.base import n_parameters
    from gmdwgf.hyperparameters import FieldError

    try:
        return n_parameters(pieces["generator"], pieces["training"].batch_size, pieces["dataset"].dim)
    except FieldError as error:
        raise ConfigError(f"generator.{error.name}", error.value, error.fix) from error


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
