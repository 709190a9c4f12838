"""What all benchmarks share: interleaved timings, ratios with their spread, and the page that keeps the results."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from gmdwgf.engine.blas import one_blas_thread
from gmdwgf.engine.vector_width import use_whole_vectors

use_whole_vectors()  # as the command does
one_blas_thread()
ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"


class Ratio(NamedTuple):
    """Median, and the middle half, of the ratios of two timings round by round."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g}x ({self.low:.3g} to {self.high:.3g})"


class Times(NamedTuple):
    """Seconds of one call, a number for every round."""

    seconds: np.ndarray

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))

    @property
    def spread(self) -> tuple[float, float]:
        """The middle half: first and third quartile."""
        low, high = np.percentile(self.seconds, [25, 75])
        return float(low), float(high)

    def over(self, other: "Times") -> Ratio:
        """How many times as long as `other`, from the rounds in which both ran one after the other."""
        low, middle, high = np.percentile(self.seconds / other.seconds, [25, 50, 75])
        return Ratio(float(middle), float(low), float(high))

    def __str__(self) -> str:
        low, high = self.spread
        return f"{_seconds(self.median)} ({_seconds(low)} to {_seconds(high)})"


def median_times(functions: dict[str, Callable[[], Any]], repeats: int, warm_up: int = 1) -> dict[str, Times]:
    """Time all functions in turn, `repeats` rounds, so that whatever else the machine does meets all of them alike.

    Every call is waited for until its result is there. The first `warm_up` rounds (compilation) are not counted. Unless there
    are none, each timed call follows one of the same function that is not counted: a step of a training follows a step like it,
    and does not pay for the caches, the memory and the busy threads that another function leaves behind.
    """
    seconds = {name: [] for name in functions}
    for turn in range(-warm_up, repeats):
        for name, function in functions.items():
            if turn >= 0 and warm_up:
                jax.block_until_ready(function())
            began = time.perf_counter()
            jax.block_until_ready(function())
            if turn >= 0:
                seconds[name].append(time.perf_counter() - began)
    return {name: Times(np.asarray(values)) for name, values in seconds.items()}


def table(header: list[str], rows: list[list[Any]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines]


SHORT = ["in short", "measured"]
"""The header of the table that a section begins with; its rows are those of the README."""


def write_table(name: str, lines: list[str], short: list[list[Any]]) -> None:
    """Print the lines and keep them, with command, device and commit, as the section `name` of docs/benchmarks.md.

    `short` are the rows, if any, by which the README tells the result.
    """
    if short:
        lines = [*table(SHORT, short), "", *lines]
    print("\n".join(lines))
    replace_between(PAGE, name, [*lines, "", circumstances()])


def replace_between(path: Path, name: str, lines: list[str]) -> None:
    """Put the lines between the markers `<!-- name:begin -->` and `<!-- name:end -->` of a file, at its end if it has none."""
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->\n"
    text = path.read_text() if path.is_file() else ""
    if begin not in text:
        text += f"\n{begin}{end}"
    before, rest = text.split(begin)
    path.write_text(before + begin + "\n".join(lines) + "\n" + end + rest.split(end)[1])


def circumstances() -> str:
    """Command, device and commit of this run, in one line."""
    words = [Path(sys.argv[0]).resolve().relative_to(ROOT), *sys.argv[1:]]
    device = jax.devices()[0]
    kind = f"{_processor()}, {os.cpu_count()} cores" if device.platform == "cpu" else device.device_kind
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "gmdwgf", "scripts", ":!*.json")
    commit = (_git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")
    command = " ".join(["python", *map(str, words)])
    return f"`{command}` on {device.platform} ({kind}), jax {jax.__version__}, commit {commit}."


def _git(*what: str) -> str:
    """What git says; nothing where it is not there, or this is no checkout."""
    try:
        return subprocess.run(["git", *what], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        return ""


def _processor() -> str:
    try:
        models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        return models[0].split(":")[1].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def _seconds(seconds: float) -> str:
    units = (("s", 1.0), ("ms", 1e3), ("us", 1e6))
    unit, scale = next((one for one in units if seconds * one[1] >= 1), units[-1])
    return f"{seconds * scale:.3g} {unit}"
