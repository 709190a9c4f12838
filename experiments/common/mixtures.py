"""Gaussian mixtures with covariances of their own, in any dimension: the laws of the experiments whose scores are known."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import gmdwgf
from gmdwgf.metrics.modes import Modes
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.targets.mixtures import AbstractRoundMixture, TwoModes
from gmdwgf.typing import Array, Float, Key, Particles, Targets, Weights


class GaussianMixture(AbstractTarget):
    """p(x) = sum_k a_k N(x; c_k, S_k), with masses `a` `[k]`, centres `c` `[k d]` and covariances `S` `[k d d]`."""

    masses: Weights = eqx.field(converter=jnp.asarray)
    centres: Float[Array, "k d"] = eqx.field(converter=jnp.asarray)
    covariances: Float[Array, "k d d"] = eqx.field(converter=jnp.asarray)

    @property
    def dim(self) -> int:
        return self.centres.shape[1]

    def sample(self, key: Key, n: int) -> Targets:
        key_mode, key_noise = jax.random.split(key)
        mode = jax.random.choice(key_mode, self.masses.shape[0], (n,), p=self.masses)
        roots = jnp.linalg.cholesky(self.covariances)
        return self.centres[mode] + jnp.einsum("nij,nj->ni", roots[mode], jax.random.normal(key_noise, (n, self.dim)))

    def log_density(self, x: Targets) -> Float[Array, " m"]:
        normal = jax.vmap(jax.scipy.stats.multivariate_normal.logpdf, in_axes=(None, 0, 0))
        return jax.nn.logsumexp(normal(x, self.centres, self.covariances) + jnp.log(self.masses)[:, None], axis=0)

    def score(self, x: Particles) -> Particles:
        """grad log p at the rows of `x`."""
        return jax.vmap(jax.grad(lambda point: self.log_density(point[None])[0]))(x)


def on_the_line(masses: Sequence[float], centres: Sequence[float], deviations: Sequence[float]) -> GaussianMixture:
    """A mixture in one dimension, by its masses, centres and standard deviations."""
    variances = [deviation**2 for deviation in deviations]
    return GaussianMixture(jnp.asarray(masses), jnp.asarray(centres)[:, None], jnp.asarray(variances)[:, None, None])


def two_modes(**fields: float) -> TwoModes:
    """The package's target of that name."""
    target = gmdwgf.load_target("two_modes", **fields)
    assert isinstance(target, TwoModes)
    return target


def modes_of(target: AbstractRoundMixture) -> Modes:
    """Its modes, as the metrics take them."""
    centres, masses = target.modes()
    return Modes(centres, masses, target.mode_radius())


def hermite(n_nodes: int, dim: int = 2) -> tuple[Array, Array]:
    """Gauss-Hermite nodes `[s d]` and weights `[s]` of the standard normal law."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    grid = np.stack(np.meshgrid(*[nodes] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    products = np.prod(np.stack(np.meshgrid(*[weights] * dim, indexing="ij"), axis=-1).reshape(-1, dim), axis=-1)
    return jnp.asarray(grid), jnp.asarray(products / products.sum())
