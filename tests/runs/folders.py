"""Run folders written by what writes them in a run, without the training between."""

import functools

import numpy as np
from hydra import compose, initialize_config_dir

from gmdwgf.config.build import config_dir
from gmdwgf.launch.spec import make_spec
from gmdwgf.runs.folder import failure, manifest
from gmdwgf.runs.snapshots import Snapshots
from gmdwgf.tracking import JsonlSink, RunHeader

FLOOR = {"gap": (0.0, 1.0), "mmd2": (0.0, 0.001), "w2": (0.3, 0.01)}


def make_run(root, state="done", mmd2=0.01, steps=(0, 100, 200), diverged_step=100, **choices):
    """The folder of a run; `choices` are overrides, with `__` for a dot: drift="kl", drift__bandwidth=0.3, seed=1."""
    overrides = [f"{name.replace('__', '.')}={value}" for name, value in choices.items()]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("train", overrides=["training.n_steps=200", f"paths.root={root}", *overrides])
    names = {group: str(choices.get(group, default)) for group, default in DEFAULTS.items()}
    job = make_spec(cfg, names)
    with job.folder.lock():
        job.folder.begin(job.yaml, _manifest() | {"id": job.id, "command": ["train.py", "-m", *overrides]})
        last = _record(job, steps, mmd2, diverged_step if state == "diverged" else None)
        if state in ("done", "diverged"):
            facts = {"id": job.id, "status": state, **last, "floor": FLOOR}
            if state == "diverged":
                facts |= {"diverged_step": diverged_step, "diverged_term": "position", "diverged_value": "2e4"}
            job.folder.end(state, facts)
        elif state == "failed":
            job.folder.end("failed", failure(OSError(28, "No space left on device")))
    return job


DEFAULTS = {"dataset": "eight_gaussians", "drift": "sinkhorn"}


_manifest = functools.cache(lambda: manifest("", []))  # asks git and all packages


def _record(job, steps, mmd2, diverged_step):
    rng = np.random.default_rng(job.config["seed"])
    sink = JsonlSink()
    sink.start(RunHeader(job.id, job.name, job.folder.path, job.config, 200))
    snapshots = Snapshots(job.folder.samples, rng.normal(size=(50, 2)))
    last = {}
    for step in steps:
        if diverged_step is not None and step > diverged_step:
            break
        values = {
            "seconds": step / 10,
            "gap": 1000 * mmd2 * (1 + 100 * (step == 0)),
            "mmd2": mmd2 * (1 + 100 * (step == 0)),
            "w2": 0.4,
            "v_rms": 0.1,
        }
        sink.log(step, values)
        snapshots.add(step, rng.normal(size=(40, 2)) + step / 100)
        last = {"step": step, **values}
    return last
