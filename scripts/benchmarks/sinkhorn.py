"""Solvers of the `sinkhorn` drift on batches of a generator in training, to one marginal error, and what a step costs.

    python scripts/benchmarks/sinkhorn.py                 all of it, about 3 minutes on 2 cores
    python scripts/benchmarks/sinkhorn.py --n 256 --quick

Fresh noise and fresh draws of 8 Gaussians each time. All solvers stop at an L1 marginal error of 1e-3, in single
precision. The velocity error is the RMS difference of the attraction from that of a solve to 1e-8 in double precision,
over the RMS of the drift. ott-jax cold is its plain Sinkhorn; POT its log-domain solver, timed once.
"""

import argparse
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import ot
from common import median_times, table, write_table
from ott.geometry.geometry import Geometry
from ott.problems.linear.linear_problem import LinearProblem
from ott.solvers.linear.sinkhorn import Sinkhorn

import gmdwgf
from gmdwgf import transport
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import TrainState, initial_state
from gmdwgf.training.step import train_chunk

THRESHOLD = 1e-3
STAGES = {"early": 5, "late": 1500}
"""Training steps before the batches are drawn."""

CHUNK = 5


class Answer(NamedTuple):
    """What a solver found: its g in cost units, its own count of iterations, and whether it says that it converged."""

    g: jax.Array
    n_iters: jax.Array | int
    converged: jax.Array | bool


def problem(drift: str, n: int, **fields) -> Problem:
    """8 Gaussians by a perceptron of three layers and the default optimiser, `n` particles and targets."""
    chosen = gmdwgf.load_drift(drift, **fields)
    return gmdwgf.make_problem(
        "eight_gaussians", chosen, learning_rate=1e-3, n_steps=2000, batch_size=n, depth=3, n_codes=0
    )


def trained(n: int, stages: dict[str, int]) -> dict[str, TrainState]:
    """States of one run of the `sinkhorn` drift at each stage."""
    run, states = problem("sinkhorn", n, epsilon=0.1, self_term="same_batch"), {}
    state = jax.jit(initial_state)(run, jax.random.key(0))
    for name, stop in stages.items():
        while int(state.step) < stop:
            state, _ = train_chunk(run, state, jnp.asarray(stop), chunk_size=CHUNK)
        states[name] = jax.tree.map(jnp.copy, state)
    return states


def batch(n: int, state: TrainState, seed: int) -> tuple[jax.Array, jax.Array]:
    """Fresh samples of the generator at `state`, and fresh targets."""
    run, keys = problem("kl", n), jax.random.split(jax.random.key(seed))
    return run.generator.sample(state.params, keys[0], n), run.target.sample(keys[1], n)


@functools.partial(jax.jit, static_argnames="solver")
def ours(x, y, epsilon, threshold=THRESHOLD, *, solver) -> Answer:
    stop = {"threshold": jnp.asarray(threshold, x.dtype), "max_iters": 20000, "solver": solver}
    found = transport.potentials(x, y, jnp.asarray(epsilon, x.dtype), **stop)
    return Answer(found.g, found.n_iters, found.converged)


@jax.jit
def ott_cold(x, y, epsilon) -> Answer:
    geometry = Geometry(jnp.sum((x[:, None] - y) ** 2, axis=-1) / 2, epsilon=epsilon)
    solved = Sinkhorn(threshold=THRESHOLD, max_iterations=20000)(LinearProblem(geometry))
    return Answer(solved.g, solved.n_iters, jnp.asarray(solved.converged))


def pot(x, y, epsilon) -> Answer:
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    a, b = np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y))
    stop = {"stopThr": THRESHOLD, "numItermax": 20000, "log": True, "warn": False}
    log: dict[str, Any] = ot.sinkhorn(a, b, ot.dist(x, y) / 2, epsilon, method="sinkhorn_log", **stop)[1]
    return Answer(jnp.asarray(epsilon * log["log_v"], jnp.float32), log["niter"], log["err"][-1] <= THRESHOLD)


@jax.jit
def attraction(x, y, g, epsilon):
    log_b = jnp.full(len(y), -jnp.log(float(len(y))), x.dtype)
    return transport.pull(x, y, g.astype(x.dtype), log_b, jnp.asarray(epsilon, x.dtype))


def true_attraction_and_rms(x, y, epsilon) -> tuple[np.ndarray, float]:
    """By a solve to 1e-8 in double precision: the attraction, and the RMS of attraction minus repulsion."""
    with jax.enable_x64(True):
        x, y = jnp.asarray(np.asarray(x), jnp.float64), jnp.asarray(np.asarray(y), jnp.float64)
        alone = transport.self_potential(x, jnp.asarray(epsilon), threshold=jnp.asarray(1e-8), max_iters=1000)
        to_y, to_x = (
            attraction(x, y, ours(x, y, epsilon, 1e-8, solver="newton").g, epsilon),
            attraction(x, x, alone.f, epsilon),
        )
        return np.asarray(to_y), float(jnp.sqrt(jnp.mean((to_y - to_x) ** 2)))


def compare(
    stage: str, epsilon: float, clouds: tuple[jax.Array, jax.Array], repeats: int, slow: bool
) -> tuple[list[list], list]:
    """One row a solver: time, how many times as long as Newton, iterations, velocity error; and in short.

    POT is timed once.
    """
    solvers = {
        "newton": functools.partial(ours, *clouds, epsilon, solver="newton"),
        "ott-jax, momentum": functools.partial(ours, *clouds, epsilon, solver="ott"),
        "ott-jax, cold": functools.partial(ott_cold, *clouds, epsilon),
        "streamed": functools.partial(ours, *clouds, epsilon, solver="streamed"),
    }
    times = median_times(solvers, repeats)
    ratios = {name: str(times[name].over(times["newton"])) for name in solvers}
    if slow:
        solvers["POT"] = functools.partial(pot, *clouds, epsilon)
        times |= median_times({"POT": solvers["POT"]}, 1, warm_up=0)
        ratios["POT"] = f"{times['POT'].median / times['newton'].median:.3g}x"
    truth, rms = true_attraction_and_rms(*clouds, epsilon)
    rows, errors = [], {}
    for name, solver in solvers.items():
        found = solver()
        error = float(np.sqrt(np.mean((np.asarray(attraction(*clouds, found.g, epsilon)) - truth) ** 2))) / rms
        iterations = f"{int(found.n_iters)}{'' if found.converged else ' (not converged)'}"
        errors[name] = f"{error:.1e}"
        rows.append([stage, epsilon, name, times[name], ratios[name], iterations, errors[name]])
    told = f"{times['newton']}, velocity error {errors['newton']}"
    for name in ("ott-jax, cold", "ott-jax, momentum"):
        told += f"; {name} {ratios[name]} as long, {errors[name]}"
    return rows, [f"Sinkhorn plan to a marginal error of 1e-3, epsilon {epsilon}, {stage} in training", told]


def steps(n: int, state: TrainState, repeats: int) -> list[list]:
    """Whole training steps from one state: `sinkhorn`, solved to 1e-3, against `kl`."""
    runs = {
        "`kl`": problem("kl", n),
        "`sinkhorn`, same_batch": problem("sinkhorn", n, epsilon=0.1, self_term="same_batch"),
        "`sinkhorn`, two_batch": problem("sinkhorn", n, epsilon=0.1, self_term="two_batch"),
        "`sinkhorn`, reference": problem("sinkhorn", n, epsilon=0.1, self_term="reference"),
    }

    def advance(run):  # the state is given away by a chunk, so each gets a copy
        return train_chunk(run, jax.tree.map(jnp.copy, state), state.step + CHUNK, chunk_size=CHUNK)[1]

    times = median_times({name: functools.partial(advance, run) for name, run in runs.items()}, repeats)
    return [[name, times[name], times[name].over(times["`kl`"])] for name in runs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1024, help="particles, and targets")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a few training steps, no POT, nothing written")
    arguments = parser.parse_args()
    n, repeats = arguments.n, arguments.repeats
    states = trained(n, {"late": 50} if arguments.quick else STAGES)
    rows, short = [], []
    for stage, state in states.items():
        for epsilon in (0.1, 0.01):
            more, told = compare(stage, epsilon, batch(n, state, seed=1), repeats, slow=not arguments.quick)
            rows, short = rows + more, short + [told] * (stage == "late")
    clouds = batch(n, states["late"], seed=1)
    smallest = functools.partial(ours, *clouds, 0.001, solver="newton")
    found, seconds = smallest(), median_times({"newton": smallest}, repeats)["newton"]
    whole = steps(n, states["late"], repeats)
    short += [
        [f"a training step, {name}, epsilon 0.1, n = {n:,}", f"{ratio} a `kl` step"] for name, _, ratio in whole[1:]
    ]
    lines = [
        *table(["stage", "epsilon", "solver", "time", "over newton", "iterations", "velocity error"], rows),
        "",
        f"epsilon 0.001, late: newton in {seconds}, {int(found.n_iters)} steps, converged: {bool(found.converged)}.",
        "",
        *table([f"{CHUNK} training steps, n = {n}, epsilon 0.1, late", "time", "over `kl`"], whole),
    ]
    if arguments.quick:
        print("\n".join(lines))
    else:
        write_table("sinkhorn", lines, short)


if __name__ == "__main__":
    main()
