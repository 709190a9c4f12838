"""Status of the jobs of a sweep, in one small file for each job, written by whichever process executes it."""

import contextlib
import hashlib
import json
import re
from collections import Counter
from contextvars import ContextVar
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from gmdwgf.config.build import ConfigError
from gmdwgf.files import is_alive, write_atomically, writer_of
from gmdwgf.launch.layout import check_name
from gmdwgf.mappings import Facts

STATES = ("done", "skipped", "diverged", "failed", "left out", "would run", "would be skipped")
"""Possible states of a finished job, in the order in which they are reported."""

_NO_IDENTITY = ("hydra", "sweep", "paths", "tracking", "devices", "-")


def sweep_name(arguments: list[str]) -> str:
    """Default name of a sweep, derived from its overrides, so that repeating the command gives the same name."""
    kept = sorted(word.lstrip("+") for word in arguments if not word.startswith(_NO_IDENTITY))
    return "sweep-" + hashlib.sha256("\n".join(kept).encode()).hexdigest()[:8]


_written_here: ContextVar[dict[Path, Facts] | None] = ContextVar("written_here", default=None)
"""Entries written by jobs of the current sweep in this process, kept in case the disk is full; None outside of a sweep."""


class SweepLedger:
    """Files `<root>/.sweeps/<name>/<job>.json`: empty while a job is in progress, then its state and message.

    A job whose file stays empty was lost, or its disk was full; it counts as failed. A dry sweep runs in a single process and keeps
    its ledger only in memory.
    """

    def __init__(self, config: DictConfig):
        check_name(config.sweep.name)
        written = _written_here.get()
        self.here: dict[Path, Facts] = {} if written is None else written
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
        self.here.clear()
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
        self.here[path] = json.loads(text or "{}")
        if self.dry:
            return
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text)

    def jobs(self) -> dict[int, Facts]:
        """Entries of all jobs, by job number."""
        found: dict[int, Facts] = {}
        for path in {*self._entries(), *self.here}:
            known = self.here.get(path)
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


def start_sweep() -> None:
    """Reset the entries kept from an earlier sweep of this process."""
    _written_here.set({})
