"""Execute a run from its spec: join processes, build its components, train in its folder; or only do a dry run."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from gmdwgf.config.build import ConfigError, build
from gmdwgf.engine import devices, multihost
from gmdwgf.engine.loop import train
from gmdwgf.engine.monitor import OnEvaluation
from gmdwgf.launch.active_run import ActiveRun
from gmdwgf.launch.bytecode import without_bytecode
from gmdwgf.launch.collections import resume_collections
from gmdwgf.launch.components import build_components
from gmdwgf.launch.reporter import Reporter
from gmdwgf.launch.spec import RunSpec
from gmdwgf.launch.workers import no_temporary_folder
from gmdwgf.mappings import Facts
from gmdwgf.runs.folder import ENDINGS, RunDir, RunVanished, reason
from gmdwgf.runs.standing import FINISHED, standing
from gmdwgf.tracking import Sink
from gmdwgf.training.step import check_step


def join_processes(spec: RunSpec) -> tuple[RunSpec, str]:
    """Join the other processes of the run, if any; returns the spec for this process and the state of the run folder.

    Process 0 determines the state. The others write to a temporary folder. Raises DamagedFile if the folder belongs to another
    run.
    """
    if not build(spec.config["devices"], "devices").join():
        return spec, standing(spec.folder, spec.config, spec.yaml).state
    states, is_main = ("new", "unfinished", *ENDINGS), multihost.is_main_process()
    try:
        found = states.index(standing(spec.folder, spec.config, spec.yaml).state) if is_main else 0
    except Exception as error:
        _abort_all(error, spec.folder.hide)
        raise
    state = states[int(multihost.broadcast_from_main(found))]
    if not is_main:
        elsewhere = _temporary_folder()
        atexit.register(shutil.rmtree, elsewhere, ignore_errors=True)
        spec = spec._replace(folder=RunDir(Path(elsewhere), spec.folder.hide), writes=False)
    return spec, state


def execute(
    spec: RunSpec,
    say: Callable[[str], None],
    detail: Callable[[str], None],
    *,
    progress: Sink | None = None,
    on_evaluation: OnEvaluation | None = None,
) -> Facts:
    """Train to the end in the run folder and return the summary.

    `say` prints messages and `detail` lines about the components. `progress` is an additional sink for progress, and
    `on_evaluation` is called at every evaluation (see `RunContext`). Raises ConfigError for an invalid config, before anything
    compiles, and RunIsLive if another process executes the run.
    """
    components = build_components(spec)
    mesh = components.mesh()
    check_writable(spec.folder.path)
    active = None
    with spec.folder.lock() as left:
        if left:
            say(left)
        try:
            active = ActiveRun(spec, components, say, detail, progress=progress, on_evaluation=on_evaluation)
            with devices.active(mesh):
                result = train(active.run)
            return active.finish(result)
        except Exception as error:
            found = error if spec.folder.is_there() else RunVanished(spec.folder.path)
            spec.folder.fail(found)
            _abort_all(found, spec.folder.hide)
            if found is not error:
                raise found from error
            raise
        finally:
            if active is not None:
                active.close()


def dry_run(spec: RunSpec, reporter: Reporter) -> float:
    """Report whether a run would be executed, skipped or fail, without executing it or writing files."""
    try:
        state, lines = standing(spec.folder, spec.config, spec.yaml)
        for line in lines:
            reporter.say(line)
        if state not in FINISHED:
            with without_bytecode():
                check(spec)
        return reporter.would(spec, state)
    except Exception as error:
        if reporter.number is None:
            raise
        return reporter.wrong(error, spec.folder.hide)


def check(spec: RunSpec) -> None:
    """Build all components of a run and trace one step abstractly, which raises any error without writing files."""
    components = build_components(spec)
    resume_collections()
    components.mesh()
    check_step(components.problem)


def check_writable(folder: Path) -> None:
    """Raise ConfigError unless the folder of a run can be created and written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink(missing_ok=True)  # a process that executes the run may have deleted it
    except OSError as error:
        fix = f"cannot be written ({error.strerror or error}); choose another folder, e.g. paths.root=runs"
        raise ConfigError("paths.root", str(folder.parent), fix) from error


def _temporary_folder() -> str:
    try:
        return tempfile.mkdtemp(prefix="gmdwgf-")
    except OSError as error:
        found = no_temporary_folder(error)
        _abort_all(found, str)
        raise found from error


def _abort_all(error: Exception, hide: Callable[[str], str]) -> None:
    """With several processes, exit this one at once, since the others cannot continue without it and may be waiting."""
    if multihost.is_multiprocess():
        line = str(error) if isinstance(error, ConfigError) else reason(error)
        multihost.abort(f"gmdwgf: {hide(' '.join(line.split()))[:300]}")
