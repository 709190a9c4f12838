"""Seconds of training until a stated score: our drifts, flow matching, and two public training loops of drifting.

    python scripts/benchmarks/time_to_quality.py               # 3 to 4 hours on 2 quiet cores; typed again, it goes on
    python scripts/benchmarks/time_to_quality.py --seeds 1     # a third of it
    python scripts/benchmarks/time_to_quality.py --table       # measure nothing: write the tables of the stored runs again
    python scripts/benchmarks/time_to_quality.py --shorter 50  # try it: a fiftieth of steps and samples, into runs/; the page stays

A run alternates between training, which is timed, and evaluations, which are not. All methods train on a target with one seed before
the next begins, so that whatever else the machine does meets all of them alike. The stored runs are in time_to_quality.json; a method
that needs PyTorch (the extra `benchmark`) is left out where there is none.
"""

import argparse
import functools
import os
import time
from pathlib import Path

import numpy as np
import quality_tables
from common import ROOT, circumstances
from contenders import Contender, Method, driftax, flow_matching, flow_matching_jax, notebook, ours, pytorch
from quality_results import SCORES, Results, Run

import gmdwgf
from gmdwgf.config.build import build, load_node
from gmdwgf.engine.references import fixed_reference
from gmdwgf.metrics.suite import MetricSuite, Reference

TARGETS = ("eight_gaussians", "swiss_roll", "checkerboard")
DRIFTS = ("sinkhorn", "mmd", "deng", "kl", "wflow")
OUR_STEPS = (2_000, 500)
"""The default number of steps, and a quarter of it: the learning rate falls to 0 over each."""
N_SAMPLES = 10_000
N_FLOOR_DRAWS = 32
N_EVALUATIONS = 15
"""Evaluations of a run, at steps that grow by the root of 2."""


def methods(shorter: int = 1) -> dict[str, Method]:
    """All methods by name, with a fraction of their steps."""
    found = {}
    for drift in DRIFTS:
        for n_steps in OUR_STEPS:
            start = functools.partial(ours.Drifting, drift=drift)
            found[f"`{drift}`, {n_steps:,} steps"] = Method(start, n_steps, is_ours=True)
    found |= {
        "flow matching, PyTorch": Method(flow_matching.FlowMatching, 20_000, needs_torch=True),
        "flow matching, JAX": Method(flow_matching_jax.FlowMatchingJAX, 20_000),
        "notebook, PyTorch": Method(notebook.Notebook, 2_000, needs_torch=True),
        "driftax": Method(driftax.Driftax, 2_000),
    }
    return {name: method._replace(n_steps=method.n_steps // shorter) for name, method in found.items()}


@functools.cache
def judge(target: str, n_samples: int) -> tuple[MetricSuite, Reference]:
    """The metrics of the command with more samples, and held-out points with their floors, the same for all methods and seeds."""
    numbers = {"n_samples": n_samples, "n_floor_draws": N_FLOOR_DRAWS, "n_assignment": min(n_samples, 1_000)}
    suite = build(load_node("metrics", "default", numbers), "metrics")
    return suite, fixed_reference(suite, gmdwgf.make_problem(target, "kl"))


def marks(n_steps: int) -> list[int]:
    """Steps of the evaluations."""
    return sorted({max(1, round(n_steps * 2 ** (-k / 2))) for k in range(N_EVALUATIONS)})


def evaluations_of(
    contender: Contender, suite: MetricSuite, reference: Reference, n_steps: int
) -> dict[str, dict[str, list[float]]]:
    """Train, and score samples on the way."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in contender.samplers()}
    seconds = cpu = 0.0
    for step in marks(n_steps):
        began, used = time.perf_counter(), time.process_time()
        contender.advance(step)
        seconds, cpu = seconds + time.perf_counter() - began, cpu + time.process_time() - used
        for name, sampler in contender.samplers().items():
            scores = suite.evaluate(np.asarray(sampler(suite.n_samples)), reference)
            told = {"step": step, "seconds": seconds, "cpu_seconds": cpu}
            for key, value in (told | {key: scores[key] for key in SCORES if key in scores}).items():
                found[name].setdefault(key, []).append(value)
    return found


def sampling_seconds(contender: Contender, repeats: int = 5) -> dict[str, float]:
    """Seconds of 10,000 samples, the median of several calls after one."""

    def once(sampler) -> float:
        began = time.perf_counter()
        sampler(N_SAMPLES)
        return time.perf_counter() - began

    def median(sampler) -> float:
        return float(np.median([once(sampler) for _ in range(repeats + 1)][1:]))

    return {name: median(sampler) for name, sampler in contender.samplers().items()}


def measure(name: str, method: Method, target: str, seed: int, n_samples: int, where: str) -> Run:
    """One run of one method; `where` are the circumstances."""
    suite, reference = judge(target, n_samples)
    if method.needs_torch:
        pytorch.pool(target)
    load, began = os.getloadavg()[0], time.perf_counter()
    contender = method.start(target, seed, method.n_steps)
    start = time.perf_counter() - began
    evaluations = evaluations_of(contender, suite, reference, method.n_steps)
    return Run(name, target, seed, method.n_steps, start, sampling_seconds(contender), load, where, evaluations)


def run_all(results: Results, chosen: dict[str, Method], targets: list[str], n_seeds: int, n_samples: int) -> None:
    """Run what is missing, all methods in turn."""
    torch = pytorch.torch
    version = "" if torch is None else f", torch {torch.__version__} with {torch.get_num_threads()} threads"
    where = f"{circumstances().removesuffix('.')}{version}."
    cells = [(seed, target, name) for seed in range(n_seeds) for target in targets for name in chosen]
    for seed, target, name in cells:
        method, began = chosen[name], time.perf_counter()
        if results.find(name, target, seed, method.n_steps) is not None:
            continue
        run = measure(name, method, target, seed, n_samples, where)
        results.add(run, judge(target, n_samples)[1].floor)
        last = {key: f"{found['mmd2'][-1]:.1e}" for key, found in run.evaluations.items()}
        trained, spent = next(iter(run.evaluations.values()))["seconds"][-1], time.perf_counter() - began
        print(f"{target}, {name}, seed {seed}: trained {trained:.1f} s of {spent:.0f} s, MMD^2 {last}", flush=True)


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument(
        "--methods", nargs="+", metavar="WORD", help="only methods with one of these words in their names"
    )
    parser.add_argument("--targets", nargs="+", default=TARGETS, choices=TARGETS)
    parser.add_argument("--shorter", type=int, default=1, metavar="K", help="a K-th of all steps")
    parser.add_argument("--threads", type=int, help="of PyTorch, by default one for each core")
    parser.add_argument("--results", type=Path, help="file of the stored runs")
    parser.add_argument("--table", action="store_true", help="measure nothing")
    return parser.parse_args()


def main() -> None:
    """Run what is asked for and missing, and write the tables."""
    arguments = asked()
    found = methods(arguments.shorter)
    chosen = {n: m for n, m in found.items() if not arguments.methods or any(w in n for w in arguments.methods)}
    if pytorch.torch is None:
        print("PyTorch is not installed: its methods are left out; pip install -e '.[benchmark]' has it")
        chosen = {name: method for name, method in chosen.items() if not method.needs_torch}
    else:
        pytorch.use_threads(arguments.threads)
    is_full = arguments.shorter == 1
    where = Path(__file__).with_suffix(".json") if is_full else ROOT / "runs" / "time_to_quality.json"
    results = Results(arguments.results or where)
    if not arguments.table:
        run_all(results, chosen, arguments.targets, arguments.seeds, N_SAMPLES // arguments.shorter)
    runs = [run for run in results.runs if run.method in found and run.n_steps == found[run.method].n_steps]
    is_ours = {name: method.is_ours for name, method in found.items()}
    quality_tables.write(results.floors, runs, is_ours, keep=is_full and arguments.results is None)


if __name__ == "__main__":
    main()
