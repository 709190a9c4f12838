"""One sweep of 48 cells (4 drifts x 4 values x 3 seeds) by the vectorized launcher, by the basic one, and by a process a job.

    python scripts/benchmarks/sweep.py                     # about 10 minutes on 2 cores
    python scripts/benchmarks/sweep.py --processes 12      # a process for every fourth job only, its time scaled up to all
    python scripts/benchmarks/sweep.py --killed 2          # the basic launcher, killed with -9 twice at random and typed again

The two launchers start with an empty cache of compiled programs each; the processes find those of the basic launcher, as all
but the first of a drift would. Counted are compilations of the training chunk, those read from the cache included.
"""

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import common
import numpy as np

import gmdwgf

DRIFTS = ("kl", "mmd", "mean_shift", "sliced_wasserstein")
AXES = {"drift": DRIFTS, "training.eta": (0.25, 0.5, 0.75, 1.0), "seed": (0, 1, 2)}
SIZES = ["debug=tiny", "training.n_steps=100", "training.eval_every=50", "training.checkpoint_every=50"]
QUIET = ["tracking.wandb.mode=disabled", "tracking.progress=false"]
SWEEP = ["-m", *(f"{key}={','.join(map(str, values))}" for key, values in AXES.items()), *SIZES, *QUIET]
CHUNKS = ("Compiling jit(chunk)", "Compiling jit(chunk_together)")


class Cost(NamedTuple):
    """What a command took; `memory` is the most that one of its processes had, in MB.

    The `cpu` seconds, of all threads, hardly depend on what else the machine does.
    """

    seconds: float
    cpu: float
    compiles: int
    memory: float


def environment(cache: Path) -> dict[str, str]:
    """That of a user whose compiled programs are kept in a folder of their own."""
    return os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache / "xla"), "JAX_LOG_COMPILES": "1"}


def run(folder: Path, *arguments: str, cache: Path | None = None) -> Cost:
    """One command to its end; its output is kept beside its runs."""
    folder.mkdir(exist_ok=True)
    with (folder / "out.log").open("a+") as log:
        before, began = log.tell(), time.perf_counter()
        command = [sys.executable, "-m", "gmdwgf.train", *arguments]
        process = subprocess.Popen(
            command, cwd=folder, env=environment(cache or folder), stdout=log, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        log.seek(before)
        said = log.read()
    if status:
        sys.exit(f"{' '.join(arguments)} failed:\n{said[-3000:]}")
    return Cost(
        seconds, used.ru_utime + used.ru_stime, sum(said.count(words) for words in CHUNKS), used.ru_maxrss / 1024
    )


def one_process_a_job(folder: Path, n: int) -> Cost:
    """`n` of the cells, spread evenly over all, and their time and compilations scaled up to all."""
    cells = [
        [f"{key}={value}" for key, value in zip(AXES, cell, strict=True)] for cell in itertools.product(*AXES.values())
    ]
    chosen = [cells[i * len(cells) // n] for i in range(n)]
    costs = [run(folder, *cell, *SIZES, *QUIET, cache=folder.parent / "basic") for cell in chosen]
    scale = len(cells) / n
    seconds, cpu, compiles = (scale * sum(costs) for costs in list(zip(*costs, strict=True))[:3])
    return Cost(seconds, cpu, round(compiles), max(cost.memory for cost in costs))


def mmd2(folder: Path) -> dict[str, float]:
    """The final MMD^2 of every run."""
    return {path.parent.name: json.loads(path.read_text())["mmd2"] for path in folder.glob("runs/*/DONE.json")}


def compare(folder: Path, n_processes: int) -> None:
    """The table of all ways."""
    costs = {
        "vectorized": run(folder / "vectorized", *SWEEP, "hydra/launcher=vectorized"),
        "basic": run(folder / "basic", *SWEEP),
        f"one process a job ({n_processes} measured)": one_process_a_job(folder / "processes", n_processes),
    }
    alone, rows = mmd2(folder / "basic"), []
    for (name, cost), where in zip(costs.items(), ("vectorized", "basic", "processes"), strict=True):
        found = mmd2(folder / where)
        apart = max(abs(value - alone[run]) for run, value in found.items())
        least = costs["vectorized"]
        times = [f"{cost.seconds:.0f} s", f"{cost.cpu:.0f} s"]
        times += [f"{cost.seconds / least.seconds:.2f}x", f"{cost.cpu / least.cpu:.2f}x"]
        rows.append([name, len(found), *times, cost.compiles, f"{cost.memory:.0f} MB", f"{apart:.1e}"])
    header = ["way", "runs", "wall time", "CPU time", "wall over vectorized", "CPU over vectorized"]
    header += ["compilations", "peak memory", "largest difference in MMD^2"]
    told = "; ".join(f"{row[0]} {row[2]}, {row[6]} compilations" for row in rows)
    common.write_table("sweep", common.table(header, rows), [["a sweep of 48 small jobs", told]])


def killed(folder: Path, times: int, seed: int) -> None:
    """Kill the sweep at random, type it again until it ends, and compare with the sweep that was left alone."""
    whole = run(folder / "whole", *SWEEP)
    chance, broken, finished = random.Random(seed), folder / "killed", dict[Path, int]()
    broken.mkdir()
    for _ in range(times):
        command = [sys.executable, "-m", "gmdwgf.train", *SWEEP]
        process = subprocess.Popen(
            command, cwd=broken, env=environment(broken), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.2, 0.6) * whole.seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        again = [path for path, when in finished.items() if path.stat().st_mtime_ns != when]
        finished = {path: path.stat().st_mtime_ns for path in broken.glob("runs/*/DONE.json")}
        print(f"killed with {len(finished)} of 48 runs finished; finished ones run again: {len(again)}")
    run(broken, *SWEEP)
    again = [path for path, when in finished.items() if path.stat().st_mtime_ns != when]
    differ = [
        path.name
        for path in sorted((folder / "whole" / "runs").glob("*-*"))
        if not same(path, broken / "runs" / path.name)
    ]
    print(
        f"typed again: {len(mmd2(broken))} of 48 finished, finished ones run again: {len(again)}, runs that differ: {len(differ)}"
    )
    sys.exit(1 if differ or again or len(mmd2(broken)) != 48 else 0)


def same(one: Path, other: Path) -> bool:
    """Whether two runs have the same records but for the clock, the same samples and the same parameters, bit for bit."""
    a, b = gmdwgf.load_run(one), gmdwgf.load_run(other)
    records: list[Any] = [[{k: v for k, v in r.items() if k != "seconds"} for r in run.records] for run in (a, b)]
    leaves = zip(*(map(np.asarray, _leaves(run.params)) for run in (a, b)), strict=True)
    return (
        records[0] == records[1]
        and np.array_equal(a.samples, b.samples)
        and all(np.array_equal(*pair) for pair in leaves)
    )


def _leaves(tree: Any) -> list:
    import jax

    return jax.tree.leaves(tree)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=48, help="cells that are run by a process each")
    parser.add_argument("--killed", type=int, default=0, metavar="TIMES", help="only kill and type again")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gmdwgf-sweep-") as place:
        if asked.killed:
            killed(Path(place), asked.killed, asked.seed)
        compare(Path(place), asked.processes)
