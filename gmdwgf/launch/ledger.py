"""What came of the jobs of a sweep: one small file a job, so that whichever process carried it out can tell."""

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
"""How a job of a sweep can end, in the order in which they are counted."""

_NO_IDENTITY = ("hydra", "sweep", "paths", "tracking", "devices", "-")


def sweep_name(arguments: list[str]) -> str:
    """The same for the same sweep typed again, wherever and however it is run."""
    kept = sorted(word.lstrip("+") for word in arguments if not word.startswith(_NO_IDENTITY))
    return "sweep-" + hashlib.sha256("\n".join(kept).encode()).hexdigest()[:8]


class SweepLedger:
    """`<root>/.sweeps/<name>/<job>.json`: empty while a job is under way, then its state and what was said of it.

    A job whose file stays empty was lost, or found no room on the disk even for this: it counts as failed. A dry sweep, all of
    which is in this process, has its ledger in memory alone.
    """

    here: dict[Path, dict[str, Any]] = {}
    """What this process wrote, whatever the disk did."""

    def __init__(self, config: DictConfig):
        check_name(config.sweep.name)
        self.folder = Path(config.paths.root).expanduser().absolute() / ".sweeps" / str(config.sweep.name)
        self.dry = bool(OmegaConf.select(config, "sweep.dry", default=False))

    @classmethod
    def of(cls, config: DictConfig) -> "SweepLedger | None":
        """The ledger of a job's sweep; None where the sweep has no name, or one that the job itself will be refused for."""
        try:
            return None if config.sweep.name is None else cls(config)
        except ConfigError:
            return None

    def clear(self) -> None:
        """Forget an earlier attempt: delete its entries, and their folder if nothing else is in it.

        Raises ConfigError where the folder is a link, whose files are not the ledger's.
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
        """What processes that were killed in the middle of writing an entry have left."""
        found = [(path, writer_of(path.name)) for path in self.folder.glob(".*.tmp.json") if not path.is_symlink()]
        return [path for path, writer in found if writer is not None and not is_alive(writer)]

    def begin(self, job: int) -> None:
        """A job is under way."""
        self._write(job, "")

    def end(self, job: int, state: str, line: str) -> None:
        """A job has ended, in one of `STATES`."""
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
        """What is known of each job, by its number."""
        found: dict[int, dict[str, Any]] = {}
        for path in {*self._entries(), *SweepLedger.here}:
            known = SweepLedger.here.get(path)
            try:
                found[int(path.stem)] = known if known is not None else json.loads(path.read_text() or "{}")
            except (OSError, ValueError):  # being written, or half written on a full disk
                found[int(path.stem)] = {}
        return dict(sorted(found.items()))

    def counts(self) -> Counter[str]:
        """How many jobs ended in which state."""
        return Counter(entry.get("state", "failed") for entry in self.jobs().values())

    def any_failed(self) -> bool:
        """Whether a job has failed so far."""
        return any(entry.get("state") == "failed" for entry in self.jobs().values())


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

    n_failed = 0
    """Of the sweep that ended last."""

    def __reduce__(self):
        return SweepSummary, ()  # workers are sent one, and have nothing to tell

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """A job by itself is no sweep that failed before in this process."""
        SweepSummary.n_failed = 0
        with _refusing():
            if config.sweep.dry:
                bytecode.write_nothing(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Open the ledger; repeat the lines of jobs whose own output goes to files."""
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
        """One line: how many jobs ended how."""
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
