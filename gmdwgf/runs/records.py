"""Read run folders as data, without JAX, without modifying files, and tolerating damaged ones."""

import functools
import math
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gmdwgf.config.build import ConfigError
from gmdwgf.files import DamagedFile
from gmdwgf.mappings import Config, Facts, Record
from gmdwgf.reading import one_line, shown
from gmdwgf.runs import locks, snapshots, typed_files
from gmdwgf.runs.folder import ENDINGS, FINISHED
from gmdwgf.runs.marks import is_run
from gmdwgf.tracking import jsonl

STATES = ("done", "diverged", "failed", "unfinished", "live")


class RunFiles:
    """Contents of one run folder. Missing and unreadable files count as empty and are reported in `why`."""

    def __init__(self, path: Path):
        self.path, self.name = path, shown(Path(os.path.abspath(path)).name)  # Path(".").name is empty
        self.state = _state(path)
        config, manifest = typed_files.read_config(path), typed_files.read_manifest(path)
        self.config, self.manifest = config.values, manifest.values
        self.ending: Facts = {}
        self._damage = [*config.troubles, *manifest.troubles]
        self._samples_damage: DamagedFile | None = None
        if self.state in ENDINGS:
            ending = typed_files.read_ending(path, ENDINGS[self.state])
            self.ending, self._damage = ending.values, self._damage + ending.troubles
            if not self.ending and self.state != "failed":  # its command resumes it
                self.state = "unfinished"
        self.flat = flatten(self.config)
        head, _, last = self.name.rpartition("-")
        dataset, _, drift = head.partition("-")
        self.id: str = one_line(self.manifest.get("id", "")) or last
        self.dataset = dataset or _class_name(self.flat.get("dataset._target_"))
        self.drift = drift or _class_name(self.flat.get("drift._target_"))
        self.seed: int | None = self.config.get("seed")

    @property
    def troubles(self) -> list[str]:
        """Problems with the files of the run, one line each; samples are checked fully only by `read_samples`."""
        found = [*self._damage, self._records[1], self._samples_damage or self._samples_gone()]
        return [_told(damage) for damage in found if damage is not None]

    @property
    def metrics(self) -> list[Record]:
        """Intact records of metrics.jsonl."""
        return self._records[0]

    def read_samples(self) -> dict[str, np.ndarray] | None:
        """Arrays of samples.npz; None, with an entry in `troubles`, if they cannot be read."""
        try:
            return snapshots.read(self.path / "samples.npz")
        except DamagedFile as damage:
            self._samples_damage = damage
        except OSError:
            self._samples_damage = self._samples_gone()
        return None

    def _samples_gone(self) -> DamagedFile | None:
        path, finished = self.path / "samples.npz", self.state in FINISHED
        if not path.is_file():
            return DamagedFile(path, "is missing", snapshots.FIX) if finished else None
        return None if zipfile.is_zipfile(path) else DamagedFile(path, "cannot be read (is incomplete)", snapshots.FIX)

    @functools.cached_property
    def _records(self) -> tuple[list[Record], DamagedFile | None]:
        path = self.path / "metrics.jsonl"
        try:
            return jsonl.salvage(path)
        except FileNotFoundError:
            finished = self.state in FINISHED
            return [], DamagedFile(path, "is missing", jsonl.FIX) if finished else None
        except OSError as error:
            return [], DamagedFile(path, f"cannot be read ({error.strerror or error})", jsonl.FIX)

    @property
    def last(self) -> Record:
        """Final metrics of the run with `step`, or its last record."""
        if "step" in self.ending:
            return self.ending
        return self.metrics[-1] if self.metrics else {}

    @property
    def n_steps(self) -> int | None:
        """Number of steps of the run."""
        return self.flat.get("training.n_steps")

    def floor(self, metric: str = "mmd2") -> tuple[float, float]:
        """Floor of the metric: mean and standard deviation for fresh data against held-out data; NaN if not recorded."""
        try:
            mean, sd = self.ending.get("floor", {}).get(metric, (math.nan, math.nan))
            return float(mean), float(sd)
        except (AttributeError, TypeError, ValueError):
            return math.nan, math.nan

    @property
    def warnings(self) -> list[str]:
        """Warnings that the run gave, one line each."""
        return [one_line(line, 500) for line in self.manifest.get("warnings", [])]

    @property
    def why(self) -> str:
        """Problems of the run in one line; empty if there are none."""
        reasons = list(self.troubles)
        if self.state == "failed" and "error" in self.ending:
            reasons.append(one_line(self.ending["error"]))
        told = [self.ending.get(f"diverged_{name}") for name in ("term", "value", "step")]
        if self.state == "diverged" and None not in told:
            reasons.append(one_line("{} = {} at step {}".format(*told)))
        return "; ".join(reasons)


def run_folders(root: Path) -> Iterator[Path]:
    """Find all run folders in `root`, which may be one itself; skips hidden folders and folders inside runs."""
    for folder, inner, files in os.walk(root):
        if is_run(Path(folder), files):
            inner.clear()
            yield Path(folder)
        inner[:] = sorted(name for name in inner if not name.startswith("."))


def read_runs(root: Path) -> list[RunFiles]:
    """Read all runs in `root`, sorted by name."""
    return sorted((RunFiles(path) for path in run_folders(root)), key=lambda run: run.name)


def is_live(path: Path) -> bool:
    """Whether a process holds the lock of a run, tested by acquiring a shared lock and releasing it at once."""
    try:
        with (path / "run.lock").open() as file:
            locks.lock(file.fileno(), shared=True)
            locks.unlock(file.fileno())
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def flatten(config: object, prefix: str = "") -> Config:
    """Flatten `{"drift": {"bandwidth": 0.3}}` to `{"drift.bandwidth": 0.3}`; a list is one value."""
    if not isinstance(config, dict) or not config:
        return {prefix: config} if prefix else {}
    flat: Config = {}
    for name, value in config.items():
        flat |= flatten(value, f"{prefix}.{name}" if prefix else str(name))
    return flat


def _state(path: Path) -> str:
    for state, name in ENDINGS.items():
        if (path / name).is_file() and state != "failed":
            return state
    if is_live(path):  # includes a failed run that is being retried
        return "live"
    return "failed" if (path / ENDINGS["failed"]).is_file() else "unfinished"


def _class_name(target: object) -> str:
    return str(target).rpartition(".")[2] if target else "custom"


def _told(damage: DamagedFile) -> str:
    where = "" if damage.line is None else f", line {damage.line}"
    return f"{damage.path.name}{where} {damage.problem}"


def read_all(folder: Path) -> list[RunFiles]:
    """Read the runs in a folder. Raises ConfigError if there are none."""
    runs = read_runs(folder) if folder.is_dir() else []
    if not runs:
        fix = "contains no run; give the paths.root of a sweep" if folder.is_dir() else "is not a folder"
        raise ConfigError("DIR", folder, fix)
    return runs
