"""Summary of a sweep: the number of jobs in each final state, printed by the process that started the sweep."""

import contextlib
import sys
import threading
from collections.abc import Iterator

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, read_write
from rich.console import Console

from gmdwgf.config.build import ConfigError
from gmdwgf.launch import bytecode
from gmdwgf.launch.cli_errors import CRASH, complain
from gmdwgf.launch.layout import check_name
from gmdwgf.launch.ledger import STATES, SweepLedger, start_sweep


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Exit with a one-line message if the block raises, because Hydra turns exceptions in callbacks into warnings."""
    try:
        yield
    except Exception as error:
        raise SystemExit(complain(error, sys.argv[1:], None)) from error


def _check_not_swept(config: DictConfig) -> None:
    """Raise ConfigError if a sweep-wide setting (its name, whether it is dry) is an axis of the sweep."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    overrides = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
    axes = {o.key_or_group: str(o.input_line).partition("=")[2] for o in overrides if o.is_sweep_override()}
    sweeper = config.hydra.sweeper
    for more in [sweeper.get("params"), *(sweeper.get("grids") or [])]:
        axes |= {str(key): value for key, value in (more or {}).items()}
    for key, value in axes.items():
        if key.split(".")[0].lstrip("+") == "sweep":
            raise ConfigError(key, value, "must have a single value in a sweep")


def _share_compositions(config: DictConfig) -> None:
    """Replace Hydra's own sweeper by its version that does not read all files again for every job."""
    if str(config.hydra.sweeper._target_).endswith("basic_sweeper.BasicSweeper"):
        with read_write(config.hydra):
            config.hydra.sweeper._target_ = "hydra_plugins.gmdwgf_grids.GridsSweeper"


class SweepSummary(Callback):
    """Hydra callback that prints a summary of a sweep, in the process that started it."""

    def __reduce__(self):
        return SweepSummary, ()  # workers receive a copy, which does not print

    def on_run_start(self, config: DictConfig, **kwargs: object) -> None:
        """Prevent a single dry job from writing files."""
        with _refusing():
            if config.sweep.dry:
                bytecode.write_nothing(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: object) -> None:
        """Open the ledger, and print the messages of jobs whose output goes to files."""
        with _refusing():
            _check_not_swept(config)
            check_name(config.sweep.name)
            if config.sweep.dry:
                bytecode.write_nothing(config)
            bytecode.expand_home(config)
            _share_compositions(config)
            if config.sweep.name is None:
                return
            start_sweep()
            self.ledger = SweepLedger(config)
            self.ledger.clear()
        self.said: set[int] = set()
        self.over = threading.Event()
        self.out_of_sight = "submitit" in str(config.hydra.launcher._target_)
        if self.out_of_sight:
            threading.Thread(target=self._repeat, daemon=True).start()

    def on_multirun_end(self, config: DictConfig, **kwargs: object) -> None:
        """Print the number of jobs in each state, and exit with 1 if any failed."""
        if config.sweep.name is None:
            return
        self.over.set()
        if self.out_of_sight:
            self._repeat_new()
        counts = self.ledger.counts()
        parts = [f"{counts[state]} {state}" for state in STATES if counts[state] or state in STATES[:4]]
        retried = "; the same command tries the failed ones again" if counts["failed"] else ""
        if config.sweep.dry:
            parts = [f"{counts[state]} {state}" for state in STATES[5:]] + [f"{counts['failed']} would fail"]
            retried = "; nothing was run"
        self._print(f"{config.sweep.name}: {sum(counts.values())} jobs: {', '.join(parts)}{retried}")
        if counts["failed"]:
            raise SystemExit(CRASH)

    def _repeat(self) -> None:
        while not self.over.wait(0.5):
            self._repeat_new()

    def _repeat_new(self) -> None:
        for job, entry in self.ledger.jobs().items():
            if entry and job not in self.said:
                self.said.add(job)
                self._print(entry["line"])

    def _print(self, line: str) -> None:
        Console(highlight=False, soft_wrap=True).print(line, markup=False)
