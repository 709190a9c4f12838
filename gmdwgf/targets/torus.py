"""Targets on the flat torus: points are angles in [-pi, pi]."""

import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.config.fields import points, real, reals
from gmdwgf.manifolds import Torus
from gmdwgf.targets.mixtures import AbstractListedMixture
from gmdwgf.typing import Array, Float, Int, Key, Scalar, Targets

_N_IMAGES = 4
"""Images on either side in the density; with `noise` at most pi the next are 8 standard deviations away."""


class TorusMixture(AbstractListedMixture):
    """Wrapped normal distributions of standard deviation `noise` in every angle, around `centres` `[k d]` in radians.

        p(x) = sum_k a_k prod_i sum_m N(x_i + 2 pi m; c_ki, noise^2)

    The default is a cartoon of the dihedral angles phi and psi of a peptide, for illustration only: five basins, named after those of
    a Ramachandran plot, with places, widths and masses of ours.
    """

    centres: Float[Array, "k d"] = points("radians")
    masses: Float[Array, " k"] = reals("relative", above=0)
    noise: Scalar = real("radians, standard deviation of a mode", above=0, at_most=float(np.pi))

    def check_values(self) -> None:
        self.check_masses()

    @property
    def dim(self) -> int:
        return self.centres.shape[1]

    @property
    def manifold(self) -> Torus:
        return Torus()

    def sample_of(self, key: Key, labels: Int[Array, " n"]) -> Targets:
        centres = self.modes()[0][labels]
        return self.manifold.project(centres + self.noise * jax.random.normal(key, centres.shape))

    def mode_radius(self) -> Scalar:
        return 3 * self.noise

    def log_density(self, x: Targets) -> Float[Array, " m"]:
        centres, masses = self.modes()
        images = (x[:, None] - centres)[..., None] + 2 * jnp.pi * jnp.arange(-_N_IMAGES, _N_IMAGES + 1)
        each = jax.nn.logsumexp(jax.scipy.stats.norm.logpdf(images, scale=self.noise), axis=-1)
        return jax.nn.logsumexp(jnp.log(masses) + jnp.sum(each, axis=-1), axis=1)
