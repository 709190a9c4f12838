"""Time and memory of status, collect, collect --seeds and report on 1,000 finished runs.

python scripts/benchmarks/many_runs.py [--runs 1000] [--keep FOLDER]

Twenty short runs are trained (one a dataset and drift, with the default number of samples and nine evaluations) and their folders
copied under other drifts, bandwidths and seeds, with the identity that goes with each; checkpoints and figures are left out.
Exits with 1 if a command takes 30 s or 2 GB.
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml
from common import table, write_table

from gmdwgf.runs.folder import RunDir
from gmdwgf.runs.identity import run_id
from gmdwgf.runs.records import read_runs
from gmdwgf.tracking import jsonl

DATASETS = ("eight_gaussians", "circles", "pinwheel", "swiss_roll")
DRIFTS = ("kl", "deng", "sinkhorn_proxy", "mmd", "sharp")
VALUES = (0.1, 0.3, 0.5, 1.0, 3.0)
SHORT = (
    "training.n_steps=80 training.batch_size=64 training.eval_every=10 training.checkpoint_every=80 metrics.n_samples=256 "
    "metrics.n_assignment=64 tracking.progress=false tracking.wandb.mode=disabled"
)
LIMIT_S, LIMIT_MB = 30.0, 2000.0


def train(folder: Path) -> None:
    """One real run a dataset and drift."""
    axes = [f"dataset={','.join(DATASETS)}", f"drift={','.join(DRIFTS)}"]
    command = [sys.executable, "-m", "gmdwgf.train", "-m", *axes, *SHORT.split(), f"paths.root={folder}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def copy(source: Path, root: Path, value: float, seed: int, rng: np.random.Generator) -> None:
    """The folder of `source` as that of a run with another bandwidth (or temperature) and seed."""
    config = yaml.safe_load((source / "config.yaml").read_text())
    name = "temperature" if "temperature" in config["drift"] else "bandwidth"
    config["drift"][name], config["seed"] = value, seed
    run = run_id(config)
    folder = RunDir(root / f"{source.name.rpartition('-')[0]}-{run}")
    folder.path.mkdir(parents=True)
    for file in ("samples.npz", "train.log"):
        shutil.copy(source / file, folder.path / file)
    manifest = json.loads((source / "manifest.json").read_text())
    folder.begin(yaml.safe_dump(config, sort_keys=False), manifest | {"id": run})
    factor, records = float(rng.lognormal(sigma=0.5)), jsonl.read_records(source / "metrics.jsonl")
    sink = [{**record, "mmd2": record["mmd2"] * factor} for record in records]
    folder.metrics.write_text("".join(json.dumps(record) + "\n" for record in sink))
    ending = json.loads((source / "DONE.json").read_text())
    folder.end("done", ending | {"id": run, "mmd2": ending["mmd2"] * factor})


def make(root: Path, real: Path, n: int) -> None:
    """`n` run folders in `root`."""
    train(real)
    sources = sorted(path.parent for path in real.glob("*/DONE.json"))
    rng = np.random.default_rng(0)
    for seed, value, source in itertools.islice(itertools.product(range(n), VALUES, sources), n):
        copy(source, root, value, seed, rng)


def measure(arguments: list[str]) -> tuple[float, float]:
    """Seconds and peak megabytes of a command."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{' '.join(arguments)} failed")
    return time.perf_counter() - began, usage.ru_maxrss / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument(
        "--keep", type=Path, help="where the folders are made and left; taken as they are if they are there"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = asked.keep or Path(temporary) / "runs"
        if not root.exists():
            make(root, Path(temporary) / "real", asked.runs)
        assert len(read_runs(root)) == asked.runs
        commands = {
            "status": ["gmdwgf.runs", "status", str(root)],
            "collect": ["gmdwgf.runs", "collect", str(root)],
            "collect --seeds": ["gmdwgf.runs", "collect", str(root), "--seeds"],
            "report": ["gmdwgf.report", str(root)],
        }
        too_much, rows = False, []
        for name, arguments in commands.items():
            seconds, megabytes = measure(arguments)
            too_much |= seconds > LIMIT_S or megabytes > LIMIT_MB
            rows.append([name, f"{seconds:.1f} s", f"{megabytes:.0f} MB"])
        page = f"The page of the report has {(root / 'report.html').stat().st_size / 1e6:.1f} MB."
    told = "; ".join(f"{name} {seconds}, {megabytes}" for name, seconds, megabytes in rows)
    lines = [*table([f"command, {asked.runs:,} runs", "time", "peak memory"], rows), "", page]
    write_table("many-runs", lines, [[f"{asked.runs:,} finished runs", told]])
    sys.exit(int(too_much))


if __name__ == "__main__":
    main()
