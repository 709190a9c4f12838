"""What a claim is, and the clouds, drifts and answers that the claims share. Everything is in double precision."""

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import gmdwgf
from experiments.common import training
from gmdwgf.pairs import slicing
from gmdwgf.testing.laws import skewed_clouds

jax.config.update("jax_enable_x64", True)

KEY = jax.random.key(0)


def velocity(drift, x, y, at=None, x_weights=None, y_weights=None, key=KEY):
    """The drift's answer, with one key for all claims that ask for no other."""
    return training.velocity(drift, x, y, key, at=at, x_weights=x_weights, y_weights=y_weights)


H, TAU, EPSILON = 0.7, 0.6, 0.5
"""Gaussian standard deviation and Laplace scale (data units), regularisation of transport (their square)."""

CONVERGED = {"threshold": 1e-13, "max_iters": 20000}


class Wanted(NamedTuple):
    """Between what bounds a measured number must lie, and that in words."""

    text: str
    low: float
    high: float

    def met(self, value: float) -> bool:
        """A NaN meets nothing."""
        return self.low <= value <= self.high


def at_most(bound: float) -> Wanted:
    return Wanted(f"≤ {bound:g}", -math.inf, bound)


def more_than(bound: float) -> Wanted:
    return Wanted(f"> {bound:g}", math.nextafter(bound, math.inf), math.inf)


def between(low: float, high: float) -> Wanted:
    return Wanted(f"{low:g} to {high:g}", low, high)


class Claim(NamedTuple):
    """One row of the table: `reading` says how an ambiguous statement was read, `why` why it does not hold."""

    number: int
    sentence: str
    wanted: Wanted
    measure: Callable[[], float]
    reading: str
    why: str


CLAIMS: list[Claim] = []


def claim(
    number: int,
    sentence: str,
    tolerance: float | Wanted,
    *,
    each: Iterable[str] = ("",),
    reading: str = "",
    why: Mapping[str, str] | None = None,
) -> Callable:
    """Register a function that measures a number as a claim, once for each case, which it is then called with."""
    wanted = tolerance if isinstance(tolerance, Wanted) else at_most(tolerance)

    def register(measure):
        for case in each:
            one = functools.partial(measure, case) if case else measure
            CLAIMS.append(Claim(number, sentence.format(case), wanted, one, reading, (why or {}).get(case, "")))
        return measure

    return register


DRIFTS: dict[str, tuple[str, dict[str, Any]]] = {
    "score difference": ("kl", {"bandwidth": H}),
    "score difference, leave one out": ("kl", {"bandwidth": H, "self_term": "leave_one_out"}),
    "Laplace mean shift": ("mean_shift", {"kernel": "laplace", "bandwidth": TAU}),
    "sharp Laplace": ("sharp", {"kernel": "laplace", "bandwidth": TAU}),
    "un-normalised Laplace": ("sharp", {"kernel": "laplace", "bandwidth": TAU, "normalise": "un_normalised"}),
    "blob KL": ("blob", {"bandwidth": H}),
    "Algorithm 2": ("deng", {"temperature": TAU, "self_mask": False}),
    "Algorithm 2, masked": ("deng", {"temperature": TAU, "self_mask": True}),
    "proxy": ("sinkhorn_proxy", {"bandwidth": H}),
    "proxy core": ("sinkhorn_proxy", {"bandwidth": H, "cross_weight": False}),
    "Sinkhorn": ("sinkhorn", {"self_term": "same_batch", "epsilon": EPSILON, **CONVERGED}),
    "MMD Gaussian": ("mmd", {"kernel": "gaussian", "bandwidth": H}),
    "MMD Laplace": ("mmd", {"kernel": "laplace", "bandwidth": TAU}),
    "MMD energy": ("mmd", {"kernel": "energy"}),
    "DrMMD": ("drmmd", {"kernel": "gaussian", "bandwidth": H, "regularisation": 0.1}),
    "KALE": ("kale", {"kernel": "gaussian", "bandwidth": H, "regularisation": 0.1}),
    "sliced Wasserstein": ("sliced_wasserstein", {"n_projections": 8, "directions": "independent"}),
}
"""The drifts of the claims: config and fields."""


@functools.cache
def drift(name: str) -> Any:
    config, fields = DRIFTS[name]
    return gmdwgf.load_drift(config, **fields)


@functools.cache
def clouds() -> tuple[jax.Array, jax.Array]:
    """13 particles and 17 targets without any symmetry."""
    return skewed_clouds()


def functional_of(drift) -> Callable:
    """The functional whose flow the drift is, at the directions that `velocity` draws."""
    if not hasattr(drift, "functional_along"):
        return drift.functional

    def functional(x, y):
        directions = slicing.random_directions(KEY, drift.n_projections, x.shape[-1], x.dtype)
        return drift.functional_along(directions, x, y)

    return functional


@jax.jit
def value(drift, x, y):
    return functional_of(drift)(x, y)


@jax.jit
def gradient(drift, x, y):
    return jax.grad(functional_of(drift))(x, y)


def slope(functional: Callable, x, direction, step: float = 1e-3) -> float:
    """Derivative of a functional of the cloud along `direction`, from four values."""
    at = lambda t: functional(x + t * step * direction)
    return float(8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)


def gap(one, other) -> float:
    """Largest difference of any number; velocities here are of order one."""
    return float(jnp.max(jnp.abs(jnp.asarray(one) - jnp.asarray(other))))


def squared_distances(x, y):
    return jnp.sum((x[:, None] - y[None]) ** 2, axis=-1)


def gaussian_grid(mean: float, variance: float, n: int = 300):
    """Equispaced points `[n 1]` with the masses of N(mean, variance): smooth integrals over it are exact to rounding."""
    standard = np.linspace(-9, 9, n)
    masses = np.exp(-(standard**2) / 2)
    return jnp.asarray(mean + np.sqrt(variance) * standard)[:, None], jnp.asarray(masses / masses.sum())


def equispaced(n: int):
    """Directions of the plane at equal angles."""
    angles = jnp.arange(n) * jnp.pi / n + 0.1
    return jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)


def two_modes(share: float, apart: float, n: int, seed: int):
    """`n` points, the first `share` of them around 0 and the rest around (apart, 0), standard deviation 0.3."""
    points = np.random.default_rng(seed).normal(size=(n, 2)) * 0.3
    points[round(share * n) :, 0] += apart
    return jnp.asarray(points)
