"""The two-dimensional shapes of the literature. `scale` multiplies the shape, `noise` is added in data units."""

import jax
import jax.numpy as jnp

from gmdwgf.hyperparameters import count, real
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Array, Float, Key, Scalar, Targets


class PlanarTarget(AbstractTarget):
    """A target in the plane."""

    @property
    def dim(self) -> int:
        return 2


def _noisy(points: Targets, noise: Scalar, key: Key) -> Targets:
    return points + noise * jax.random.normal(key, points.shape)


def _polar(radius: Float[Array, " n"], angle: Float[Array, " n"]) -> Targets:
    return jnp.stack([radius * jnp.cos(angle), radius * jnp.sin(angle)], axis=1)


class Circles(PlanarTarget):
    """Two concentric circles of radii `scale` and `inner * scale`, half the mass each, blurred by `noise`."""

    scale: Scalar = real("data units, outer radius", above=0)
    inner: Scalar = real("fraction of the outer radius", at_least=0, at_most=1)
    noise: Scalar = real("data units, standard deviation", at_least=0)

    def sample(self, key: Key, n: int) -> Targets:
        key_angle, key_side, key_noise = jax.random.split(key, 3)
        angle = jax.random.uniform(key_angle, (n,), maxval=2 * jnp.pi)
        radius = jnp.where(jax.random.bernoulli(key_side, 0.5, (n,)), 1.0, self.inner)
        return _noisy(self.scale * _polar(radius, angle), self.noise, key_noise)

    def log_density(self, x: Targets) -> Float[Array, " m"]:
        """A circle of radius R blurred by s has density exp(-(r^2 + R^2) / 2s^2) I_0(rR / s^2) / (2 pi s^2)."""
        r, variance = jnp.linalg.norm(x, axis=1), self.noise**2

        def log_circle(radius):
            bessel = jnp.log(jax.scipy.special.i0e(r * radius / variance))  # exponentially scaled
            return bessel - (r - radius) ** 2 / (2 * variance) - jnp.log(2 * jnp.pi * variance)

        return jnp.logaddexp(log_circle(self.scale), log_circle(self.inner * self.scale)) - jnp.log(2.0)


class Pinwheel(PlanarTarget):
    """`n_arms` Gaussian arms bent into spirals (Johnson et al. 2016): arm (1 + radial_noise u, noise w), turned by twist * exp(radius)."""

    n_arms: int = count()
    scale: Scalar = real("data units", above=0)
    radial_noise: Scalar = real("fraction of scale, along an arm", at_least=0)
    noise: Scalar = real("fraction of scale, across an arm", at_least=0)
    twist: Scalar = real("radians at unit exp(radius)")

    def sample(self, key: Key, n: int) -> Targets:
        key_arm, key_noise = jax.random.split(key)
        along, across = jax.random.normal(key_noise, (2, n))
        along, across = 1 + self.radial_noise * along, self.noise * across
        arm = jax.random.randint(key_arm, (n,), 0, self.n_arms)
        angle = 2 * jnp.pi * arm / self.n_arms + self.twist * jnp.exp(along)
        c, s = jnp.cos(angle), jnp.sin(angle)
        return self.scale * jnp.stack([c * along - s * across, s * along + c * across], axis=1)


class SwissRoll(PlanarTarget):
    """A spiral t (cos t, sin t), t = 1.5 pi (1 + 2u), u uniform, whose outer end lies at distance `scale`."""

    scale: Scalar = real("data units, outer radius", above=0)
    noise: Scalar = real("data units, standard deviation", at_least=0)

    def sample(self, key: Key, n: int) -> Targets:
        key_t, key_noise = jax.random.split(key)
        t = 1.5 * jnp.pi * (1 + 2 * jax.random.uniform(key_t, (n,)))
        return _noisy(self.scale * _polar(t / (4.5 * jnp.pi), t), self.noise, key_noise)


class Checkerboard(PlanarTarget):
    """The 8 dark squares of a 4 x 4 board over [-scale, scale]^2, uniform, blurred by `noise`."""

    scale: Scalar = real("data units, half the width of the board", above=0)
    noise: Scalar = real("data units, standard deviation", at_least=0)

    def sample(self, key: Key, n: int) -> Targets:
        key_square, key_place, key_noise = jax.random.split(key, 3)
        square = jax.random.randint(key_square, (n,), 0, 8)
        corner = self._corners()[square]
        points = self.scale * (corner + jax.random.uniform(key_place, (n, 2)) / 2)
        return _noisy(points, self.noise, key_noise)

    @staticmethod
    def _corners() -> Float[Array, "8 2"]:
        """Lower left corners of the dark squares on [-1, 1]^2."""
        row, pair = jnp.divmod(jnp.arange(8), 2)
        return jnp.stack([2 * pair + row % 2, row], axis=1) / 2 - 1

    def log_density(self, x: Targets) -> Float[Array, " m"]:
        """A blurred square is a product of differences of normal distribution functions; -inf off the board without noise."""
        low = self.scale * self._corners()
        width = self.scale / 2
        offset = x[:, None] - low
        sharp = ((offset >= 0) & (offset < width)).astype(x.dtype)
        noise = jnp.where(self.noise > 0, self.noise, 1.0)
        cdf = jax.scipy.stats.norm.cdf
        blurred = cdf(offset / noise) - cdf((offset - width) / noise)
        side = jnp.where(self.noise > 0, blurred, sharp) / width
        return jnp.log(jnp.mean(jnp.prod(side, axis=-1), axis=1))


class TwoMoons(PlanarTarget):
    """Two interleaved half circles of radius `scale`, centred on the origin, blurred by `noise`."""

    scale: Scalar = real("data units, radius of a moon", above=0)
    noise: Scalar = real("data units, standard deviation", at_least=0)

    def sample(self, key: Key, n: int) -> Targets:
        key_angle, key_side, key_noise = jax.random.split(key, 3)
        moon = _polar(jnp.ones(n), jax.random.uniform(key_angle, (n,), maxval=jnp.pi)) - jnp.asarray([0.5, 0.25])
        side = jnp.where(jax.random.bernoulli(key_side, 0.5, (n, 1)), 1.0, -1.0)  # the lower moon is the upper one turned by pi
        return _noisy(self.scale * side * moon, self.noise, key_noise)
