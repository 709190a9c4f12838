"""Gaussians and Gaussian mixtures: targets with known modes and density."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gmdwgf.config.fields import FieldError, count, real, reals
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Array, Float, Int, Key, Scalar, Targets, Weights


class AbstractMixture(AbstractTarget):
    """A mixture with known modes c_k of masses a_k. The modes are its classes."""

    @abc.abstractmethod
    def modes(self) -> tuple[Float[Array, "k d"], Weights]:
        """Centres `[k dim]` and masses `[k]`, which sum to one."""

    def sample(self, key: Key, n: int) -> Targets:
        _, masses = self.modes()
        key_mode, key_noise = jax.random.split(key)
        mode = jax.random.choice(key_mode, masses.shape[0], (n,), p=masses)
        return self.sample_of(key_noise, mode)

    @property
    def n_classes(self) -> int:
        """Number of modes, each of which is a class."""
        return jax.eval_shape(self.modes)[0].shape[0]


class AbstractListedMixture(AbstractMixture):
    """A mixture on a manifold whose modes are listed: `centres` `[k d]`, which are projected, and relative `masses`.

    One mass for all makes them equal; otherwise there is one for each centre, and they need not sum to one.
    """

    centres: eqx.AbstractVar[Float[Array, "k d"]]
    masses: eqx.AbstractVar[Float[Array, " k"]]

    def check_masses(self) -> None:
        """Raise FieldError unless there is one mass for each centre, or one for all."""
        if self.masses.shape[0] not in (1, k := self.centres.shape[0]):
            shown = np.asarray(self.masses).astype(str).astype(float).tolist()
            raise FieldError("masses", shown, f"must be one number, or {k}: one for each of centres")

    def modes(self) -> tuple[Float[Array, "k d"], Weights]:
        masses = jnp.broadcast_to(self.masses, self.centres.shape[0])
        return self.manifold.project(self.centres), masses / jnp.sum(masses)


class AbstractRoundMixture(AbstractMixture):
    """Gaussians in the plane, all of standard deviation `noise`, with known centres c_k and masses a_k.

        p(x) = sum_k a_k exp(-|x - c_k|^2 / 2 noise^2) / (2 pi noise^2)

    With `noise` 0 the samples are the centres, and as there is no density, `log_density` is NaN.
    """

    noise: eqx.AbstractVar[Scalar]

    @property
    def dim(self) -> int:
        return 2

    def sample_of(self, key: Key, labels: Int[Array, " n"]) -> Targets:
        return self.modes()[0][labels] + self.noise * jax.random.normal(key, (labels.shape[0], self.dim))

    def mode_radius(self) -> Scalar:
        return 3 * self.noise

    def log_density(self, x: Targets) -> Float[Array, " m"]:
        centres, masses = self.modes()
        r2 = jnp.sum((x[:, None] - centres) ** 2, axis=-1)
        log_peak = jnp.log(masses / (2 * jnp.pi * self.noise**2))
        return jax.nn.logsumexp(log_peak - r2 / (2 * self.noise**2), axis=1)


class RingOfGaussians(AbstractRoundMixture):
    """`n_modes` Gaussians of equal mass, evenly spaced on a circle of radius `scale`, the first on the positive x-axis.

    Eight modes give the common benchmark "8 Gaussians". Units: `scale` and `noise` in data units.
    """

    n_modes: int = count(of_numbers=True)
    scale: Scalar = real("data units, radius of the ring", above=0)
    noise: Scalar = real("data units, standard deviation of a mode", at_least=0)

    def modes(self) -> tuple[Float[Array, "k d"], Weights]:
        angle = 2 * jnp.pi * jnp.arange(self.n_modes) / self.n_modes
        centres = self.scale * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
        return centres, jnp.full(self.n_modes, 1 / self.n_modes)


class TwoModes(AbstractRoundMixture):
    """Two Gaussians at (-distance/2, 0) and (distance/2, 0), the right one with mass `fraction`.

    Distinguishes long-range from local drifts: only the former move mass between distant modes.
    Units: `distance` and `noise` in data units.
    """

    distance: Scalar = real("data units, between the modes", above=0)
    fraction: Scalar = real("mass of the right mode", at_least=0, at_most=1)
    noise: Scalar = real("data units, standard deviation of a mode", at_least=0)

    def modes(self) -> tuple[Float[Array, "k d"], Weights]:
        centres = self.distance / 2 * jnp.asarray([[-1.0, 0.0], [1.0, 0.0]])
        return centres, jnp.stack([1 - self.fraction, self.fraction])


def _as_matrix(value: object) -> object:
    # Other values are returned unchanged; `__check_init__` reports them.
    try:
        return jnp.asarray(value, float) if isinstance(value, list | tuple) else value
    except (TypeError, ValueError):
        return value


def _matrix() -> Any:
    return eqx.field(converter=_as_matrix)


class Gaussian(AbstractTarget):
    """A Gaussian N(mean, covariance) in any dimension, for which many flows have closed forms.

    `mean` `[d]` in data units, `covariance` `[d d]` in squared data units. Raises FieldError unless the covariance is
    d x d, symmetric and positive definite.
    """

    mean: Float[Array, " d"] = reals("data units")
    covariance: Float[Array, "d d"] = _matrix()

    def check_values(self) -> None:
        if isinstance(self.mean, Tracer) or isinstance(self.covariance, Tracer):
            return
        if getattr(self.mean, "ndim", None) != 1:
            raise FieldError("mean", self.mean, "must be a list of numbers, e.g. [0, 0]")
        d = self.mean.shape[0]
        is_array = isinstance(self.covariance, jax.Array | np.ndarray)
        # Convert through strings, so that 0.6 is shown as 0.6 and not as its float32 value.
        shown = np.asarray(self.covariance).astype(str).astype(float).tolist() if is_array else self.covariance
        if not is_array or self.covariance.shape != (d, d):
            raise FieldError("covariance", shown, f"must be {d} lists of {d} numbers, as mean has {d}")
        covariance = np.asarray(self.covariance)
        if not np.isfinite(covariance).all():
            raise FieldError("covariance", shown, "must be finite")
        if not np.allclose(covariance, covariance.T):
            raise FieldError("covariance", shown, "must be symmetric")
        try:
            np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError as error:
            raise FieldError("covariance", shown, "must be positive definite") from error

    @property
    def dim(self) -> int:
        return self.mean.shape[0]

    def sample(self, key: Key, n: int) -> Targets:
        root = jnp.linalg.cholesky(self.covariance)
        return self.mean + jax.random.normal(key, (n, self.dim)) @ root.T  # no mutants (sign flipped): symmetric noise

    def log_density(self, x: Targets) -> Float[Array, " m"]:
        return jnp.asarray(jax.scipy.stats.multivariate_normal.logpdf(x, self.mean, self.covariance))
