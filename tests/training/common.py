"""Small problems for the training tests."""

import jax
import jax.numpy as jnp

import gmdwgf
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import TrainState, initial_state
from gmdwgf.training.step import train_chunk


def small_problem(drift="kl", generator="mlp", optimizer="adam", dataset="eight_gaussians", changes=None) -> Problem:
    """A problem of a few seconds; `changes` are fields by group, e.g. {"drift": {"bandwidth": 0.5}}."""
    changes = changes or {}
    numbers = {"n_steps": 40, "batch_size": 24, "n_targets": 32, "ema_decay": 0.999}
    numbers |= {"noise_dim": 3, "width": 16, "depth": 2} if generator == "mlp" else {}
    for group in ("training", "generator", "optimizer"):
        numbers |= changes.get(group, {})
    target = gmdwgf.load_target(dataset, **changes.get("dataset", {}))
    drift = gmdwgf.load_drift(drift, **changes.get("drift", {}))
    return gmdwgf.make_problem(target, drift, generator=generator, optimizer=optimizer, **numbers)


def run_steps(
    problem: Problem, *stops: int, chunk_size: int = 10, seed: int = 0, state: TrainState | None = None
) -> TrainState:
    """The state after training to each stop in turn, from `state` or from the start."""
    state = jax.jit(initial_state)(problem, jax.random.key(seed)) if state is None else state
    for stop in stops:
        while int(state.step) < stop and not bool(state.health.diverged):
            state, _ = train_chunk(problem, state, jnp.asarray(stop), chunk_size=chunk_size)
    return state


def same_bits(one, other) -> bool:
    """Whether two pytrees hold exactly the same numbers."""
    plain = lambda leaf: jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
    equal = jax.tree.map(lambda a, b: bool((plain(a) == plain(b)).all()), one, other)
    return all(jax.tree.leaves(equal))
