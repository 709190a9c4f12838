"""Start-up: the command line without a run, and what a first, a second and a changed run compile.

python scripts/benchmarks/startup.py
python scripts/benchmarks/startup.py --against COMMIT    # beside an earlier version, in turn; writes a section of its own
"""

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from common import PAGE, ROOT, circumstances, median_times, replace_between, table, write_table

RUN = ["dataset=two_moons", "drift=kl", "training.n_steps=200", "training.eval_every=100", "generator.width=64"]
"""A short run; every run here differs from it in real numbers and the seed only."""

CHANGED = ["drift.bandwidth=0.37", "optimizer.learning_rate=3e-4", "training.eta=0.9", "dataset.noise=0.11"]


def gmdwgf(*words: str, cache: str | None = None) -> float:
    """Seconds of one call of the command."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({"XDG_CACHE_HOME": cache} if cache else {})
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "gmdwgf.train", *words], env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def run(folder: Path, cache: str, *words: str) -> list[str]:
    """One run in a process of its own: what the manifest of its end says of compilation."""
    seconds = gmdwgf(*RUN, *words, f"paths.root={folder}", cache=cache)
    (done,) = folder.glob("*/DONE.json")
    told = json.loads(done.read_text())["compile"]
    compiled = told["programs"] - told["from_cache"]
    return [f"{told['programs']}", f"{compiled}", f"{told['seconds']:.2f} s", f"{seconds:.1f} s"]


def seconds_to_first_step(folder: Path, cache: str, code: Path = ROOT) -> tuple[float, float]:
    """Seconds until the scores of step 0 are printed, after which the first step follows at once, and until the process ends."""
    environment = os.environ | {"PYTHONPATH": str(code), "XDG_CACHE_HOME": cache, "PYTHONUNBUFFERED": "1"}
    words = [sys.executable, "-m", "gmdwgf.train", *RUN, "tracking.line_every=0", f"paths.root={folder}"]
    began, first = time.perf_counter(), 0.0
    told = {"cwd": code, "env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(words, **told, text=True) as job:
        for line in job.stdout or ():
            if " 0/200 " in line and not first:
                first = time.perf_counter() - began
    return first, time.perf_counter() - began


def seconds_of_lines(words: list[str], cache: str) -> list[tuple[float, str]]:
    """Lines that a command prints, each with the seconds since it was typed; the last is its end."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": cache, "PYTHONUNBUFFERED": "1"}
    began, found = time.perf_counter(), []
    command = [sys.executable, "-m", "gmdwgf.train", *words]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as job:
        found += [(time.perf_counter() - began, line) for line in job.stdout or ()]
    return [*found, (time.perf_counter() - began, "")]


def dry_sweep(folder: Path, cache: str) -> list[str]:
    """A dry sweep of 300 cells: seconds to the first line, to the first cell and to the end."""
    axes = ["drift=kl,blob,mmd", "dataset=two_moons,circles", "training.eta=0.5,1", "seed=range(25)"]
    lines = seconds_of_lines(["-m", *axes, "--dry", f"paths.root={folder}"], cache)
    cell = next(seconds for seconds, line in lines if "would run" in line)
    return [f"{lines[0][0]:.1f} s", f"{cell:.1f} s", f"{lines[-1][0]:.1f} s"]


def further_job(folder: Path, cache: str, n: int = 4) -> list[str]:
    """A further job of a sweep in the same process: seconds from the end of one to the end of the next, and those of its steps."""
    seeds = f"seed={','.join(map(str, range(n)))}"
    lines = seconds_of_lines(["-m", *RUN, seeds, f"paths.root={folder}"], cache)
    ends = [seconds for seconds, line in lines if "done (gap" in line]
    steps = [json.loads(path.read_text())["seconds"] for path in folder.glob("*/DONE.json")]
    return [f"{(ends[-1] - ends[0]) / (len(ends) - 1):.2f} s", f"{sorted(steps)[len(steps) // 2]:.2f} s"]


def longest_to_read(folder: Path, cache: str, n: int = 6) -> list[str]:
    """Where the time goes in a run that compiles nothing: the programs that take longest to read, and all the others."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": cache, "JAX_LOG_COMPILES": "1"}
    words = [sys.executable, "-m", "gmdwgf.train", *RUN, f"paths.root={folder}"]
    told = subprocess.run(words, env=environment, check=True, capture_output=True, text=True).stderr
    found = re.findall(r"Finished XLA compilation of jit\((\w+)\) in ([\d.e-]+) sec", told)
    programs = sorted(((float(seconds), name) for name, seconds in found), reverse=True)
    rows = [[f"`{name}`", f"{seconds * 1e3:.0f} ms"] for seconds, name in programs[:n]]
    others = sum(seconds for seconds, _ in programs[n:])
    return table(["program, read", "time"], [*rows, [f"{len(programs) - n} others", f"{others * 1e3:.0f} ms"]])


def code_of(commit: str, folder: Path) -> Path:
    """The files of a commit, written into `folder`."""
    packed = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def against(commit: str, rounds: int = 5) -> None:
    """The same short run with an earlier version of the code and with this one, in turn: cold, then warm."""
    with tempfile.TemporaryDirectory() as scratch:
        codes = {commit: code_of(commit, Path(scratch) / "code"), "now": ROOT}
        found = {name: [] for name in codes}
        for number in range(rounds + 1):
            for name, code in codes.items():
                place = Path(scratch) / f"{name} {number}"
                found[name].append(seconds_to_first_step(place, f"{scratch}/cache of {name}", code))
    rows = []
    for at, words in ((0, "to the first step"), (1, "to the end, 200 steps")):
        cold = {name: times[0][at] for name, times in found.items()}
        warm = {name: sorted(pair[at] for pair in times[1:]) for name, times in found.items()}
        middle = {name: values[len(values) // 2] for name, values in warm.items()}
        ranges = [f"{middle[name]:.1f} s ({values[0]:.1f} to {values[-1]:.1f})" for name, values in warm.items()]
        rows.append([f"{words}, first run on a machine", *(f"{cold[name]:.1f} s" for name in codes)])
        rows[-1].append(f"{cold[commit] / cold['now']:.2f}x")
        rows.append([f"{words}, later runs", *ranges, f"{middle[commit] / middle['now']:.2f}x"])
    lines = [*table(["from typing the command", f"commit {commit}", "now", "ratio"], rows), "", circumstances()]
    print("\n".join(lines))
    replace_between(PAGE, "start-up-before", lines)


def main() -> None:
    """Measure and keep the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", metavar="COMMIT", help="compare with an earlier version")
    commit = parser.parse_args().against
    return against(commit) if commit else measure()


def measure() -> None:
    """All tables of this version."""
    words = {"`--help`": ["--help"], "`--cfg job`": ["--cfg", "job"]}
    times = median_times({name: lambda w=w: gmdwgf(*w) for name, w in words.items()}, repeats=5)
    lines = table(["command", "time (median and middle half)"], [[name, spent] for name, spent in times.items()])
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        asked = {
            "first run": [],
            "the same again": [],
            "other real numbers": CHANGED,
            "another seed": ["seed=1"],
        }
        for number, (name, change) in enumerate(asked.items()):
            rows.append([name, *run(Path(scratch) / str(number), f"{scratch}/cache", *change)])
        profile = longest_to_read(Path(scratch) / "profile", f"{scratch}/cache")
        cold = seconds_to_first_step(Path(scratch) / "cold", f"{scratch}/new cache")
        warm = [seconds_to_first_step(Path(scratch) / f"warm {k}", f"{scratch}/cache") for k in range(3)]
        further = further_job(Path(scratch) / "sweep", f"{scratch}/cache")
        dry = dry_sweep(Path(scratch) / "dry", f"{scratch}/cache")
    lines += ["", *table(["run", "programs", "of them compiled", "time compiling or reading", "whole process"], rows)]
    starts = [("first run on a machine", cold), ("later runs (median of 3)", sorted(warm)[1])]
    head = ["from typing the command", "to the first step", "to the end, 200 steps"]
    lines += ["", *table(head, [[name, f"{first:.1f} s", f"{end:.1f} s"] for name, (first, end) in starts])]
    lines += ["", *table(["a further job of a sweep in the same process", "of it steps"], [further])]
    lines += ["", *table(["300 cells `--dry`: to the first line", "to the first cell", "to the end"], [dry])]
    lines += ["", *profile]
    first, again = ([row for row in rows if row[0] == name][0] for name in ("first run", "other real numbers"))
    told = f"{first[4]} with {first[2]} programs compiled; with other real numbers {again[4]} with {again[2]}"
    short = [["`gmdwgf --help`", times["`--help`"]], ["a first run of 200 steps in a new process", told]]
    write_table("start-up", lines, short)


if __name__ == "__main__":
    main()
