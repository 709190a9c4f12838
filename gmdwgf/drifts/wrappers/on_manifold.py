"""Drifts for points of a manifold."""

from collections.abc import Callable

import jax

from gmdwgf.config.fields import FieldError
from gmdwgf.drifts.base import AbstractDrift, DriftOutput, Tags
from gmdwgf.drifts.wrappers.sum import SumDrift
from gmdwgf.manifolds import AbstractManifold, Euclidean
from gmdwgf.typing import Particles, Scalar, Targets

EXTRINSIC = "critic, deng, drmmd, f_divergence, kale, kl, mean_shift, mmd, sharp, sinkhorn, wflow"
"""Drifts that have a meaning on manifolds, for messages."""


def on_manifold(drift: AbstractDrift, manifold: AbstractManifold) -> AbstractDrift:
    """The drift on a manifold: geodesic if it has a geodesic form, otherwise the tangent part of its velocity in the embedding.

    Raises FieldError if the drift, or a value of one of its fields, has no meaning on the manifold.
    """
    if isinstance(manifold, Euclidean):
        if getattr(drift, "kernel", None) == "heat":
            raise FieldError(
                "kernel", "heat", "is the Gaussian in Euclidean space; use kernel=gaussian, or a target on a manifold"
            )
        return drift
    if isinstance(drift, SumDrift):
        return SumDrift(tuple(on_manifold(part, manifold) for part in drift.drifts), drift.weights)
    geodesic = drift.geodesic(manifold)
    if geodesic is not None:
        return geodesic
    name, where = type(drift).__name__, f"manifold={manifold.name}"
    if not drift.extrinsic:
        fix = f"has no meaning on {where}; use one of {EXTRINSIC}, or manifold=euclidean for the ambient space"
        raise FieldError("drift", name, fix, section="")
    if not (manifold.isometric or drift.tags().curl_free):
        fix = f"is not a gradient field, and only gradients have a meaning on {where}; use kl or mmd"
        raise FieldError("drift", name, fix, section="")
    return ExtrinsicDrift(drift, manifold)


class ExtrinsicDrift(AbstractDrift):
    """Tangent part of the velocity of `drift` for the embedded points e(x).

        v(x_i) = P_i J_i^T v_flat(e(x_i)),     J the Jacobian of the embedding e, P the projection to the tangent space.

    If `drift` is the flow of F, v is the Riemannian gradient flow of F of the embedded clouds, -n grad_M F. On the sphere, where
    e(x) = x and |x - y|^2 = 2 - 2 <x, y>, a Gaussian kernel is a von Mises-Fisher kernel.
    """

    drift: AbstractDrift
    manifold: AbstractManifold

    def init(self, key, x, y):
        return self.drift.init(key, *self._embedded(x, y))

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None, **references):
        clouds = {"at": at} | references
        clouds = {name: cloud if cloud is None else self.manifold.embed(cloud) for name, cloud in clouds.items()}
        masses = {"x_weights": x_weights, "y_weights": y_weights}
        output, state = self.drift.update(state, *self._embedded(x, y), key, **masses, **clouds)
        return self._pulled_back(x if at is None else at, output), state

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        """Compute the velocity of a drift without state."""
        masses = {"x_weights": x_weights, "y_weights": y_weights}
        return self.update(self.init(key, x, y), x, y, key, at=at, **masses)[0]

    def update_groups(self, states, x, y, keys, *, negatives=None, negative_weights=None):
        given = {"negatives": None if negatives is None else self.manifold.embed(negatives)}
        given |= {"negative_weights": negative_weights}
        output, states = self.drift.update_groups(states, *self._embedded(x, y), keys, **given)
        return jax.vmap(self._pulled_back)(x, output), states

    @property
    def functional(self) -> Callable[[Particles, Targets], Scalar] | None:
        """The functional of the embedded clouds; None if the drift has none."""
        inner = self.drift.functional
        return None if inner is None else lambda x, y: inner(*self._embedded(x, y))

    def n_references(self, n: int, m: int) -> int:
        return self.drift.n_references(n, m)

    def n_stored(self, n: int, m: int) -> int:
        return self.drift.n_stored(n, m)

    def _embedded(self, x, y):
        return self.manifold.embed(x), self.manifold.embed(y)

    def _pulled_back(self, at, output):
        v = self.manifold.pull_back(at, output.v)
        return DriftOutput(v, output.info | {"v_rms": self.manifold.rms(at, v)})

    def tags(self) -> Tags:
        return self.drift.tags()._replace(translation=False, rotation=False)
