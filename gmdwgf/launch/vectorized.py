"""The launcher `vectorized`: trains jobs that differ only in real numbers and seeds concurrently, in this process.

Every job has its own folder, lock, curves, checkpoints, figures and tracker run, and is reported as under any other launcher.
"""

import functools
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig

from gmdwgf.config.build import ConfigError
from gmdwgf.runs.folder import FINISHED

if TYPE_CHECKING:
    from gmdwgf.engine.loop import MakeExecutor

WAYS = ("measure", "one_by_one", "together")


class LauncherSettings(NamedTuple):
    """See `configs/hydra/launcher/vectorized.yaml`."""

    how: str
    n_devices: int | None
    max_runs: int
    memory_gb: float | int | None

    def check(self) -> None:
        """Raise ConfigError for an invalid setting."""
        if self.how not in WAYS:
            raise ConfigError("hydra.launcher.how", self.how, "must be one of " + ", ".join(WAYS))
        for name in ("n_devices", "max_runs"):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= 1) and not (value is None and name == "n_devices"):
                raise ConfigError(f"hydra.launcher.{name}", value, "must be an integer of at least 1")
        if self.memory_gb is not None and not self.memory_gb > 0:
            raise ConfigError("hydra.launcher.memory_gb", self.memory_gb, "must be greater than 0, or null")

    def executor(self, say: Callable[[str], None]) -> "MakeExecutor":
        """Executor for the runs of a group.

        `measure` is serial on CPUs, where the vectorized program was not faster in any benchmark (docs/benchmarks.md); on an
        accelerator it tries both.
        """
        import jax

        from gmdwgf.engine.auto import AutoExecutor
        from gmdwgf.engine.serial import SerialExecutor
        from gmdwgf.engine.vectorized import VectorizedExecutor

        memory = None if self.memory_gb is None else self.memory_gb * 1e9
        together = functools.partial(VectorizedExecutor, n_devices=self.n_devices, memory=memory)
        if self.how == "together":
            return together
        if self.how == "one_by_one" or jax.default_backend() == "cpu":
            return SerialExecutor
        return functools.partial(AutoExecutor, together=together, say=say)


def launch(
    context: HydraContext, config: DictConfig, job_overrides: Sequence[Sequence[str]], first: int, **settings: Any
) -> list[JobReturn]:
    """Run the jobs of a sweep group by group; returns the results in the order of the jobs, for Hydra's sweepers."""
    setup_globals()
    asked = LauncherSettings(**settings)
    asked.check()
    if asked.how == "together":  # read when JAX is imported, which happens later
        os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(os.cpu_count() or 1))
    from gmdwgf.launch import group

    results: dict[int, float] = {}
    prepared: dict[int, group.PreparedRun] = {}
    for number, overrides in enumerate(job_overrides, start=first):
        results[number], run = group.prepare(context.config_loader, config, number, list(overrides))
        if run is not None:
            prepared[number] = run
    repeated = group.take_repeated(prepared)
    groups = list(group.alike(prepared, asked.max_runs))
    for place, numbers in enumerate(groups, start=1):
        runs = {number: prepared.pop(number) for number in numbers}
        results |= group.execute(runs, f"group {place} of {len(groups)}", asked.executor)
    for number, run in repeated.items():
        ended = run.spec.folder.status() in FINISHED
        results[number] = run.reporter.skipped(run.spec) if ended else run.reporter.left_out()
    return [_returned(value) for _, value in sorted(results.items())]


def _returned(value: float) -> JobReturn:
    result = JobReturn()
    result.return_value, result.status = value, JobStatus.COMPLETED
    return result
