"""Run folders read back as data: nothing here runs JAX, changes a file, or minds a damaged one."""

import fcntl
import functools
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from gmdwgf.sweeps.folder import ENDINGS
from gmdwgf.tracking import jsonl

STATES = ("done", "diverged", "failed", "unfinished", "live")

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARKS = ("manifest.json", "run.lock", *ENDINGS.values())


class RunRecord:
    """One run folder. A file that is missing or cannot be read counts as empty, and `why` says so."""

    def __init__(self, path: Path):
        self.path, self.name = path, path.name
        self.troubles: list[str] = []
        self.state = _state(path)
        self.config: dict[str, Any] = self._read("config.yaml", lambda text: yaml.load(text, _LOADER))
        self.manifest: dict[str, Any] = self._read("manifest.json", json.loads)
        self.ending: dict[str, Any] = self._read(ENDINGS[self.state], json.loads) if self.state in ENDINGS else {}
        self.flat = flatten(self.config)
        head, _, last = self.name.rpartition("-")
        dataset, _, drift = head.partition("-")
        self.id: str = self.manifest.get("id") or last
        self.dataset = dataset or _class_name(self.flat.get("dataset._target_"))
        self.drift = drift or _class_name(self.flat.get("drift._target_"))
        self.seed: Any = self.config.get("seed")

    @functools.cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """The records of metrics.jsonl, as far as they can be read."""
        try:
            return jsonl.read(self.path / "metrics.jsonl")
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            self.troubles.append(f"metrics.jsonl cannot be read ({_line(str(error))})")
            return []

    @property
    def last(self) -> dict[str, Any]:
        """The last numbers of the run, with `step`: those it ended with, or its last record."""
        if "step" in self.ending:
            return self.ending
        return self.metrics[-1] if self.metrics else {}

    @property
    def n_steps(self) -> int | None:
        """The step at which the run ends."""
        return self.flat.get("training.n_steps")

    def floor(self, metric: str = "mmd2") -> tuple[float, float]:
        """Mean and standard deviation of the metric of fresh data against held-out data; NaN where not written down."""
        try:
            mean, sd = self.ending.get("floor", {}).get(metric, (math.nan, math.nan))
            return float(mean), float(sd)
        except (AttributeError, TypeError, ValueError):
            return math.nan, math.nan

    @property
    def why(self) -> str:
        """What went wrong, in one line; empty where nothing did."""
        reasons = list(self.troubles)
        if self.state == "failed" and "error" in self.ending:
            reasons.append(_line(str(self.ending["error"])))
        told = [self.ending.get(f"diverged_{name}") for name in ("term", "value", "step")]
        if self.state == "diverged" and None not in told:
            reasons.append(_line("{} = {} at step {}".format(*told)))
        return "; ".join(reasons)

    def _read(self, name: str, parse: Any) -> dict[str, Any]:
        try:
            found = parse((self.path / name).read_text())
        except FileNotFoundError:
            self.troubles.append(f"{name} is missing")
            return {}
        except (OSError, ValueError, yaml.YAMLError) as error:
            self.troubles.append(f"{name} cannot be read ({_line(str(error))})")
            return {}
        if isinstance(found, dict):
            return found
        self.troubles.append(f"{name} holds no mapping")
        return {}


def run_folders(root: Path) -> Iterator[Path]:
    """All run folders in `root`, which may be one itself; hidden folders and what lies inside a run are not looked at."""
    for folder, inner, files in os.walk(root):
        if any(mark in files for mark in _MARKS):
            inner.clear()
            yield Path(folder)
        inner[:] = sorted(name for name in inner if not name.startswith("."))


def read_runs(root: Path) -> list[RunRecord]:
    """All runs in `root`, by name."""
    return sorted((RunRecord(path) for path in run_folders(root)), key=lambda run: run.name)


def is_live(path: Path) -> bool:
    """Whether a process holds the lock of a run. The lock is asked for in a shared way and given back at once."""
    try:
        with (path / "run.lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """`{"drift": {"bandwidth": 0.3}}` as `{"drift.bandwidth": 0.3}`; a list is one value."""
    if not isinstance(config, dict) or not config:
        return {prefix: config} if prefix else {}
    flat: dict[str, Any] = {}
    for name, value in config.items():
        flat |= flatten(value, f"{prefix}.{name}" if prefix else str(name))
    return flat


def _state(path: Path) -> str:
    for state, name in ENDINGS.items():
        if (path / name).is_file() and state != "failed":
            return state
    if is_live(path):  # also a run that failed and is being tried again
        return "live"
    return "failed" if (path / ENDINGS["failed"]).is_file() else "unfinished"


def _class_name(target: Any) -> str:
    return str(target).rpartition(".")[2] if target else "custom"


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
