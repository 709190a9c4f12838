"""Generators of points of a manifold."""

import jax
import optax

from gmdwgf.generators.base import AbstractGenerator, Params
from gmdwgf.manifolds import AbstractManifold, Euclidean
from gmdwgf.typing import Particles


def on_manifold(generator: AbstractGenerator, manifold: AbstractManifold) -> AbstractGenerator:
    """The generator followed by the projection to a manifold; free particles then move along geodesics."""
    if isinstance(manifold, Euclidean):
        return generator
    return (ProjectedGenerator if generator.draws_anew else ManifoldParticles)(generator, manifold)


class ProjectedGenerator(AbstractGenerator):
    """x = project(f(z)) for the points f(z) of `generator` in ambient coordinates."""

    generator: AbstractGenerator
    manifold: AbstractManifold

    def init(self, key, n, dim, n_classes=0) -> Params:
        return self.generator.init(key, n, dim, n_classes)

    def sample(self, params, key, n, condition=None) -> Particles:
        return self.manifold.project(self.generator.sample(params, key, n, condition))

    def apply(self, params: Params, z: jax.Array, *inputs) -> Particles:
        """Map noise to points, for generators that are a network applied to noise."""
        return self.manifold.project(self.generator.apply(params, z, *inputs))  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def noise_dim(self) -> int:
        """Dimension of the noise of such a generator."""
        return self.generator.noise_dim  # pyright: ignore[reportAttributeAccessIssue]

    def loss_scale(self, n: int) -> float:
        return self.generator.loss_scale(n)


class ManifoldParticles(ProjectedGenerator):
    """Free particles on a manifold: every step is x <- exp_x(u), u the update of the optimiser for the Riemannian gradient.

    With plain SGD at rate 1/2 a training step is x <- exp_x(eta v), since the Riemannian gradient of the squared geodesic distance
    g(x, exp_x(eta v))^2 is -2 eta v. Initial positions are projected; on the sphere they are uniform.
    """

    draws_anew = False

    def init(self, key, n, dim, n_classes=0) -> Params:
        return jax.tree.map(self.manifold.project, self.generator.init(key, n, dim, n_classes))

    def riemannian(self, params: Params, gradient: Params) -> Params:
        return jax.tree.map(self.manifold.gradient, params, gradient)

    def moved(self, params: Params, updates: Params) -> Params:
        step = lambda x, u: self.manifold.project(self.manifold.exp(x, self.manifold.tangent(x, u)))
        return jax.tree.map(step, params, optax.tree.cast_like(updates, params))
