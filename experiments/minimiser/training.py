"""Where a trained generator of the family comes to rest: the package's own training step, with seeds and batches of its own."""

from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import gmdwgf
from experiments.minimiser.laws import Family, setting
from gmdwgf.config.fields import flag, real
from gmdwgf.generators.base import AbstractGenerator, Condition, Params, unconditional
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import initial_state
from gmdwgf.training.step import train_step
from gmdwgf.typing import Array, Key, Particles, Scalar

FIELDS = {
    "kl": lambda h: ("kl", {"bandwidth": h, "self_term": "leave_one_out"}),
    "kl, keep": lambda h: ("kl", {"bandwidth": h, "self_term": "keep"}),
    "kl, two_batch": lambda h: ("kl", {"bandwidth": h, "self_term": "two_batch"}),
    "kl_wgf": lambda h: ("kl_wgf", {"bandwidth": h, "n_perturbations": 2}),
    "blob": lambda h: ("blob", {"bandwidth": h}),
    "mmd": lambda h: ("mmd", {"kernel": "gaussian", "bandwidth": h, "estimator": "u"}),
    "sinkhorn": lambda h: ("sinkhorn", {"epsilon": h**2, "self_term": "two_batch"}),
}


class Plan(NamedTuple):
    """Sizes of a training; a second one has batches twice as large."""

    n: int
    n_steps: int
    n_seeds: int
    rate: float
    """What a step moves a parameter by, in units of E[J^T v]."""


def plan_of(drift: str, h: float) -> Plan:
    """Without the particle itself batches can be small. With it (`kl_wgf`, `blob`) a bias of order 1/n^2 must be small too."""
    if drift in ("kl_wgf", "blob"):  # in 1 / data units: times h^2 they have the speed of `kl`
        return Plan(192, 800, 6, 0.6 / h**2)
    return {"sinkhorn": Plan(64, 600, 5, 0.3)}.get(drift, Plan(64 if h > 0.5 else 128, 4000, 8, 0.6))


class AffineGenerator(AbstractGenerator):
    """x = c + W z with a full or a diagonal matrix W, started near N(0, scale^2 I)."""

    scale: Scalar = real("data units", above=0)
    diagonal: bool = flag()

    def init(self, key: Key, n: int, dim: int, n_classes: int = 0) -> Params:
        del n
        unconditional("affine", n_classes)
        key_centre, key_matrix = jax.random.split(key)
        centre = 0.3 * self.scale * jax.random.normal(key_centre, (dim,))
        shape = (dim,) if self.diagonal else (dim, dim)
        mean = jnp.ones(dim) if self.diagonal else jnp.eye(dim)
        return {"c": centre, "w": self.scale * (mean + 0.1 * jax.random.normal(key_matrix, shape))}

    def sample(self, params: Params, key: Key, n: int, condition: Condition | None = None) -> Particles:
        del condition
        z = jax.random.normal(key, (n, params["c"].size))
        return params["c"] + (z * params["w"] if self.diagonal else z @ params["w"].T)


def problem_of(name: str, drift: str, h: float, n: int, n_steps: int, rate: float) -> Problem:
    """Gradient descent without momentum on batches of `n` particles and `n` targets; `rate` moves a parameter by rate E[J^T v]."""
    target, family = setting(name)
    plan = {"n_steps": n_steps, "batch_size": n, "eta": 1.0, "ema_decay": 0.0}
    descent = {"optimizer": "sgd", "momentum": 0.0, "clip_norm": 1e30, "learning_rate": rate / 2}
    known, fields = FIELDS[drift](h)
    made = gmdwgf.load_drift(known, **fields)
    return gmdwgf.make_problem(
        target, made, generator=AffineGenerator(jnp.asarray(1.0), family.diagonal), **descent, **plan
    )


@partial(jax.jit, static_argnames=("n_steps", "together"))
def moments_of(
    problem: Problem, seeds: Array, starts: Params | None, n_steps: int, together: bool
) -> tuple[Array, Array]:
    """Means of c `[seeds d]` and of W W^T `[seeds d d]` over the last three quarters of the steps."""

    def one(seed):
        state = initial_state(problem, jax.random.key(seed))
        if starts is not None:
            state = eqx.tree_at(lambda s: s.params, state, starts)

        def step(state, _):
            state, _ = train_step(problem, state)
            c, w = state.params["c"], state.params["w"]
            w = jnp.diag(w) if w.ndim == 1 else w
            bad = state.health.diverged
            return state, (jnp.where(bad, jnp.nan, c), jnp.where(bad, jnp.nan, w @ w.T))

        _, (c, covariance) = jax.lax.scan(step, state, length=n_steps)
        first = n_steps // 4
        return c[first:].mean(axis=0), covariance[first:].mean(axis=0)

    return jax.vmap(one)(seeds) if together else jax.lax.map(one, seeds)


def trained(
    name: str, drift: str, h: float, n: int, n_steps: int, n_seeds: int, rate: float, start: list[float] | None = None
) -> list[list[float]]:
    """The mean and covariance at which each seed comes to rest, as `Family.moments` lists them.

    All seeds start from `start` (c, W), where one is given. Batches of different sizes are independent, but for `kl_wgf`, whose
    perturbations are the same for all particles of a step and a seed: they are most of its noise, and shared by the sizes.
    """
    problem = problem_of(name, drift, h, n, n_steps, rate)
    family = setting(name).family
    params = None if start is None else _params(family, np.asarray(start, float))
    seeds = jnp.arange(n_seeds) + (0 if drift == "kl_wgf" else 1000 * n)
    c, covariance = moments_of(problem, seeds, params, n_steps, drift != "sinkhorn")
    kept = np.diag_indices(family.dim) if family.diagonal else np.tril_indices(family.dim)
    return [np.concatenate([c[i], np.asarray(covariance[i])[kept]]).astype(float).tolist() for i in range(n_seeds)]


def _params(family: Family, theta: np.ndarray) -> dict[str, Any]:
    rest = theta[family.dim :]
    w = rest if family.diagonal else rest.reshape(family.dim, family.dim)
    return {"c": jnp.asarray(theta[: family.dim], jnp.float32), "w": jnp.asarray(w, jnp.float32)}


def extrapolated(small: np.ndarray, large: np.ndarray) -> np.ndarray:
    """From batches of n and of 2n to n = infinity, for a bias of order 1/n: a row a seed."""
    return 2 * large - small
