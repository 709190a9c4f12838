"""Base class of sliced drifts: means over random directions of one-dimensional flows of the projected clouds."""

import abc

from gmdwgf.config.fields import choice, count
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, rms
from gmdwgf.pairs import reductions, slicing
from gmdwgf.pairs.slicing import Directions
from gmdwgf.typing import Array, Float, Particles, Scalar, Targets, Weights


class AbstractSlicedDrift(StatelessDrift):
    """v(x) = factor(d) * mean_theta speed_on_line(<x, theta>) theta, over `n_projections` directions theta, drawn anew every step."""

    n_projections: int = count(of_numbers=True)
    directions: str = choice(*slicing.DRAWS)

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        directions = slicing.DRAWS[self.directions](key, self.n_projections, x.shape[-1], x.dtype)
        v = self.velocity_along(directions, x, y, at=at, x_weights=x_weights, y_weights=y_weights)
        return DriftOutput(v, {"v_rms": rms(v)})

    def velocity_along(
        self,
        directions: Directions,
        x: Particles,
        y: Targets,
        *,
        at: Float[Array, "k d"] | None = None,
        x_weights: Weights | None = None,
        y_weights: Weights | None = None,
    ) -> Float[Array, "k d"]:
        """Velocity for given directions `[p d]`."""

        def speed(on_x, on_y, on_queries=None):
            return self.speed_on_line(on_x, on_y, on_queries, x_weights, y_weights)

        clouds = reductions.centred(x, y, *([] if at is None else [at]))
        return self.factor(x.shape[-1]) * slicing.field_along(speed, directions, *clouds)

    def functional_along(self, directions: Directions, x: Particles, y: Targets) -> Scalar:
        """Functional for given directions and uniform masses; v is -n times its gradient."""
        return self.factor(x.shape[-1]) * slicing.along(self.functional_on_line, directions, x, y).mean()

    @abc.abstractmethod
    def speed_on_line(
        self,
        on_x: Float[Array, " n"],
        on_y: Float[Array, " m"],
        on_queries: Float[Array, " k"] | None,
        x_weights: Weights | None,
        y_weights: Weights | None,
    ) -> Float[Array, " k"]:
        """One-dimensional velocity of the projected clouds at the queries, or at `on_x` when None."""

    @abc.abstractmethod
    def functional_on_line(self, on_x: Float[Array, " n"], on_y: Float[Array, " m"]) -> Scalar:
        """One-dimensional functional whose flow is `speed_on_line`."""

    @abc.abstractmethod
    def factor(self, dim: int) -> float:
        """Factor of the mean over directions in `dim` dimensions."""
