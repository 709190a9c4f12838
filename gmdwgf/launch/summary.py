"""What is said of a sweep: how many jobs ended how, in the process in which the sweep was typed."""

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console

from gmdwgf.config.build import ConfigError
from gmdwgf.launch import bytecode
from gmdwgf.launch.cli_errors import CRASH, complain
from gmdwgf.launch.layout import check_name
from gmdwgf.launch.ledger import STATES, SweepLedger, start_sweep


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """End the command with one line where the block raises: of an exception in a callback Hydra makes a warning, and goes on."""
    try:
        yield
    except Exception as error:
        raise SystemExit(complain(error, sys.argv[1:], None)) from error


def _check_not_swept(config: DictConfig) -> None:
    """Raise ConfigError where what a sweep has one of (its name, whether it is dry) is an axis of the sweep."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    overrides = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
    axes = {o.key_or_group: str(o.input_line).partition("=")[2] for o in overrides if o.is_sweep_override()}
    sweeper = config.hydra.sweeper
    for more in [sweeper.get("params"), *(sweeper.get("grids") or [])]:
        axes |= {str(key): value for key, value in (more or {}).items()}
    for key, value in axes.items():
        if key.split(".")[0].lstrip("+") == "sweep":
            raise ConfigError(key, value, "a sweep has one value of it; give one")


class SweepSummary(Callback):
    """Hydra's callback around a sweep: says what came of it, in the process in which it was typed."""

    def __reduce__(self):
        return SweepSummary, ()  # workers are sent one, and have nothing to tell

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """A dry job by itself writes nothing."""
        with _refusing():
            if config.sweep.dry:
                bytecode.write_nothing(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Open the ledger; repeat the lines of jobs whose own output goes to files."""
        with _refusing():
            _check_not_swept(config)
            check_name(config.sweep.name)
            if config.sweep.dry:
                bytecode.write_nothing(config)
            bytecode.expand_home(config)
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

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Say in one line how many jobs ended how, and exit with 1 where any failed."""
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
