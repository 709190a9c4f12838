"""Targets that no member of the family equals, the families, and nodes for expectations of normal laws."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import norm, qmc

from experiments.common.mixtures import GaussianMixture, on_the_line
from gmdwgf.typing import Array


class Family(NamedTuple):
    """x = c + W z with z standard normal; W is a full matrix, or diagonal. A member is the vector (c, W)."""

    dim: int
    diagonal: bool = False

    def unpack(self, theta: Array) -> tuple[Array, Array]:
        """The centre `[d]` and the matrix `[d d]`."""
        centre, rest = theta[: self.dim], theta[self.dim :]
        return centre, jnp.diag(rest) if self.diagonal else rest.reshape(self.dim, self.dim)

    def pack(self, centre: Array, matrix: Array) -> Array:
        return jnp.concatenate([centre, jnp.diag(matrix) if self.diagonal else jnp.ravel(matrix)])

    def pulled_back(self, v: Array, z: Array, weights: Array) -> Array:
        """E[J^T v]: what the velocities `v` `[s d]` of the points c + W z do to the parameters."""
        return self.pack(weights @ v, jnp.einsum("s,si,sj->ij", weights, v, z))

    def moments(self, theta: Array | np.ndarray) -> np.ndarray:
        """The mean, and the covariance's lower triangle (its diagonal in a diagonal family): what tells laws apart."""
        centre, matrix = (np.asarray(part) for part in self.unpack(jnp.asarray(theta)))
        covariance = matrix @ matrix.T
        return np.concatenate([centre, np.diag(covariance) if self.diagonal else covariance[np.tril_indices(self.dim)]])

    def lower(self) -> np.ndarray:
        """Places in a member of c and of the lower triangle of W (its diagonal)."""
        size = self.dim
        if self.diagonal:
            return np.arange(2 * size)
        rows, columns = np.tril_indices(size)
        return np.concatenate([np.arange(size), size + rows * size + columns])

    @property
    def n_symmetries(self) -> int:
        """Dimensions in which W changes and the law does not: W and W R are one law for every rotation R."""
        return 0 if self.diagonal else self.dim * (self.dim - 1) // 2


class Setting(NamedTuple):
    """A target and the family that is trained on it."""

    target: GaussianMixture
    family: Family


def _ring() -> GaussianMixture:
    """The package's 8 Gaussians: radius 2, deviation .1."""
    angle = 2 * np.pi * np.arange(8) / 8
    centres = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return GaussianMixture(np.full(8, 1 / 8), centres, np.tile(0.01 * np.eye(2), (8, 1, 1)))


def _banana() -> GaussianMixture:
    """Nine Gaussians of deviation .25 along the parabola (t, t^2 / 2 - 1)."""
    t = np.linspace(-2, 2, 9)
    masses = np.exp(-(t**2) / 2)
    centres = np.stack([t, t**2 / 2 - 1], axis=1)
    return GaussianMixture(masses / masses.sum(), centres, np.tile(0.25**2 * np.eye(2), (9, 1, 1)))


def _eight_dimensions() -> GaussianMixture:
    """Four Gaussians in eight dimensions, with centres and diagonal covariances drawn once (NumPy's generator, seed 8)."""
    rng = np.random.default_rng(8)
    centres, deviations = rng.normal(size=(4, 8)), rng.uniform(0.3, 0.8, size=(4, 8))
    return GaussianMixture(
        np.array([0.4, 0.3, 0.2, 0.1]), centres, np.stack([np.diag(deviation**2) for deviation in deviations])
    )


def setting(name: str) -> Setting:
    """By its name, in the float type that is the default where it is called."""
    if name == "line":
        return Setting(on_the_line([0.65, 0.35], [-1.0, 1.2], [0.4, 0.25]), Family(1))
    if name == "normal":  # which the family holds
        return Setting(on_the_line([1.0], [0.0], [1.0]), Family(1))
    if name == "ring":
        return Setting(_ring(), Family(2))
    if name == "banana":
        return Setting(_banana(), Family(2))
    return Setting(_eight_dimensions(), Family(8, diagonal=True))


SETTINGS = {
    "line": "d = 1: c + w z on 0.65 N(-1, 0.4²) + 0.35 N(1.2, 0.25²)",
    "ring": "d = 2: affine, on 8 Gaussians",
    "banana": "d = 2: affine, on a banana",
    "eight": "d = 8: diagonal, on 4 Gaussians",
}


class Density(NamedTuple):
    """A mixture of Gaussians, its precisions computed once."""

    log_peaks: Array
    centres: Array
    precisions: Array

    def _logits(self, x: Array) -> Array:
        away = x[:, None] - self.centres
        return self.log_peaks - jnp.einsum("skd,kde,ske->sk", away, self.precisions, away) / 2

    def log(self, x: Array) -> Array:
        """Log density at `x` `[s d]`."""
        return jax.nn.logsumexp(self._logits(x), axis=1)

    def score(self, x: Array) -> Array:
        """Gradient of the log density, `[s d]`."""
        near = jax.nn.softmax(self._logits(x), axis=1)
        return jnp.einsum("sk,kde,ske->sd", near, self.precisions, self.centres - x[:, None])


def density(masses: Array, centres: Array, covariances: Array) -> Density:
    log_det = jnp.linalg.slogdet(2 * jnp.pi * covariances)[1]
    return Density(jnp.log(masses) - log_det / 2, centres, jnp.linalg.inv(covariances))


def smoothed(law: GaussianMixture, h: Array) -> Density:
    """k * p for the Gaussian kernel of bandwidth h: Gaussians again, h^2 wider."""
    return density(law.masses, law.centres, law.covariances + h**2 * jnp.eye(law.dim))


def normal(centre: Array, covariance: Array) -> Density:
    return density(jnp.ones(1), centre[None], covariance[None])


@cache
def nodes(dim: int, fine: bool, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Nodes `[s d]` and weights `[s]` of the standard normal law.

    The trapezoidal rule on a grid for d <= 2, which converges faster than any power of its spacing; beyond, scrambled Sobol points
    and their mirror images, made to have mean 0 and variance 1.
    """
    if dim > 2:
        u = qmc.Sobol(dim, rng=np.random.default_rng(seed)).random_base2(12 if fine else 9)
        z = norm.ppf(np.clip(u, 1e-12, 1 - 1e-12))
        z = np.concatenate([z, -z])
        z = z / z.std(axis=0)
        return z, np.full(len(z), 1 / len(z))
    size = {(1, False): 1025, (1, True): 1025, (2, False): 61, (2, True): 181}[dim, fine]
    line = np.linspace(-8.5, 8.5, size) if dim == 1 else np.linspace(-6, 6, size)
    grid = np.stack(np.meshgrid(*[line] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    weights = np.exp(-np.sum(grid**2, axis=1) / 2)
    kept = weights > 1e-12 * weights.max()
    return grid[kept], weights[kept] / weights[kept].sum()
