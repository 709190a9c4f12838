"""What was tried on the way to the defaults: one setting changed at a time, on eight Gaussians, with a seed of its own."""

from typing import Any, NamedTuple

import jax.numpy as jnp

import gmdwgf
from gmdwgf.optim import Exponential

N_STEPS = 2_000


class Trial(NamedTuple):
    """A drift with changed fields, and changed numbers of the run; `epsilon_from` is the start of an exponential schedule."""

    drift: str
    fields: dict[str, Any]
    numbers: dict[str, Any]
    epsilon_from: float | None = None


TRIALS = {
    "sinkhorn, the defaults": Trial("sinkhorn", {}, {}),
    "sinkhorn, halves of 512 particles (`two_batch`)": Trial("sinkhorn", {"self_term": "two_batch"}, {}),
    "sinkhorn, halves of 1,024 particles": Trial("sinkhorn", {"self_term": "two_batch"}, {"batch_size": 1024}),
    "sinkhorn, 1,024 targets and references": Trial("sinkhorn", {}, {"n_targets": 1024}),
    "sinkhorn, epsilon 0.05": Trial("sinkhorn", {"epsilon": 0.05}, {}),
    "sinkhorn, epsilon from 0.2 to 0.02": Trial("sinkhorn", {}, {}, epsilon_from=0.2),
    "sinkhorn, no codes": Trial("sinkhorn", {}, {"n_codes": 0}),
    "sinkhorn, 256 codes": Trial("sinkhorn", {}, {"n_codes": 256}),
    "sinkhorn, three layers": Trial("sinkhorn", {}, {"depth": 3}),
    "sinkhorn, learning rate 0.003": Trial("sinkhorn", {}, {"learning_rate": 0.003}),
    "deng, the defaults": Trial("deng", {}, {}),
    "deng, no codes": Trial("deng", {}, {"n_codes": 0}),
    "deng, 256 codes": Trial("deng", {}, {"n_codes": 256}),
    "deng, three layers": Trial("deng", {}, {"depth": 3}),
    "deng, width 128": Trial("deng", {}, {"width": 128}),
}


def options(name: str) -> dict[str, Any]:
    """Arguments of `gmdwgf.fit` for a trial."""
    drift, fields, numbers, start = TRIALS[name]
    schedules = {} if start is None else {"epsilon": Exponential(*map(jnp.asarray, (start, 0.02, float(N_STEPS))))}
    return {"drift": gmdwgf.load_drift(drift, **fields), "schedules": schedules, "n_steps": N_STEPS, **numbers}
