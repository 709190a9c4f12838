"""Sweeps of a few seconds."""

import json

import numpy as np

import gmdwgf
from gmdwgf.tracking import jsonl
from tests.training.common import same_bits

SMALL = [
    "debug=tiny",
    "training.n_steps=8",
    "training.eval_every=4",
    "training.checkpoint_every=4",
    "training.chunk_size=4",
    "training.batch_size=16",
    "generator.width=8",
    "generator.depth=1",
    "tracking.wandb.mode=disabled",
]


def endings(root):
    """The ending of every run below `root`, by the run's name."""
    files = [*root.glob("*/DONE.json"), *root.glob("*/DIVERGED.json"), *root.glob("*/FAILED.json")]
    return {path.parent.name: path for path in files}


def states(root):
    """How every run ended."""
    return {name: path.stem.lower() for name, path in endings(root).items()}


def differences(root, other):
    """Names of the runs of which anything but the clock differs, in records, samples or parameters."""
    assert states(root) == states(other)
    different = []
    for name in states(root):
        a, b = gmdwgf.load_run(root / name), gmdwgf.load_run(other / name)
        records = [[{k: v for k, v in r.items() if k != "seconds"} for r in run.records] for run in (a, b)]
        if records[0] != records[1] or not np.array_equal(a.samples, b.samples) or not same_bits(a.params, b.params):
            different.append(name)
    return different


def final_mmd2(root):
    """The last MMD^2 of every run that has one."""
    ends = {name: json.loads(path.read_text()) for name, path in endings(root).items()}
    return {name: end["mmd2"] for name, end in ends.items() if "mmd2" in end}


def steps_of(root):
    """The logged steps of every run."""
    return {path.parent.name: [r["step"] for r in jsonl.read_records(path)] for path in root.glob("*/metrics.jsonl")}
