"""Status of the jobs of a sweep, in one small file for each job, written by whichever process executes it."""

import contextlib
import hashlib
import json
import re
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from gmdwgf.config.build import ConfigError
from gmdwgf.files import is_alive, write_atomically, writer_of
from gmdwgf.launch import bytecode
from gmdwgf.launch.cli_errors import complain
from gmdwgf.launch.layout import check_name

STATES = ("done", "skipped", "diverged", "failed", "left out", "would run", "would be skipped")
"""Possible states of a finished job, in the order in which they are reported."""

_NO_IDENTITY = ("hydra", "sweep", "paths", "tracking", "devices", "-")


def sweep_name(arguments: list[str]) -> str:
    """Default name of a sweep, derived from its overrides, so that repeating the command gives the same name."""
    kept = sorted(word.lstrip("+") for word in arguments if not word.startswith(_NO_IDENTITY))
    return "sweep-" + hashlib.sha256("\n".join(kept).encode()).hexdigest()[:8]


class SweepLedger:
    """Files `<root>/.sweeps/<name>/<job>.json`: empty while a job is in progress, then its state and message.

    A job whose file stays empty was lost, or its disk was full; it counts as failed. A dry sweep runs in a single process and keeps
    its ledger only in memory.
    """

    here: dict[Path, dict[str, Any]] = {}
    """Entries written by this process, kept in memory in case the disk is full."""

    def __init__(self, config: DictConfig):
        check_name(config.sweep.name)
        self.folder = Path(config.paths.root).expanduser().absolute() / ".sweeps" / str(config.sweep.name)
        self.dry = bool(OmegaConf.select(config, "sweep.dry", default=False))

    @classmethod
    def of(cls, config: DictConfig) -> "SweepLedger | None":
        """The ledger of a job's sweep; None if the sweep has no name, or an invalid one, which the job itself reports."""
        try:
            return None if config.sweep.name is None else cls(config)
        except ConfigError:
            return None

    def clear(self) -> None:
        """Delete the entries of an earlier attempt, and their folder if it is then empty.

        Raises ConfigError if the folder is a link.
        """
        SweepLedger.here.clear()
        for folder in (self.folder.parent, self.folder):
            if folder.is_symlink():
                raise ConfigError(
                    "sweep.name", self.folder.name, f"{folder} is a link; remove it, or give another name"
                )
        if self.dry:
            return
        with contextlib.suppress(OSError):
            for path in [*self._entries(), *self._torn()]:
                path.unlink(missing_ok=True)
            self.folder.rmdir()

    def _entries(self) -> list[Path]:
        found = [] if self.dry or not self.folder.is_dir() else list(self.folder.iterdir())
        return [path for path in found if re.fullmatch(r"\d+\.json", path.name, re.ASCII) and not path.is_symlink()]

    def _torn(self) -> list[Path]:
        """Temporary files of processes that were killed while writing an entry."""
        found = [(path, writer_of(path.name)) for path in self.folder.glob(".*.tmp.json") if not path.is_symlink()]
        return [path for path, writer in found if writer is not None and not is_alive(writer)]

    def begin(self, job: int) -> None:
        """Record that a job has started."""
        self._write(job, "")

    def end(self, job: int, state: str, line: str) -> None:
        """Record the final state of a job, one of `STATES`."""
        self._write(job, json.dumps({"state": state, "line": line}))

    def _write(self, job: int, text: str) -> None:
        path = self.folder / f"{job}.json"
        SweepLedger.here[path] = json.loads(text or "{}")
        if self.dry:
            return
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text)

    def jobs(self) -> dict[int, dict[str, Any]]:
        """Entries of all jobs, by job number."""
        found: dict[int, dict[str, Any]] = {}
        for path in {*self._entries(), *SweepLedger.here}:
            known = SweepLedger.here.get(path)
            try:
                found[int(path.stem)] = known if known is not None else json.loads(path.read_text() or "{}")
            except (OSError, ValueError):  # being written, or incomplete because of a full disk
                found[int(path.stem)] = {}
        return dict(sorted(found.items()))

    def counts(self) -> Counter[str]:
        """Number of jobs in each state."""
        return Counter(entry.get("state", "failed") for entry in self.jobs().values())

    def any_failed(self) -> bool:
        """Whether a job has failed so far."""
        return any(entry.get("state") == "failed" for entry in self.jobs().values())


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


class SweepSummary(Callback):
    """Hydra callback that prints a summary of a sweep, in the process that started it."""

    n_failed = 0
    """Whether a job of the last sweep failed."""

    def __reduce__(self):
        return SweepSummary, ()  # workers receive a copy, which does not print

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Reset the failure flag of an earlier sweep in this process."""
        SweepSummary.n_failed = 0
        with _refusing():
            if config.sweep.dry:
                bytecode.write_nothing(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Open the ledger, and print the messages of jobs whose output goes to files."""
        SweepSummary.n_failed = 0
        with _refusing():
            _check_not_swept(config)
            check_name(config.sweep.name)
            if config.sweep.dry:
                bytecode.write_nothing(config)
            bytecode.expand_home(config)
            if config.sweep.name is None:
                return
            self.ledger = SweepLedger(config)
            self.ledger.clear()
        self.said: set[int] = set()
        self.over = threading.Event()
        self.out_of_sight = "submitit" in str(config.hydra.launcher._target_)
        if self.out_of_sight:
            threading.Thread(target=self._repeat, daemon=True).start()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print the number of jobs in each state."""
        if config.sweep.name is None:
            return
        self.over.set()
        if self.out_of_sight:
            self._repeat_new()
        counts = self.ledger.counts()
        SweepSummary.n_failed = counts["failed"]
        parts = [f"{counts[state]} {state}" for state in STATES if counts[state] or state in STATES[:4]]
        retried = "; the same command tries the failed ones again" if counts["failed"] else ""
        if config.sweep.dry:
            parts = [f"{counts[state]} {state}" for state in STATES[5:]] + [f"{counts['failed']} would fail"]
            retried = "; nothing was run"
        self._print(f"{config.sweep.name}: {sum(counts.values())} jobs: {', '.join(parts)}{retried}")

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
