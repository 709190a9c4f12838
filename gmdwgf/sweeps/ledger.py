"""What came of the jobs of a sweep: one small file a job, so that whichever process carried it out can tell."""

import contextlib
import hashlib
import json
import shutil
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console

STATES = ("done", "skipped", "diverged", "failed", "left out", "would run", "would be skipped")
"""How a job of a sweep can end, in the order in which they are counted."""

_NO_IDENTITY = ("hydra", "sweep", "paths", "tracking", "devices", "-")


def sweep_name(arguments: list[str]) -> str:
    """The same for the same sweep typed again, wherever and however it is run."""
    kept = sorted(word.lstrip("+") for word in arguments if not word.startswith(_NO_IDENTITY))
    return "sweep-" + hashlib.sha256("\n".join(kept).encode()).hexdigest()[:8]


class Ledger:
    """`<root>/.sweeps/<name>/<job>.json`: empty while a job is under way, then its state and what was said of it.

    A job whose file stays empty was lost, or found no room on the disk even for this: it counts as failed.
    """

    here: dict[Path, dict[str, Any]] = {}
    """What this process wrote, whatever the disk did."""

    def __init__(self, config: DictConfig):
        self.folder = Path(config.paths.root).expanduser().absolute() / ".sweeps" / str(config.sweep.name)

    def clear(self) -> None:
        """Forget an earlier attempt."""
        Ledger.here.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def begin(self, job: int) -> None:
        """A job is under way."""
        self._write(job, "")

    def end(self, job: int, state: str, line: str) -> None:
        """A job has ended, in one of `STATES`."""
        self._write(job, json.dumps({"state": state, "line": line}))

    def _write(self, job: int, text: str) -> None:
        path = self.folder / f"{job}.json"
        Ledger.here[path] = json.loads(text or "{}")
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def jobs(self) -> dict[int, dict[str, Any]]:
        """What is known of each job, by its number."""
        found: dict[int, dict[str, Any]] = {}
        for path in {*self.folder.glob("*.json"), *Ledger.here}:
            known = Ledger.here.get(path)
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


class Teller(Callback):
    """Hydra's callback around a sweep: says what came of it, in the process in which it was typed."""

    n_failed = 0
    """Of the sweep that ended last."""

    def __reduce__(self):
        return Teller, ()  # workers are sent one, and have nothing to tell

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """A job by itself is no sweep that failed before in this process."""
        Teller.n_failed = 0

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Open the ledger; repeat the lines of jobs whose own output goes to files."""
        Teller.n_failed = 0
        if config.sweep.name is None:
            return
        self.ledger = Ledger(config)
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
        Teller.n_failed = counts["failed"]
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
