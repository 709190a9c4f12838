"""Targets on the unit sphere in R^3."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gmdwgf.config.fields import FieldError, count, points, real, reals
from gmdwgf.manifolds import Sphere
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.targets.mixtures import AbstractListedMixture
from gmdwgf.typing import Array, Float, Int, Key, Scalar, Targets


def from_latitude_and_longitude(latitude: Float[Array, " n"], longitude: Float[Array, " n"]) -> Float[Array, "n 3"]:
    """Unit vectors of angles in radians: longitude 0 is (1, 0, 0), longitude pi/2 (0, 1, 0), the north pole (0, 0, 1)."""
    on_equator = jnp.stack([jnp.cos(longitude), jnp.sin(longitude)], axis=1)
    return jnp.concatenate([jnp.cos(latitude)[:, None] * on_equator, jnp.sin(latitude)[:, None]], axis=1)


class VonMisesFisher(AbstractListedMixture):
    """Von Mises-Fisher distributions on S^2 around the directions of `centres`, all of the same `concentration` kappa.

        p(x) = sum_k a_k kappa exp(kappa (<x, c_k> - 1)) / (2 pi (1 - exp(-2 kappa)))

    with respect to the area. A mode of large kappa is a Gaussian of standard deviation 1 / sqrt(kappa) radians in its tangent plane.
    Samples are exact: 1 - <x, c> = -log(1 - u (1 - exp(-2 kappa))) / kappa for u uniform, and the direction around c is uniform.

    Source: Fisher 1953; the inversion: Ulrich 1984.
    """

    centres: Float[Array, "k 3"] = points("directions, normalised", dim=3)
    masses: Float[Array, " k"] = reals("relative", above=0)
    concentration: Scalar = real("inverse squared radians", above=0)

    def check_values(self) -> None:
        self.check_masses()
        lengths = jnp.linalg.norm(self.centres, axis=1)
        if not isinstance(lengths, Tracer) and not np.asarray(lengths > 0).all():
            raise FieldError("centres", np.asarray(self.centres).tolist(), "must not be zero: they are directions")

    @property
    def dim(self) -> int:
        return 3

    @property
    def manifold(self) -> Sphere:
        return Sphere()

    def sample_of(self, key: Key, labels: Int[Array, " n"]) -> Targets:
        key_height, key_direction = jax.random.split(key)
        centres = self.modes()[0][labels]
        u = jax.random.uniform(key_height, labels.shape)
        depth = -jnp.log1p(u * jnp.expm1(-2 * self.concentration)) / self.concentration  # 1 - <x, c>, in [0, 2]
        depth = jnp.clip(depth, 0.0, 2.0)[:, None]
        around = self.manifold.tangent(centres, jax.random.normal(key_direction, centres.shape))
        around = around / jnp.linalg.norm(around, axis=1, keepdims=True)
        return self.manifold.project((1 - depth) * centres + jnp.sqrt(depth * (2 - depth)) * around)

    def mode_radius(self) -> Scalar:
        return 3 / jnp.sqrt(self.concentration)

    def log_density(self, x: Targets) -> Float[Array, " m"]:
        centres, masses = self.modes()
        kappa = self.concentration
        log_peak = jnp.log(masses * kappa / (2 * jnp.pi)) - jnp.log(-jnp.expm1(-2 * kappa))
        depth = jnp.sum((x[:, None] - centres) ** 2, axis=-1) / 2  # 1 - <x, c>, with all digits near c
        return jax.nn.logsumexp(log_peak - kappa * depth, axis=1)


class SphereCheckerboard(AbstractTarget):
    """Uniform on every second cell of a board on S^2: `n_bands` between parallels, `n_sectors` between meridians.

    All cells have the same area (by Archimedes, bands are equally thick in z). The one at the south pole that begins at longitude -pi
    is dark.
    """

    n_bands: int = count(at_least=2)
    n_sectors: int = count(at_least=2)

    def check_values(self) -> None:
        if self.n_sectors % 2:
            raise FieldError(
                "n_sectors",
                self.n_sectors,
                f"must be even, e.g. {self.n_sectors + 1}: colours alternate around the sphere",
            )

    @property
    def dim(self) -> int:
        return 3

    @property
    def manifold(self) -> Sphere:
        return Sphere()

    def sample(self, key: Key, n: int) -> Targets:
        key_cell, key_place = jax.random.split(key)
        n_dark = self.n_sectors // 2
        band, pair = jnp.divmod(jax.random.randint(key_cell, (n,), 0, self.n_bands * n_dark), n_dark)
        up, along = jax.random.uniform(key_place, (2, n))
        z = 2 * (band + up) / self.n_bands - 1
        longitude = 2 * jnp.pi * (2 * pair + band % 2 + along) / self.n_sectors - jnp.pi
        return from_latitude_and_longitude(jnp.arcsin(jnp.clip(z, -1.0, 1.0)), longitude)

    def log_density(self, x: Targets) -> Float[Array, " m"]:
        band = jnp.floor((x[:, 2] + 1) / 2 * self.n_bands).clip(0, self.n_bands - 1)
        sector = jnp.floor((jnp.arctan2(x[:, 1], x[:, 0]) / (2 * jnp.pi) + 0.5) * self.n_sectors)
        is_dark = (band + sector) % 2 == 0
        return jnp.where(is_dark, -jnp.log(2 * jnp.pi), -jnp.inf)
