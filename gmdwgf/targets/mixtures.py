"""Mixtures of Gaussians: the targets whose modes and density are known."""

import abc

import jax
import jax.numpy as jnp

from gmdwgf.hyperparameters import FieldError, count, real
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Array, Float, Key, Scalar, Targets, Weights


class AbstractRoundMixture(AbstractTarget):
    """Round Gaussians of one standard deviation `noise` around known centres."""

    @abc.abstractmethod
    def modes(self) -> tuple[Float[Array, "k d"], Weights]:
        """Centres `[k d]` and masses `[k]`."""

    @abc.abstractmethod
    def spread(self) -> Scalar:
        """Standard deviation of a mode."""

    @property
    def dim(self) -> int:
        return 2

    def mode_radius(self) -> Scalar:
        return 3 * self.spread()

    def sample(self, key: Key, n: int) -> Targets:
        centres, masses = self.modes()
        key_mode, key_noise = jax.random.split(key)
        chosen = jax.random.choice(key_mode, centres.shape[0], (n,), p=masses)
        return centres[chosen] + self.spread() * jax.random.normal(key_noise, (n, self.dim))

    def log_density(self, x: Targets) -> Float[Array, " m"]:
        centres, masses = self.modes()
        variance = self.spread() ** 2
        r2 = jnp.sum((x[:, None] - centres) ** 2, axis=-1)
        return jax.nn.logsumexp(jnp.log(masses) - r2 / (2 * variance), axis=1) - self.dim / 2 * jnp.log(
            2 * jnp.pi * variance
        )


class RingOfGaussians(AbstractRoundMixture):
    """`n_modes` Gaussians of equal mass and standard deviation `noise`, evenly on a circle of radius `scale`."""

    n_modes: int = count()
    scale: Scalar = real("data units, radius", above=0)
    noise: Scalar = real("data units, standard deviation", above=0)

    def modes(self) -> tuple[Float[Array, "k d"], Weights]:
        angle = 2 * jnp.pi * jnp.arange(self.n_modes) / self.n_modes
        centres = self.scale * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
        return centres, jnp.full(self.n_modes, 1 / self.n_modes)

    def spread(self) -> Scalar:
        return self.noise


class TwoModes(AbstractRoundMixture):
    """Two Gaussians at (-distance/2, 0) and (distance/2, 0), the right one with mass `fraction`.

    The case that tells drifts apart: only a long-range field can move mass from one to the other when they are far.
    """

    distance: Scalar = real("data units", above=0)
    fraction: Scalar = real("mass of the right mode", at_least=0, at_most=1)
    noise: Scalar = real("data units, standard deviation", above=0)

    def modes(self) -> tuple[Float[Array, "k d"], Weights]:
        centres = self.distance / 2 * jnp.asarray([[-1.0, 0.0], [1.0, 0.0]])
        return centres, jnp.stack([1 - self.fraction, self.fraction])

    def spread(self) -> Scalar:
        return self.noise


def _array(value):
    try:
        return jnp.asarray(value, float) if isinstance(value, list | tuple) else value
    except (TypeError, ValueError):
        return value


def _check_shape(name: str, value, ndim: int, shown: str) -> None:
    if not hasattr(value, "ndim") or value.ndim != ndim:
        raise FieldError(name, value, f"must be {shown}")


class Gaussian(AbstractTarget):
    """One Gaussian with a given mean `[d]` and covariance `[d d]`: the case with closed forms."""

    mean: Float[Array, " d"]
    covariance: Float[Array, "d d"]

    def __init__(self, mean, covariance):
        self.mean, self.covariance = _array(mean), _array(covariance)

    def __check_init__(self) -> None:
        if isinstance(self.mean, jax.core.Tracer) or isinstance(self.covariance, jax.core.Tracer):
            return
        _check_shape("mean", self.mean, 1, "a list of numbers, e.g. [0, 0]")
        _check_shape("covariance", self.covariance, 2, "a square list of lists, e.g. [[1, 0], [0, 1]]")
        d = self.mean.shape[0]
        shown = self.covariance.tolist()
        if self.covariance.shape != (d, d):
            raise FieldError("covariance", shown, f"must be {d} x {d}, as mean has {d} numbers")
        if not jnp.allclose(self.covariance, self.covariance.T):
            raise FieldError("covariance", shown, "must be symmetric")
        if not jnp.all(jnp.linalg.eigvalsh(self.covariance) > 0):
            raise FieldError("covariance", shown, "must be positive definite")

    @property
    def dim(self) -> int:
        return self.mean.shape[0]

    def sample(self, key: Key, n: int) -> Targets:
        root = jnp.linalg.cholesky(self.covariance)
        return self.mean + jax.random.normal(key, (n, self.dim)) @ root.T

    def log_density(self, x: Targets) -> Float[Array, " m"]:
        return jax.scipy.stats.multivariate_normal.logpdf(x, self.mean, self.covariance)
