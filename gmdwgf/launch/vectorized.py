"""The launcher `vectorized`: jobs that differ only in real numbers and seeds are trained side by side, in this process.

Every job keeps its own folder, lock, curves, checkpoints, figures and tracker run, and is told of as under any other launcher.
"""

import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from rich.console import Console

from gmdwgf.config.build import ConfigError, build
from gmdwgf.launch import spec as jobs
from gmdwgf.launch.reporter import WORST, Voice
from gmdwgf.launch.summary import Ledger
from gmdwgf.runs.folder import RunIsLive
from gmdwgf.runs.standing import FINISHED, standing

WAYS = ("measure", "one_by_one", "together")


class Cell(NamedTuple):
    """A job that is to be run, and all it is made of."""

    job: jobs.Job
    voice: Voice
    pieces: dict[str, Any]
    problem: Any


class Settings(NamedTuple):
    """See `configs/hydra/launcher/vectorized.yaml`."""

    how: str
    n_devices: int | None
    max_runs: int
    memory_gb: float | int | None

    def check(self) -> None:
        """Raise ConfigError for a setting that cannot be used."""
        if self.how not in WAYS:
            raise ConfigError("hydra.launcher.how", self.how, "must be one of " + ", ".join(WAYS))
        for name in ("n_devices", "max_runs"):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= 1) and not (value is None and name == "n_devices"):
                raise ConfigError(f"hydra.launcher.{name}", value, "must be a whole number of at least 1")
        if self.memory_gb is not None and not self.memory_gb > 0:
            raise ConfigError("hydra.launcher.memory_gb", self.memory_gb, "must be greater than 0, or null")


def launch(
    context: HydraContext, config: DictConfig, job_overrides: Sequence[Sequence[str]], first: int, **settings: Any
) -> list[JobReturn]:
    """Carry out the jobs of a sweep, group by group; what Hydra's sweepers want back is in their order."""
    setup_globals()
    asked = Settings(**settings)
    asked.check()
    os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(os.cpu_count() or 1))  # read when JAX starts, which it has not yet
    results: dict[int, float] = {}
    cells: dict[int, Cell] = {}
    for number, overrides in enumerate(job_overrides, start=first):
        results[number], cell = _met(context.config_loader, config, number, list(overrides))
        if cell is not None:
            cells[number] = cell
    twins = _twins(cells)
    groups = list(_groups(cells, asked.max_runs))
    for place, numbers in enumerate(groups, start=1):
        title = f"group {place} of {len(groups)}"
        results |= _carry_out({number: cells.pop(number) for number in numbers}, title, asked)
    for number, (job, voice, *_) in twins.items():
        ended = job.folder.status() in ("done", "diverged")
        results[number] = voice.skipped(job) if ended else voice.left_out()
    return [_returned(value) for _, value in sorted(results.items())]


def _met(loader: ConfigLoader, config: DictConfig, number: int, overrides: list[str]) -> tuple[float, Cell | None]:
    """The job of a cell, ready to be run; or only its metric, where there is nothing to run."""
    cfg, choices, ledger = _composed(loader, config, number, overrides)
    voice, job = Voice(number, jobs.told(overrides), ledger), None
    try:
        job = jobs.describe(cfg, choices, overrides)
        if build(job.config["devices"], "devices").join():
            raise ConfigError("hydra/launcher", "vectorized", "works in one process; start the sweep in a single one")
        if cfg.sweep.dry:
            return jobs.rehearse(job, voice), None
        if standing(job.folder, job.config, job.yaml).state in FINISHED:
            return voice.skipped(job), None
        pieces = jobs.prepare(job)
        jobs.check_writable(job.folder.path)
        return WORST, Cell(job, voice, pieces, pieces["problem"])
    except Exception as error:
        return voice.failed(job, error), None


def _composed(loader: ConfigLoader, config: DictConfig, number: int, overrides: list[str]) -> tuple:
    """The config of one job as its task sees it, the choices it was composed of, and the sweep's ledger."""
    whole = loader.load_sweep_config(config, overrides)
    with open_dict(whole):
        whole.hydra.job.id = whole.hydra.job.num = number
    HydraConfig.instance().set_config(whole)
    choices = dict(whole.hydra.runtime.choices)
    with read_write(whole), open_dict(whole):
        cfg = OmegaConf.masked_copy(whole, [str(name) for name in whole if name != "hydra"])
    return cfg, choices, Ledger.of(cfg)


def _twins(cells: dict[int, Cell]) -> dict[int, Cell]:
    """Take out the jobs that ask for the same run as one before them."""
    firsts = {cell.job.folder.path: number for number, cell in reversed(cells.items())}
    return {n: cells.pop(n) for n, cell in list(cells.items()) if firsts[cell.job.folder.path] != n}


def _groups(cells: dict[int, Cell], max_runs: int) -> Iterator[list[int]]:
    """Numbers of the jobs that can be one program, in the order of the sweep."""
    from gmdwgf.engine.vectorized import signature

    alike: dict[tuple, list[int]] = {}
    for number, cell in cells.items():
        pieces = cell.pieces
        key = signature((cell.problem, pieces["training"], pieces["metrics"]))
        alike.setdefault(key, []).append(number)
    for numbers in alike.values():
        yield from (numbers[start : start + max_runs] for start in range(0, len(numbers), max_runs))


def _carry_out(cells: dict[int, Cell], title: str, settings: Settings) -> dict[int, float]:
    """Train the jobs of one group; returns their metrics."""
    from gmdwgf.launch.active_run import Session
    from gmdwgf.tracking.progress import SharedProgress

    job, voice, pieces, _ = next(iter(cells.values()))
    if job.config["sweep"]["fail_fast"] and voice.ledger is not None and voice.ledger.any_failed():
        return {number: cell.voice.left_out() for number, cell in cells.items()}
    title = f"{title} ({job.choices.get('drift', 'custom')} on {job.choices.get('dataset', 'custom')})"
    progress = SharedProgress(title, pieces["tracking"].line_every) if pieces["tracking"].progress else None
    results: dict[int, float] = {}
    sessions: dict[int, Session] = {}
    with contextlib.ExitStack() as open_folders:
        for number, (job, voice, pieces, _) in cells.items():
            try:
                left = open_folders.enter_context(job.folder.lock())
                if left:
                    voice.say(left)
                share = progress and progress.share()
                sessions[number] = Session(job, pieces, voice.say, voice.detail, progress=share)
            except Exception as error:
                results[number] = _failed(cells[number], error)
        try:
            return results | _trained(cells, sessions, _way(settings, f"{title}, {len(sessions)} runs"))
        finally:
            for session in sessions.values():
                session.close()


def _trained(cells: dict[int, Cell], sessions: dict[int, Any], way: Any) -> dict[int, float]:
    """Train the runs of the sessions, and bring each to its end as soon as it has one."""
    from gmdwgf.engine.loop import train_all
    from gmdwgf.engine.signals import Interrupted

    results, interrupted, numbers = {}, None, list(sessions)
    for row, outcome in train_all([session.run for session in sessions.values()], way):
        cell, session = cells[numbers[row]], sessions[numbers[row]]
        try:
            if isinstance(outcome, Exception):
                raise outcome
            results[numbers[row]] = cell.voice.finished(cell.job, session.finish(outcome))
        except Interrupted as stop:
            interrupted = stop
        except Exception as error:
            results[numbers[row]] = _failed(cell, error)
        finally:
            session.close()
    if interrupted:
        raise interrupted
    return results


def _failed(cell: Cell, error: Exception) -> float:
    if not isinstance(error, RunIsLive):
        cell.job.folder.fail(error)
    return cell.voice.failed(cell.job, error)


def _way(settings: Settings, title: str) -> Any:
    """What moves the runs of a group."""
    from gmdwgf.engine.auto import Measured
    from gmdwgf.engine.serial import OneByOne
    from gmdwgf.engine.vectorized import Together

    say = lambda line: Console(highlight=False, soft_wrap=True).print(f"{title}: {line}", markup=False)
    memory = None if settings.memory_gb is None else settings.memory_gb * 1e9
    together = functools.partial(Together, n_devices=settings.n_devices, memory=memory)
    ways = {"measure": functools.partial(Measured, together=together, say=say), "one_by_one": OneByOne}
    return ways.get(settings.how, together)


def _returned(value: float) -> JobReturn:
    result = JobReturn()
    result.return_value, result.status = value, JobStatus.COMPLETED
    return result
