"""Interface of a manifold."""

import abc
from typing import ClassVar

import jax
import jax.numpy as jnp

from gmdwgf.config.fields import Configurable, FieldError
from gmdwgf.pairs.kernels import distance
from gmdwgf.typing import Array, Float, Scalar

Points = Float[Array, "... d"]
"""Points in ambient coordinates, the last axis; leading axes broadcast."""

Vectors = Float[Array, "... d"]
"""Tangent vectors in the same coordinates."""

Embedded = Float[Array, "... e"]
"""Points, or vectors at them, in the Euclidean space of an embedding."""


class AbstractManifold(Configurable):
    """Abstract base class of Riemannian manifolds. All methods are elementwise over points and broadcast their leading axes.

    `exp` and `log` are those of the Levi-Civita connection. At cut points, which several shortest geodesics join, `log` is 0.
    Values and first derivatives are finite everywhere, also at coincident points and at cut points.
    """

    name: ClassVar[str]
    """Name in configs and messages."""

    @abc.abstractmethod
    def project(self, x: Points) -> Points:
        """Map ambient points to the manifold; points of the manifold stay where they are."""

    @abc.abstractmethod
    def tangent(self, x: Points, u: Vectors) -> Vectors:
        """Orthogonal projection of ambient vectors `u` to the tangent space at `x`."""

    @abc.abstractmethod
    def exp(self, x: Points, v: Vectors) -> Points:
        """End of the geodesic that starts at `x` with the velocity `v`, after unit time."""

    @abc.abstractmethod
    def log(self, x: Points, y: Points) -> Vectors:
        """Initial velocity of the shortest geodesic from `x` to `y`; 0 at cut points."""

    @abc.abstractmethod
    def distance(self, x: Points, y: Points) -> Float[Array, "..."]:
        """Length of the shortest geodesic between `x` and `y`."""

    @abc.abstractmethod
    def is_cut(self, x: Points, y: Points) -> Array:
        """Whether `y` is a cut point of `x` up to rounding, where `log` is not defined."""

    @abc.abstractmethod
    def intrinsic_dim(self, dim: int) -> int:
        """Dimension of the manifold in `dim` ambient coordinates."""

    @property
    def isometric(self) -> bool:
        """Whether `embed` preserves lengths of curves, so that velocities (and not only gradients) can be pulled back."""
        return True

    @property
    def smallest_bandwidth(self) -> float | None:
        """Smallest bandwidth at which `heat_kernel` is accurate, 0 for any; None if it is not implemented."""
        return 0.0

    def inner(self, x: Points, u: Vectors, v: Vectors) -> Float[Array, "..."]:
        """Inner product of tangent vectors at `x`."""
        del x
        return jnp.sum(u * v, axis=-1)

    def norm(self, x: Points, v: Vectors) -> Float[Array, "..."]:
        """Length of tangent vectors at `x`."""
        return distance(self.inner(x, v, v))

    def rms(self, x: Points, v: Vectors) -> Scalar:
        """Root mean square length of tangent vectors."""
        return jnp.sqrt(jnp.mean(self.inner(x, v, v)))

    def gradient(self, x: Points, covector: Vectors) -> Vectors:
        """Riemannian gradient of a function from its partial derivatives in ambient coordinates."""
        return self.tangent(x, covector)

    def embed(self, x: Points) -> Embedded:
        """The points in a Euclidean space, in which extrinsic kernels and networks act."""
        return x

    def pull_back(self, x: Points, u: Embedded) -> Vectors:
        """Tangent vector at `x` of a vector `u` at `embed(x)`: the gradient of a function whose gradient there is `u`."""
        return self.gradient(x, jax.vjp(self.embed, x)[1](u)[0])

    def heat_kernel(self, x: Points, y: Points, bandwidth: Scalar) -> Float[Array, "..."]:
        """Heat kernel at time `bandwidth`^2 / 2, divided by its value at x = y; near x the Gaussian of this bandwidth."""
        raise NotImplementedError(f"{type(self).__name__} has no heat kernel")

    def check_dim(self, dim: int) -> None:
        """Raise FieldError if the manifold has no points with `dim` coordinates."""
        del dim

    def _refuse_dim(self, dim: int, what: str) -> None:
        raise FieldError("manifold", self.name, f"needs {what}, and points of the target have {dim}", section="")
