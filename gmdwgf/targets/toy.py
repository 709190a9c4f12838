"""Common two-dimensional benchmarks. `scale` multiplies the shape; `noise` is the standard deviation of added Gaussian noise."""

import jax
import jax.numpy as jnp
from jax.scipy.special import i0e, log_ndtr

from gmdwgf.config.fields import count, real
from gmdwgf.pairs.kernels import distance
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Array, Float, Key, Scalar, Targets

MOST_NOISE = 1e6
"""Upper bound of noise relative to the size of the shape."""


class PlanarTarget(AbstractTarget):
    """Base class of targets in the plane."""

    @property
    def dim(self) -> int:
        return 2


def _polar(radius: Array | float, angle: Float[Array, " n"]) -> Targets:
    return jnp.stack([radius * jnp.cos(angle), radius * jnp.sin(angle)], axis=1)


def _blurred(points: Targets, noise: Scalar, key: Key) -> Targets:
    return points + noise * jax.random.normal(key, points.shape)


class Circles(PlanarTarget):
    """Two circles around the origin, of radii `scale` and `inner * scale` and equal mass, with Gaussian noise.

    A circle of radius R with noise s has the density exp(-(r^2 + R^2) / 2s^2) I_0(rR / s^2) / (2 pi s^2) at distance r
    from the origin. With `noise` 0 there is no density and `log_density` is NaN.
    """

    scale: Scalar = real("data units, outer radius", above=0)
    inner: Scalar = real("inner radius as a fraction of the outer", at_least=0, at_most=1)
    noise: Scalar = real("data units, standard deviation", at_least=0)

    def sample(self, key: Key, n: int) -> Targets:
        key_angle, key_circle, key_noise = jax.random.split(key, 3)
        angle = jax.random.uniform(key_angle, (n,), maxval=2 * jnp.pi)
        # no mutants (branches swapped): each circle has half the mass
        radius = self.scale * jnp.where(jax.random.bernoulli(key_circle, 0.5, (n,)), self.inner, 1.0)
        return _blurred(_polar(radius, angle), self.noise, key_noise)

    def log_density(self, x: Targets) -> Float[Array, " m"]:
        r, variance = distance(jnp.sum(x**2, axis=1)), self.noise**2

        def log_circle(radius):
            # i0e(z) = exp(-z) I_0(z), so the exponent has (r - R)^2 in place of r^2 + R^2.
            log_bessel = jnp.log(i0e(r * radius / variance))
            return log_bessel - (r - radius) ** 2 / (2 * variance) - jnp.log(2 * jnp.pi * variance)

        return jnp.logaddexp(log_circle(self.scale), log_circle(self.inner * self.scale)) - jnp.log(2.0)


class Pinwheel(PlanarTarget):
    """`n_arms` Gaussian arms bent into spirals.

    A point of an arm is (1 + radial_noise a, noise b) with a, b standard normal, rotated clockwise in arm k by
    2 pi k / n_arms + twist exp(1 + radial_noise a) radians. `scale` multiplies the result, including the noise.
    Source: Johnson et al. 2016 (arXiv:1603.06277).
    """

    n_arms: int = count()
    scale: Scalar = real("data units, radius at the middle of an arm", above=0)
    radial_noise: Scalar = real("fraction of scale, standard deviation along an arm", at_least=0, at_most=MOST_NOISE)
    noise: Scalar = real("fraction of scale, standard deviation across an arm", at_least=0, at_most=MOST_NOISE)
    twist: Scalar = real("radians")

    def sample(self, key: Key, n: int) -> Targets:
        key_arm, key_noise = jax.random.split(key)
        a, b = jax.random.normal(key_noise, (2, n))
        along, across = 1 + self.radial_noise * a, self.noise * b  # no mutants (sign flipped): symmetric noise
        arm = jax.random.randint(key_arm, (n,), 0, self.n_arms)
        angle = -(2 * jnp.pi * arm / self.n_arms + self.twist * jnp.exp(along))
        # no mutants (sign flipped): as above
        return self.scale * (_polar(along, angle) + _polar(across, angle + jnp.pi / 2))


class SwissRoll(PlanarTarget):
    """The spiral t (cos t, sin t), t = 1.5 pi (1 + 2u) with u uniform, scaled to the outer radius `scale`, with Gaussian noise.

    This is a two-dimensional slice of scikit-learn's Swiss roll, with one and a half turns.
    """

    scale: Scalar = real("data units, outer radius", above=0)
    noise: Scalar = real("data units, standard deviation", at_least=0)

    def sample(self, key: Key, n: int) -> Targets:
        key_t, key_noise = jax.random.split(key)
        t = 1.5 * jnp.pi * (1 + 2 * jax.random.uniform(key_t, (n,)))
        return _blurred(self.scale * _polar(t / (4.5 * jnp.pi), t), self.noise, key_noise)


class Checkerboard(PlanarTarget):
    """Uniform on the 8 dark squares of a 4 x 4 board over [-scale, scale]^2, the lower left one dark, with Gaussian noise.

    A square of half width h around c with noise s has, with u = x - c, the density

        prod_k [Phi((u_k + h) / s) - Phi((u_k - h) / s)] / 2h.

    With `noise` 0 the density is uniform, and its log is -inf outside of the dark squares.
    """

    scale: Scalar = real("data units, half the width of the board", above=0)
    noise: Scalar = real("data units, standard deviation", at_least=0)

    def _squares(self) -> tuple[Float[Array, "8 2"], Scalar]:
        """Centres and half width of the dark squares."""
        row, pair = jnp.divmod(jnp.arange(8), 2)
        column = 2 * pair + row % 2
        return self.scale / 4 * (2 * jnp.stack([column, row], axis=1) - 3), self.scale / 4

    def sample(self, key: Key, n: int) -> Targets:
        centres, half_width = self._squares()
        key_square, key_place, key_noise = jax.random.split(key, 3)
        square = jax.random.randint(key_square, (n,), 0, 8)
        place = jax.random.uniform(key_place, (n, 2), minval=-1.0)
        # no mutants (sign flipped): a square is symmetric
        return _blurred(centres[square] + half_width * place, self.noise, key_noise)

    def log_density(self, x: Targets) -> Float[Array, " m"]:
        centres, h = self._squares()
        u = jnp.abs(
            x[:, None] - centres
        )  # by symmetry u >= 0: then both Phi are evaluated in their accurate lower tails
        s = jnp.where(self.noise > 0, self.noise, 1.0)
        log_upper, log_lower = log_ndtr((h - u) / s), log_ndtr((-h - u) / s)
        blurred = log_upper + jnp.log(-jnp.expm1(log_lower - log_upper))
        sharp = jnp.where(u <= h, 0.0, -jnp.inf)  # no mutants (off by one): edges have no mass
        side = jnp.where(self.noise > 0, blurred, sharp) - jnp.log(2 * h)
        return jax.nn.logsumexp(jnp.sum(side, axis=-1), axis=1) - jnp.log(8.0)


class TwoMoons(PlanarTarget):
    """Two interleaved half circles of radius `scale`, centred on the origin, with Gaussian noise.

    The upper moon is (cos t - 1/2, sin t - 1/4), t uniform on [0, pi]; the lower one is the upper one rotated by pi.
    """

    scale: Scalar = real("data units, radius of a moon", above=0)
    noise: Scalar = real("data units, standard deviation", at_least=0)

    def sample(self, key: Key, n: int) -> Targets:
        key_angle, key_moon, key_noise = jax.random.split(key, 3)
        upper = _polar(1.0, jax.random.uniform(key_angle, (n,), maxval=jnp.pi)) - jnp.asarray([0.5, 0.25])
        side = jax.random.rademacher(key_moon, (n, 1), upper.dtype)
        return _blurred(self.scale * side * upper, self.noise, key_noise)
