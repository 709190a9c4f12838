"""One job: from a composed config to a finished run folder."""

import os
import time
from collections.abc import Callable
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


def describe(cfg: DictConfig, choices: dict[str, str]) -> Job:
    """Identity and folder of the run a config asks for; touches no device."""
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    name = run_name(config, choices)
    folder = folders.RunFolder(Path(config["paths"]["root"]).expanduser().absolute() / name)
    return Job(config, OmegaConf.to_yaml(cfg, resolve=True), run_id(config), name, choices, folder)


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


def carry_out(job: Job, say: Callable[[str], None]) -> dict[str, Any]:
    """Run a job to its end in its folder and return its summary.

    Raises ConfigError for a config that cannot run (before anything compiles) and RunIsLive when another process has it.
    """
    seed = _seed(job.config["seed"])
    pieces = {name: build(job.config[name], name) for name in _PIECES}
    check_writable(job.folder.path)
    with job.folder.lock():
        job.folder.begin(job.yaml, folders.manifest(job.id, folders.command_line()))
        try:
            return _train(job, pieces, seed, say)
        except Exception as error:
            job.folder.end("failed", folders.failure(error))
            raise


_PIECES = ("dataset", "drift", "generator", "optimizer", "training", "metrics", "tracking")


def problem_of(config: dict[str, Any]) -> Any:
    """The problem (target, drift, generator, optimiser and their numbers) of a resolved config."""
    return _problem({name: build(config[name], name) for name in _PIECES if name not in ("metrics", "tracking")})


def _problem(pieces: dict[str, Any]) -> Any:
    from gmdwgf.training.plan import make_problem

    plan = pieces["training"]
    return make_problem(pieces["dataset"], pieces["drift"], pieces["generator"], pieces["optimizer"], plan)


def _seed(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**32:
        raise ConfigError("seed", value, "must be a whole number from 0 to 2^32 - 1")
    return value


def _train(job: Job, pieces: dict[str, Any], seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    import jax

    from gmdwgf.plots.run import draw_run
    from gmdwgf.tracking import RunInfo, make_tracker
    from gmdwgf.training.compilation import CompileClock, keep_compiled_programs
    from gmdwgf.training.loop import Run, train

    keep_compiled_programs()
    clock = CompileClock()
    plan, problem = pieces["training"], _problem(pieces)

    def note(line: str) -> None:
        job.folder.note(line)
        say(line)

    info = RunInfo(job.id, job.name, job.folder.path, job.config, plan.n_steps)
    tracker = make_tracker(pieces["tracking"], info, note)
    began = time.perf_counter()
    summary: dict[str, Any] = {"status": "failed"}
    try:
        run = Run(problem, plan, pieces["metrics"], jax.random.key(seed), job.folder, tracker, note)
        outcome = train(run)
        summary = {"id": job.id, **outcome.summary, "wall_seconds": time.perf_counter() - began}
        if outcome.status != "interrupted":
            for figure in draw_run(run, outcome, job.choices.get("drift", ""), job.name):
                tracker.figure(figure.stem, figure)
            job.folder.end(outcome.status, summary | {"floor": outcome.reference.floor, "compile": clock.stop()})
    finally:
        tracker.finish(summary)
    return summary
