"""Prepare the jobs of a sweep, group those that can share a program, and train each group concurrently."""

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from rich.console import Console

from gmdwgf.config.build import ConfigError, build
from gmdwgf.engine.loop import MakeExecutor, train_all
from gmdwgf.engine.signals import Interrupted
from gmdwgf.engine.vectorized import signature
from gmdwgf.launch.active_run import ActiveRun
from gmdwgf.launch.components import Components, build_components
from gmdwgf.launch.execute import check_writable, dry_run
from gmdwgf.launch.ledger import SweepLedger
from gmdwgf.launch.reporter import WORST, Reporter
from gmdwgf.launch.spec import RunSpec, make_spec, run_overrides
from gmdwgf.runs.folder import RunIsLive
from gmdwgf.runs.standing import FINISHED, standing
from gmdwgf.tracking.progress import SharedProgress


class PreparedRun(NamedTuple):
    """Spec, reporter and components of a run."""

    spec: RunSpec
    reporter: Reporter
    components: Components


def prepare(
    loader: ConfigLoader, config: DictConfig, number: int, overrides: list[str]
) -> tuple[float, PreparedRun | None]:
    """Prepare a job; returns its metric if there is nothing to run, and the prepared run otherwise."""
    cfg, choices, ledger = _composed(loader, config, number, overrides)
    reporter, spec = Reporter(number, run_overrides(overrides), ledger), None
    try:
        spec = make_spec(cfg, choices, overrides)
        for line in spec.notices:
            reporter.say(line)
        if build(spec.config["devices"], "devices").join():
            raise ConfigError(
                "hydra/launcher", "vectorized", "does not support several processes; start the sweep in a single one"
            )
        if cfg.sweep.dry:
            return dry_run(spec, reporter), None
        if standing(spec.folder, spec.config, spec.yaml).state in FINISHED:
            return reporter.skipped(spec), None
        components = build_components(spec)
        check_writable(spec.folder.path)
        return WORST, PreparedRun(spec, reporter, components)
    except Exception as error:
        return reporter.failed(spec, error), None


def _composed(loader: ConfigLoader, config: DictConfig, number: int, overrides: list[str]) -> tuple:
    """Compose the config of one job; returns it with its choices and the sweep's ledger."""
    whole = loader.load_sweep_config(config, overrides)
    with open_dict(whole):
        whole.hydra.job.id = whole.hydra.job.num = number
    HydraConfig.instance().set_config(whole)
    choices = dict(whole.hydra.runtime.choices)
    with read_write(whole), open_dict(whole):
        cfg = OmegaConf.masked_copy(whole, [str(name) for name in whole if name != "hydra"])
    return cfg, choices, SweepLedger.of(cfg)


def take_repeated(runs: dict[int, PreparedRun]) -> dict[int, PreparedRun]:
    """Remove and return jobs for the same run as an earlier job."""
    firsts = {run.spec.folder.path: number for number, run in reversed(runs.items())}
    return {n: runs.pop(n) for n, run in list(runs.items()) if firsts[run.spec.folder.path] != n}


def alike(runs: dict[int, PreparedRun], max_runs: int) -> Iterator[list[int]]:
    """Yield groups of job numbers that can share a program, in the order of the sweep."""
    found: dict[tuple, list[int]] = {}
    for number, run in runs.items():
        components = run.components
        key = signature((components.problem, components.plan, components.suite))
        found.setdefault(key, []).append(number)
    for numbers in found.values():
        yield from (numbers[start : start + max_runs] for start in range(0, len(numbers), max_runs))


def execute(
    runs: dict[int, PreparedRun], title: str, executor: Callable[[Callable[[str], None]], MakeExecutor]
) -> dict[int, float]:
    """Train the jobs of one group and return their metrics."""
    spec, reporter, components = next(iter(runs.values()))
    if spec.config["sweep"]["fail_fast"] and reporter.ledger is not None and reporter.ledger.any_failed():
        return {number: run.reporter.left_out() for number, run in runs.items()}
    title = f"{title} ({spec.choices.get('drift', 'custom')} on {spec.choices.get('dataset', 'custom')})"
    progress = SharedProgress(title, components.tracking.line_every) if components.tracking.progress else None
    results: dict[int, float] = {}
    active_runs: dict[int, ActiveRun] = {}
    with contextlib.ExitStack() as open_folders:
        for number, (spec, reporter, components) in runs.items():
            try:
                left = open_folders.enter_context(spec.folder.lock())
                if left:
                    reporter.say(left)
                share = progress and progress.share()
                active_runs[number] = ActiveRun(spec, components, reporter.say, reporter.detail, progress=share)
            except Exception as error:
                results[number] = _failed(runs[number], error)
        try:
            return results | _trained(runs, active_runs, executor(_speaker(f"{title}, {len(active_runs)} runs")))
        finally:
            for active in active_runs.values():
                active.close()


def _trained(
    runs: dict[int, PreparedRun], active_runs: dict[int, ActiveRun], make_executor: MakeExecutor
) -> dict[int, float]:
    """Train the active runs and finish each as soon as it ends."""
    results, interrupted, numbers = {}, None, list(active_runs)
    for row, result in train_all([active.run for active in active_runs.values()], make_executor):
        run, active = runs[numbers[row]], active_runs[numbers[row]]
        try:
            if isinstance(result, Exception):
                raise result
            results[numbers[row]] = run.reporter.finished(run.spec, active.finish(result))
        except Interrupted as stop:
            interrupted = stop
        except Exception as error:
            results[numbers[row]] = _failed(run, error)
        finally:
            active.close()
    if interrupted:
        raise interrupted
    return results


def _failed(run: PreparedRun, error: Exception) -> float:
    if not isinstance(error, RunIsLive):
        run.spec.folder.fail(error)
    return run.reporter.failed(run.spec, error)


def _speaker(title: str) -> Callable[[str], None]:
    return lambda line: Console(highlight=False, soft_wrap=True).print(f"{title}: {line}", markup=False)
