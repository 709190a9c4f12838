"""Where the time of a training step goes, the step against the sum of its parts, and against eager PyTorch.

python scripts/benchmarks/step.py                          # the setting of docs/benchmarks.md, kept there
python scripts/benchmarks/step.py drift=deng dataset=...   # any other: printed alone
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import eager
import jax
import jax.numpy as jnp
import numpy as np
import optax
from common import Times, median_times, table, write_table
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from gmdwgf.config.build import build, config_dir
from gmdwgf.engine.checkpoints import Checkpoints
from gmdwgf.engine.monitor import evaluation_samples
from gmdwgf.engine.references import fixed_reference
from gmdwgf.launch.components import problem_of
from gmdwgf.tracking import RunHeader, make_tracker
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import TrainState, initial_state
from gmdwgf.training.step import regression_loss, train_chunk

SETTING = ["drift=kl", "training.batch_size=1024", "generator.width=256", "generator.depth=3", "generator.n_codes=0"]
N = 50
"""Steps in one timed call."""


def repeated(body: Callable, carry: Any, *fixed: Any) -> Callable:
    """N times `body` in one compiled program, each on what the one before left."""

    @jax.jit
    def run(carry, *fixed):
        return jax.lax.scan(lambda carry, i: (body(i, carry, *fixed), None), carry, jnp.arange(N))[0]

    return lambda: run(carry, *fixed)


def parts(problem: Problem, state: TrainState) -> dict[str, Callable]:
    """The pieces of a step by themselves."""
    n, m, key = problem.batch_size, problem.n_targets, jax.random.key(1)
    x, y = problem.generator.sample(state.params, key, n), problem.target.sample(key, m)
    drift = problem.drift_at(state.step)

    def network(i, params, v):
        def loss(params):
            return regression_loss(problem.generator.sample(params, jax.random.fold_in(key, i), n), v, problem.eta)

        return jax.tree.map(lambda p, g: p - 1e-6 * g, params, jax.grad(loss)(params))

    def optimiser(i, carry, gradient):
        params, opt_state, ema = carry
        updates, opt_state, _ = problem.optimizer.update(gradient, opt_state, params, i, problem.n_steps)
        params = optax.apply_updates(params, updates)
        return params, opt_state, optax.incremental_update(params, ema, 1 - problem.ema_decay)

    def velocity(i, carry, y):
        x, drift_state = carry
        output, drift_state = drift.update(drift_state, x, y, jax.random.fold_in(key, i))
        return x + 1e-6 * output.v, drift_state

    def targets(i, y):
        return 1e-6 * y + problem.target.sample(jax.random.fold_in(key, i), m)

    trained = state.params, state.opt_state, state.ema_params
    return {
        "drift": repeated(velocity, (x, state.drift_state), y),
        "network, forward and backward": repeated(network, state.params, x),
        "optimiser and moving average": repeated(optimiser, trained, state.params),
        "targets": repeated(targets, y),
    }


def whole(problem: Problem, state: TrainState) -> Callable:
    """N training steps as the loop takes them, from a fresh copy of the state."""
    return lambda: train_chunk(problem, jax.tree.map(jnp.copy, state), jnp.asarray(N), chunk_size=N)


def around(config: dict, problem: Problem, state: TrainState, scratch: Path) -> dict[str, tuple[Callable, int]]:
    """What the loop does between chunks, and every how many steps."""
    suite, plan = build(config["metrics"], "metrics"), build(config["training"], "training")
    reference = fixed_reference(suite, problem)
    key, checkpoints, saved = jax.random.key(0), Checkpoints(scratch / "checkpoints", print), iter(range(1, 1000))
    info = RunHeader("benchmark", "benchmark", scratch, config, plan.n_steps)
    tracker = make_tracker(None, info, print)  # metrics.jsonl alone
    tracker.start(0, reference.floor)
    evaluate = lambda: suite.evaluate(evaluation_samples(problem, state.ema_params, key, suite.n_samples), reference)
    record = evaluate()

    def save():
        checkpoints.save(state.__class__(**{**vars(state), "step": jnp.asarray(next(saved))}), 0.0, {"record": record})

    return {
        "evaluation": (evaluate, plan.eval_every),
        "logging": (lambda: tracker.log(next(saved), record), plan.eval_every),
        "checkpoint": (save, plan.checkpoint_every),
    }


def setting(overrides: list[str]) -> tuple[dict[str, Any], Problem, TrainState]:
    """The configuration of the benchmark with some changes, its problem, and a state to step from."""
    with initialize_config_dir(str(config_dir().resolve()), version_base="1.3"):
        cfg = compose("train", overrides=[*SETTING, *overrides])
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    problem = problem_of(config)
    return config, problem, jax.jit(initial_state)(problem, jax.random.key(0))


def in_torch(config: dict) -> Callable | None:
    """A step of that setting in eager PyTorch, if it is there."""
    generator, batch_size = config["generator"], config["training"]["batch_size"]
    noise_dim, width, depth = (generator[name] for name in ("noise_dim", "width", "depth"))
    return eager.training_step(batch_size, noise_dim, width, depth, config["drift"]["bandwidth"])


def main(overrides: list[str]) -> None:
    """Measure one setting; keep the tables if it is the standard one."""
    config, problem, state = setting(overrides)
    pieces = parts(problem, state)
    functions = {"whole step": whole(problem, state)} | pieces
    theirs = None if overrides else in_torch(config)
    if theirs is not None:
        functions["PyTorch"] = lambda: [theirs() for _ in range(5)]
    times = {}
    for name, spent in median_times(functions, repeats=9).items():
        times[name] = Times(spent.seconds / (5 if name == "PyTorch" else N))
    with tempfile.TemporaryDirectory() as scratch:
        others = around(config, problem, state, Path(scratch))
        for name, spent in median_times({name: call for name, (call, _) in others.items()}, repeats=5).items():
            times[name] = Times(spent.seconds / others[name][1])
    step = times["whole step"]
    cells = lambda name, note="": [name + note, times[name], f"{times[name].median / step.median:.0%}"]
    rows = [cells(name) for name in ("whole step", *pieces)]
    rows += [cells(name, f" (every {others[name][1]} steps)") for name in others]
    lines = table(["part", "time a step", "of the whole step"], rows)
    together = Times(np.sum([times[name].seconds for name in pieces], axis=0))
    lines += ["", f"The whole step takes {step.over(together)} of the sum of the parts within it, each measured alone."]
    if theirs is not None:
        lines += ["", f"Eager PyTorch takes {times['PyTorch'].over(step)} as long for the same step."]
    if overrides:
        print("\n".join(lines))
    else:
        told = f"{step}; {step.over(together)} of its parts alone"
        short = [["a training step, `kl`, batch 1,024, MLP 256x3", told]]
        if theirs is not None:
            short.append(["the same step in eager PyTorch", f"{times['PyTorch'].over(step)} as long"])
        write_table("step", ["Setting: `" + " ".join(SETTING) + "`.", "", *lines], short)


if __name__ == "__main__":
    main(sys.argv[1:])
