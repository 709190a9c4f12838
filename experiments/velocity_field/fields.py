"""The two laws, their KL velocity, and what each drift answers on samples of them and on the laws themselves."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gmdwgf
from experiments.common.mixtures import GaussianMixture
from experiments.common.training import velocity
from gmdwgf.drifts.base import AbstractDrift

P = GaussianMixture(
    [0.5, 0.3, 0.2],
    [[-1.2, -0.6], [1.0, 1.1], [1.5, -1.0]],
    [[[0.35, 0.2], [0.2, 0.3]], [[0.45, -0.2], [-0.2, 0.25]], [[0.2, 0.0], [0.0, 0.3]]],
)
Q = GaussianMixture([0.65, 0.35], [[-0.3, 0.6], [0.5, -0.6]], [[[0.6, -0.25], [-0.25, 0.5]], [[0.8, 0.3], [0.3, 0.4]]])

H = 0.3
"""The bandwidth of the panels and of the table; epsilon = H^2, Laplace scale H."""

DRIFTS: dict[str, tuple[str, Any]] = {
    "kl": ("kl", lambda h: {"bandwidth": h}),
    "kl_wgf": ("kl_wgf", lambda h: {"bandwidth": h, "n_perturbations": 16}),
    "blob": ("blob", lambda h: {"bandwidth": h}),
    "mean_shift": ("mean_shift", lambda h: {"bandwidth": h}),
    "deng": ("deng", lambda h: {"temperature": h}),
    "sinkhorn_proxy": ("sinkhorn_proxy", lambda h: {"bandwidth": h}),
    "sinkhorn": ("sinkhorn", lambda h: {"epsilon": h**2, "self_term": "same_batch"}),
    "mmd, Gaussian": ("mmd", lambda h: {"kernel": "gaussian", "bandwidth": h}),
    "mmd, energy": ("mmd", lambda h: {}),
    "sliced_wasserstein": ("sliced_wasserstein", lambda h: {"n_projections": 256, "directions": "independent"}),
    "critic": ("critic", lambda h: {"n_inner": 400}),
}
"""The config of each drift of the figure, and its fields at a length h."""

WITH_BANDWIDTH = ("kl", "kl_wgf", "mean_shift", "deng", "sinkhorn_proxy", "sinkhorn", "mmd, Gaussian")


def drift_at(name: str, h: float) -> AbstractDrift:
    config, fields = DRIFTS[name]
    return gmdwgf.load_drift(config, **fields(h))


def kl_velocity(x: jax.Array) -> jax.Array:
    """grad log p - grad log q."""
    return P.score(x) - Q.score(x)


def first_variation(x: jax.Array) -> jax.Array:
    """log q - log p + 1, the first variation of KL(q || p) in q."""
    return Q.log_density(x) - P.log_density(x) + 1


def clouds(seed: int, n: int) -> tuple[jax.Array, jax.Array]:
    key_x, key_y = jax.random.split(jax.random.key(seed))
    return Q.sample(key_x, n), P.sample(key_y, n)


@cache
def quadrature(law: str, spacing: float, least: float) -> tuple[jax.Array, jax.Array]:
    """Points of a square grid and the masses that P or Q puts there; those below `least` times the largest are left out."""
    side = np.arange(-5, 5, spacing)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    masses = np.exp(np.asarray({"P": P, "Q": Q}[law].log_density(jnp.asarray(grid)), float))
    near = masses > least * masses.max()
    return jnp.asarray(grid[near], jnp.float32), jnp.asarray(masses[near] / masses[near].sum(), jnp.float32)


def population(name: str, h: float, at: jax.Array) -> jax.Array:
    """The field of a drift between the laws themselves, by quadrature: what its samples estimate."""
    # Plans need few points and take long; densities are needed far out, where particles of the one law meet the other's tail.
    if DRIFTS[name][0] == "sinkhorn":
        spacing, least = (0.1 if h < 0.15 else 0.2), 1e-5
    else:
        spacing, least = 0.14, 1e-12
    (x, a), (y, b) = quadrature("Q", spacing, least), quadrature("P", spacing, least)
    return velocity(drift_at(name, h), x, y, jax.random.key(9), at=at, x_weights=a, y_weights=b)


def cosine(v: jax.Array, u: jax.Array) -> float:
    """sum_i <v_i, u_i> / (|v| |u|): the cosine between two fields in L2 of the cloud."""
    return float(jnp.sum(v * u) / jnp.sqrt(jnp.sum(v**2) * jnp.sum(u**2)))


def median_angle(v: jax.Array, u: jax.Array) -> float:
    """Median over the particles of the angle between v_i and u_i, degrees."""
    across = jnp.abs(v[:, 0] * u[:, 1] - v[:, 1] * u[:, 0])
    return float(jnp.median(jnp.degrees(jnp.arctan2(across, jnp.sum(v * u, axis=1)))))


def compare(drift: str, h: float, seed: int, n: int) -> dict[str, float]:
    """One drift on one pair of clouds: against the KL velocity, and against its own field between the laws."""
    x, y = clouds(seed, n)
    v, kl = velocity(drift_at(drift, h), x, y, jax.random.key(100 + seed)), kl_velocity(x)
    found = {"kl_cosine": cosine(v, kl), "kl_angle": median_angle(v, kl)}
    if drift == "critic":  # its field between the laws is the KL velocity itself
        return found
    own = population(drift, h, x)
    return found | {
        "own_cosine": cosine(v, own),
        "own_angle": median_angle(v, own),
        "law_cosine": cosine(own, kl),
        "law_angle": median_angle(own, kl),
    }
