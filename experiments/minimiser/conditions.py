"""Rests of Algorithm 2, the proxy, K Sinkhorn corrections and the Sinkhorn divergence, and each residual at the others' rest.

The package's own drifts on the quantiles of both laws, in double precision: sums over fixed large samples.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize, root
from scipy.stats import norm, qmc

import gmdwgf
from experiments.fixed_point.training import quantiles
from experiments.minimiser.laws import Family, setting
from experiments.minimiser.rests import distance, growth
from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.drifts.sinkhorn import SinkhornDrift
from gmdwgf.typing import Array

CONVERGED = {"self_term": "same_batch", "threshold": 1e-9, "max_iters": 20_000}
DRIFTS = {
    "deng": lambda h: ("deng", {"temperature": h, "self_mask": False}),
    "sinkhorn_proxy": lambda h: ("sinkhorn_proxy", {"bandwidth": h}),
    **{
        f"sinkhorn_steps, K = {k}": lambda h, k=k: ("sinkhorn_steps", {"epsilon": h**2, "n_iters": k})
        for k in (0, 1, 3, 10)
    },
    "sinkhorn": lambda h: ("sinkhorn", {"epsilon": h**2, **CONVERGED}),
}


def samples(name: str, n: int) -> tuple[Array, Array]:
    """Noise `[n d]` of mean 0 and covariance I, and targets `[n d]`: quantiles on the line, scrambled Sobol points elsewhere."""
    law, family = setting(name)
    levels = (np.arange(n) + 0.5) / n
    if name == "line":
        z, y = norm.ppf(levels)[:, None], quantiles(levels, law)[:, None]
        return jnp.asarray(z / z.std()), jnp.asarray(y)
    u = np.clip(qmc.Sobol(2 * family.dim + 1, rng=np.random.default_rng(0)).random(n), 1e-9, 1 - 1e-9)
    mode = np.searchsorted(np.cumsum(np.asarray(law.masses)), u[:, 0] * float(np.sum(law.masses)))
    roots = np.linalg.cholesky(np.asarray(law.covariances))[mode]
    y = np.asarray(law.centres)[mode] + np.einsum("nij,nj->ni", roots, norm.ppf(u[:, 1 : family.dim + 1]))
    z = norm.ppf(u[:, family.dim + 1 :])
    z = z - z.mean(axis=0)
    return jnp.asarray(z @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T, bias=True))).T), jnp.asarray(y)


@partial(jax.jit, static_argnames="family")
def pulled(drift: AbstractDrift, family: Family, z: Array, y: Array, lower: Array) -> tuple[Array, Array]:
    """E[J^T v] in the lower triangle, and the root of E|v|^2 E|(1, z)|^2, its largest possible length."""
    centre, matrix = family.unpack(jnp.zeros(_size(family)).at[family.lower()].set(lower))
    v = drift.update((), centre + z @ matrix.T, y, jax.random.key(0))[0].v
    value = family.pulled_back(v, z, jnp.full(len(z), 1 / len(z)))[family.lower()]
    return value, jnp.sqrt(jnp.mean(jnp.sum(v**2, axis=1)) * (1 + family.dim))


def rest(name: str, drift: str, h: float, n: int) -> dict[str, Any]:
    """One rest of a drift, from the law with the target's mean and covariance; its growth rate by differences."""
    with jax.enable_x64(True):
        family, (z, y), made = setting(name).family, samples(name, n), _load(drift, h)
        ask = lambda lower: np.asarray(pulled(made, family, z, y, jnp.asarray(lower))[0])
        found = root(ask, _matched(family, y), options={"xtol": 1e-9})
        lower, step = found.x, 1e-4
        sides = [[ask(lower + sign * step * unit) for sign in (1, -1)] for unit in np.eye(lower.size)]
        jacobian = np.stack([(up - down) / (2 * step) for up, down in sides], axis=1)
        theta = np.zeros(_size(family))
        theta[family.lower()] = lower
        free = family._replace(diagonal=True)  # the lower triangle has no symmetry
        return {
            "theta": theta.tolist(),
            "moments": family.moments(theta).tolist(),
            "rate": growth(free, jacobian),
            "left": float(np.linalg.norm(ask(lower))),
        }


def residuals(name: str, h: float, n: int, thetas: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """|E[J^T v]| over its largest possible length, (E|v|^2 E|J|^2)^(1/2), for the condition of each drift at each member."""
    with jax.enable_x64(True):
        family, (z, y) = setting(name).family, samples(name, n)

        def share(made, theta):
            value, longest = pulled(made, family, z, y, jnp.asarray(theta)[family.lower()])
            return float(jnp.linalg.norm(value) / longest)

        return {drift: {at: share(_load(drift, h), theta) for at, theta in thetas.items()} for drift in DRIFTS}


def transport(name: str, h: float, n: int) -> dict[str, Any]:
    """The rest of `sinkhorn` (epsilon = h^2) beside the argmin of the Sinkhorn divergence, found by autodiff of its value."""
    with jax.enable_x64(True):
        family, (z, y) = setting(name).family, samples(name, n)
        found, made = rest(name, "sinkhorn", h, n), _load("sinkhorn", h)
        assert isinstance(made, SinkhornDrift)

        @jax.jit
        def divergence(lower):
            centre, matrix = family.unpack(jnp.zeros(_size(family)).at[family.lower()].set(lower))
            return made.functional(centre + z @ matrix.T, y)

        ask = jax.value_and_grad(divergence)
        both = lambda lower: tuple(np.asarray(part) for part in ask(jnp.asarray(lower)))
        least = minimize(both, _matched(family, y), jac=True, method="BFGS", options={"gtol": 1e-8})
        theta = np.zeros(_size(family))
        theta[family.lower()] = least.x
        argmin = {"theta": theta.tolist(), "moments": family.moments(theta).tolist(), "value": float(least.fun)}
        found |= {"distance": distance(family, found["theta"], argmin["theta"])}
        return {"rests": [found], "argmin": argmin}


def _load(drift: str, h: float) -> AbstractDrift:
    name, fields = DRIFTS[drift](h)
    return gmdwgf.load_drift(name, **fields)


def _matched(family: Family, y: Array) -> np.ndarray:
    """The member with the mean and the covariance (variances) of the targets, in its lower triangle."""
    cloud = np.asarray(y)
    covariance = np.atleast_2d(np.cov(cloud.T, bias=True))
    covariance = np.diag(np.diag(covariance)) if family.diagonal else covariance
    theta = family.pack(jnp.asarray(cloud.mean(axis=0)), jnp.asarray(np.linalg.cholesky(covariance)))
    return np.asarray(theta)[family.lower()]


def _size(family: Family) -> int:
    return 2 * family.dim if family.diagonal else family.dim * (family.dim + 1)
