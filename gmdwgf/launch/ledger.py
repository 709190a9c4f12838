"""What came of the jobs of a sweep: one small file a job, so that whichever process carried it out can tell."""

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
"""How a job of a sweep can end, in the order in which they are counted."""

_NO_IDENTITY = ("hydra", "sweep", "paths", "tracking", "devices", "-")


def sweep_name(arguments: list[str]) -> str:
    """The same for the same sweep typed again, wherever and however it is run."""
    kept = sorted(word.lstrip("+") for word in arguments if not word.startswith(_NO_IDENTITY))
    return "sweep-" + hashlib.sha256("\n".join(kept).encode()).hexdigest()[:8]


_written_here: ContextVar[dict[Path, Facts] | None] = ContextVar("written_here", default=None)
"""What the jobs of the sweep that goes on in this process have written, whatever the disk did; None outside of a sweep."""


class SweepLedger:
    """`<root>/.sweeps/<name>/<job>.json`: empty while a job is under way, then its state and what was said of it.

    A job whose file stays empty was lost, or found no room on the disk even for this: it counts as failed. A dry sweep, all of
    which is in this process, has its ledger in memory alone.
    """

    def __init__(self, config: DictConfig):
        check_name(config.sweep.name)
        written = _written_here.get()
        self.here: dict[Path, Facts] = {} if written is None else written
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
        self.here[path] = json.loads(text or "{}")
        if self.dry:
            return
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text)

    def jobs(self) -> dict[int, Facts]:
        """What is known of each job, by its number."""
        found: dict[int, Facts] = {}
        for path in {*self._entries(), *self.here}:
            known = self.here.get(path)
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


def start_sweep() -> None:
    """Forget what an earlier sweep of this process wrote."""
    _written_here.set({})
