"""One job: from a composed config to a finished run folder."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from gmdwgf.config.build import ConfigError, Find, any_object, build
from gmdwgf.launch.bytecode import without_bytecode
from gmdwgf.launch.environment import resolved
from gmdwgf.launch.extension import parent_of
from gmdwgf.launch.kinds import check_kinds
from gmdwgf.launch.layout import OPTIONAL, PIECES, check_keys, check_sections
from gmdwgf.launch.sizes import check_memory
from gmdwgf.launch.summary import check_name
from gmdwgf.launch.workers import no_temporary_folder
from gmdwgf.runs import folder as folders
from gmdwgf.runs.identity import check_choices, drift_file_id, run_id, run_name
from gmdwgf.runs.standing import FINISHED, standing


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
    shown: dict[str, Any] = {}
    """The config without the values of the environment, as `yaml` has it."""

    def drift_changed(self) -> bool:
        """Whether the file of the drift is another than when the run was begun: the id of a run does not tell."""
        before = self.folder.manifest().get("drift_file")
        return bool(before) and before != drift_file_id(self.config)


def describe(cfg: DictConfig, choices: dict[str, str], overrides: Iterable[str] = ()) -> Job:
    """Identity and folder of the run a config asks for; touches no device. Raises ConfigError for names that are no names."""
    check_choices(choices)
    config, shown, hidden = found = resolved(cfg)
    check_sections(config)
    check_name(config["sweep"]["name"])
    name = run_name(config, choices)
    folder = folders.RunFolder(Path(config["paths"]["root"]).expanduser().absolute() / name, hidden)
    yaml, command = found.yaml(cfg), ["python", "-m", "gmdwgf.train", *told(overrides)]
    return Job(config, yaml, run_id(config), name, choices, folder, command, config["sweep"]["name"], shown=shown)


def told(overrides: Iterable[str]) -> list[str]:
    """The overrides that say which run it is, without those on how the sweep goes on."""
    return [override for override in overrides if not override.startswith("sweep.")]


def meet(job: Job) -> tuple[Job, str]:
    """Join the other processes of the run, if there are any: the job for this process, and the state of its folder.

    Process 0 decides what state that is. What the others write goes to a folder that is thrown away. Raises DamagedFile where
    the folder is that of another run.
    """
    if not build(job.config["devices"], "devices").join():
        return job, standing(job.folder, job.config, job.yaml).state
    from gmdwgf.engine import multihost

    states = ("new", "unfinished", *folders.ENDINGS)
    try:
        found = states.index(standing(job.folder, job.config, job.yaml).state) if multihost.writes() else 0
    except Exception as error:
        _leave_the_others(error, job.folder.hide)
        raise
    state = states[int(multihost.told(found))]
    if not multihost.writes():
        elsewhere = _temporary_folder()
        atexit.register(shutil.rmtree, elsewhere, ignore_errors=True)
        job = job._replace(folder=folders.RunFolder(Path(elsewhere), job.folder.hide), writes=False)
    return job, state


def _temporary_folder() -> str:
    try:
        return tempfile.mkdtemp(prefix="gmdwgf-")
    except OSError as error:
        found = no_temporary_folder(error)
        _leave_the_others(found, str)
        raise found from error


def check_writable(folder: Path) -> None:
    """Raise ConfigError unless the folder of a run can be made and written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink(missing_ok=True)  # a process that holds the run may have swept it up
    except OSError as error:
        fix = f"cannot be written ({error.strerror or error}); choose another folder, e.g. paths.root=runs"
        raise ConfigError("paths.root", str(folder.parent), fix) from error


def carry_out(
    job: Job,
    say: Callable[[str], None],
    detail: Callable[[str], None],
    *,
    progress: Any = None,
    on_evaluation: Any = None,
) -> dict[str, Any]:
    """Run a job to its end in its folder and return its summary; `say` takes its news and `detail` what it is made of.

    `progress` is another sink to show how far it is, and `on_evaluation` is called at every evaluation, as `Run` says.

    Raises ConfigError for a config that cannot run (before anything compiles) and RunIsLive when another process has it.
    """
    pieces = prepare(job)
    mesh = make_run_mesh(pieces)
    check_writable(job.folder.path)
    from gmdwgf.engine import devices
    from gmdwgf.engine.loop import train
    from gmdwgf.launch.active_run import Session

    session = None
    with job.folder.lock() as left:
        if left:
            say(left)
        try:
            session = Session(job, pieces, say, detail, progress=progress, on_evaluation=on_evaluation)
            with devices.active(mesh):
                outcome = train(session.run)
            return session.finish(outcome)
        except Exception as error:
            found = error if job.folder.is_there() else folders.RunVanished(job.folder.path)
            job.folder.fail(found)
            _leave_the_others(found, job.folder.hide)
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
    make_run_mesh(pieces)
    check_step(pieces["problem"])


def rehearse(job: Job, voice: Any) -> float:
    """Say what would come of the job; run nothing."""
    try:
        state, lines = standing(job.folder, job.config, job.yaml)
        for line in lines:
            voice.say(line)
        if state not in FINISHED:
            with without_bytecode():
                check(job)
        return voice.would(job, state)
    except Exception as error:
        if voice.number is None:
            raise
        return voice.wrong(error, job.folder.hide)


def prepare(job: Job) -> dict[str, Any]:
    """Everything a job is made of, by config group; ConfigError for what cannot be used."""
    check_keys(job.config)
    pieces = build_pieces(job.config, PIECES)
    check_memory(pieces)
    return pieces | {"parent": parent_of(job.config, job.folder, pieces["optimizer"]) if job.writes else None}


def _leave_the_others(error: Exception, hide: Callable[[str], str]) -> None:
    """Where there are several processes, end this one on the spot: they cannot go on by themselves, and may wait for it."""
    from gmdwgf.engine import multihost

    if multihost.several():
        line = str(error) if isinstance(error, ConfigError) else folders.reason(error)
        multihost.leave(f"gmdwgf: {hide(' '.join(line.split()))[:300]}")


def problem_of(config: dict[str, Any], target: Any = None, find: Find = any_object) -> Any:
    """The problem (target, drift, generator, optimiser and their numbers) of a resolved config; with another target if given."""
    names = [name for name in PIECES if name not in ("metrics", "tracking", "devices")]
    return build_pieces(config, names, target, find)["problem"]


def build_pieces(
    config: dict[str, Any], names: Iterable[str], target: Any = None, find: Find = any_object
) -> dict[str, Any]:
    """The object of every piece, of the drift also its schedules and what its rules came to; and the problem they make."""
    from gmdwgf.launch.drift_fields import build_drift

    given = {} if target is None else {"dataset": target}
    pieces = {name: build(config[name], name, find) for name in names if name != "drift" and name not in given} | given
    pieces |= {name: build(config[name], name, find) for name in OPTIONAL if config.get(name)}
    pieces["drift"] = build_drift(config["drift"], pieces["dataset"], find)
    return pieces | {"problem": _problem(pieces)}


def _problem(pieces: dict[str, Any]) -> Any:
    """The problem made of the pieces of a job; ConfigError where they do not fit together."""
    from gmdwgf.config.fields import FieldError
    from gmdwgf.generators.base import n_parameters
    from gmdwgf.training.problem import make_problem

    check_kinds(pieces)
    target, generator, optimizer, plan = (pieces[name] for name in ("dataset", "generator", "optimizer", "training"))
    drift, schedules = pieces["drift"].drift, pieces["drift"].schedules
    optional = {name: pieces.get(name) for name in OPTIONAL}
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


def make_run_mesh(pieces: dict[str, Any]) -> Any:
    """The devices of the run; ConfigError where they are not there or cannot share the batch."""
    from gmdwgf.config.fields import FieldError
    from gmdwgf.engine import devices

    try:
        mesh = devices.make_mesh(pieces["devices"].n)
    except FieldError as error:
        raise ConfigError(f"devices.{error.name}", error.value, error.fix) from error
    try:
        devices.check_divides(mesh, "batch_size", pieces["training"].batch_size)
    except FieldError as error:
        raise ConfigError(f"training.{error.name}", error.value, error.fix) from error
    return mesh
