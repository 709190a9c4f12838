"""Stored runs of time_to_quality.py: a JSON file with a line for each run, and what is read off them."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gmdwgf.files import write_atomically
from gmdwgf.metrics.floors import Floor, in_deviations

SCORES = ("near", "mmd2", "energy_distance", "sliced_w2", "w2")
"""What is stored of every evaluation; `near` for targets with modes only."""


class Run(NamedTuple):
    """One training: seconds of construction, of sampling 10,000 points, and its evaluations for each way to sample.

    `evaluations[sampler]` has a list for each of `step`, `seconds` and `cpu_seconds` (of training until then) and the scores.
    """

    method: str
    target: str
    seed: int
    n_steps: int
    start_seconds: float
    sampling_seconds: dict[str, float]
    load: float
    """Processes that ran or waited on the machine in the minute before the run, those of this command included."""
    circumstances: str
    evaluations: dict[str, dict[str, list[float]]]


class Results:
    """Runs and floors of a file, which is written again after each new one."""

    def __init__(self, path: Path):
        self.path = path
        kept = json.loads(path.read_text()) if path.is_file() else {"floors": {}, "runs": []}
        self.floors = {t: {name: Floor(*pair) for name, pair in f.items()} for t, f in kept["floors"].items()}
        self.runs = [Run(**run) for run in kept["runs"]]

    def find(self, method: str, target: str, seed: int, n_steps: int) -> Run | None:
        """The run, if it is there."""
        asked = (method, target, seed, n_steps)
        return next((run for run in self.runs if run[:4] == asked), None)

    def add(self, run: Run, floor: dict[str, Floor]) -> None:
        """Keep a run, and the floor of its target."""
        self.runs.append(run)
        self.floors[run.target] = {name: floor[name] for name in SCORES if name in floor}
        runs = ",\n".join(f"  {json.dumps(rounded(run._asdict()))}" for run in self.runs)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        floors = json.dumps(rounded(self.floors))
        write_atomically(self.path, f'{{"floors": {floors},\n "runs": [\n{runs}\n]}}\n')


def rounded(value: Any) -> Any:
    """The same with real numbers in four digits."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def is_as_good(name: str, value: float, limit: float) -> bool:
    """Whether a score is at least as good as another: of `near` more is better, of the distances less."""
    return value >= limit if name == "near" else value <= limit


def seconds_until(evaluations: dict[str, list[float]], name: str, limit: float) -> float:
    """Seconds of training until the first evaluation that is as good as `limit`; infinite if there is none."""
    pairs = zip(evaluations["seconds"], evaluations[name], strict=True)
    return next((seconds for seconds, value in pairs if is_as_good(name, value, limit)), math.inf)


def score_after(evaluations: dict[str, list[float]], name: str, seconds: float) -> float:
    """The score after so many seconds, between two evaluations on the line through them over log time.

    After the end of the run it is the last score. Before the first evaluation it is NaN.
    """
    at, values = np.asarray(evaluations["seconds"]), np.asarray(evaluations[name])
    return float(np.interp(np.log(seconds), np.log(at), values, left=math.nan))


def deviations(floors: dict[str, Floor], name: str, value: float) -> str:
    """A distance as what it is above its floor, in standard deviations of the floor."""
    return f"{in_deviations(value, floors[name]):+.1f}"
