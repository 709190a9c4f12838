"""The entropic transport problem and its solution."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer

from gmdwgf.pairs import reductions
from gmdwgf.transport.costs import COSTS, GroundCost, cost_row
from gmdwgf.transport.plans import Masses
from gmdwgf.typing import Array, Float, Particles, Point, Scalar, Targets, Weights

SOLVERS = ("newton", "ott", "streamed")


class Potentials(NamedTuple):
    """Dual potentials `f` `[n]`, `g` `[m]` in cost units, with convergence information."""

    f: Float[Array, " n"]
    g: Float[Array, " m"]
    n_iters: Array
    marginal_error: Scalar
    """L1 distance between the plan's marginal and the prescribed one (with a relaxation, summed over both marginals)."""
    converged: Array
    """Whether the error is at most the threshold, and the rounding of the potentials is too (see `potentials`)."""


class TransportProblem(NamedTuple):
    """Transport between two clouds with log masses; see `potentials`."""

    x: Particles
    y: Targets
    log_a: Float[Array, " n"]
    log_b: Float[Array, " m"]
    epsilon: Scalar
    cost: GroundCost
    relaxation: Scalar | None

    @property
    def damping(self) -> Scalar | float:
        """Factor of a relaxation on Sinkhorn updates."""
        return damping_of(self.relaxation, self.epsilon)

    def log_affinity(self, point: Point, y: Targets) -> Float[Array, " m"]:
        return -cost_row(self.cost, point, y) / self.epsilon

    def log_affinities(self) -> Float[Array, "n m"]:
        return jax.vmap(lambda point: self.log_affinity(point, self.y))(self.x)

    @property
    def masses(self) -> Masses:
        return Masses(jnp.exp(self.log_a), jnp.exp(self.log_b))


def check_arguments(solver: str, cost: GroundCost, epsilon: Scalar, relaxation: Scalar | None) -> None:
    """Raise ValueError for an unknown solver or cost, and for an epsilon or relaxation that is not positive."""
    for name, value, known in (("solver", solver, SOLVERS), ("cost", cost, tuple(COSTS))):
        if isinstance(value, str) and value not in known:
            raise ValueError(f"{name}={value!r}: must be one of {', '.join(known)}")
    for name, value in (("epsilon", epsilon), ("relaxation", relaxation)):
        if value is not None and not isinstance(value, Tracer) and not float(value) > 0:
            raise ValueError(f"{name}={value}: must be greater than 0")


def damping_of(relaxation: Scalar | None, epsilon: Scalar) -> Scalar | float:
    """Factor of a relaxation on Sinkhorn updates: rho / (rho + epsilon), or 1 for exact marginals."""
    return 1.0 if relaxation is None else relaxation / (relaxation + epsilon)


def marginal_error(
    g: Float[Array, " m"], update: Float[Array, " m"], b: Float[Array, " m"], epsilon: Scalar, relaxation: Scalar | None
) -> Scalar:
    """L1 distance of a marginal from b, where `update` is the potential with which the marginal is b."""
    wanted = 0.0 if relaxation is None else jnp.expm1(-g / relaxation)
    return jnp.sum(b * jnp.abs(jnp.expm1((g - update) / epsilon) - wanted))


def judged(found: Potentials, epsilon: Scalar, threshold: Scalar) -> Potentials:
    """Set `converged` by the marginal error and by the rounding of the potentials, whatever the solver reports.

    A potential has a mean rounding error of about a quarter of its last digit, and the marginals have this error over epsilon.
    """
    largest = jnp.maximum(jnp.max(jnp.abs(found.f)), jnp.max(jnp.abs(found.g)))
    rounding = jnp.finfo(found.f.dtype).eps / 4 * largest / epsilon
    error = found.marginal_error
    return found._replace(converged=(error >= 0) & (error <= threshold) & (rounding <= threshold))


def finite_log_masses(weights: Weights | None, cloud: Particles) -> Float[Array, " n"]:
    """Log masses with zero weights replaced by a negligible positive mass, so that their potentials are finite."""
    return jnp.maximum(reductions.log_masses(weights, cloud), 2 * jnp.log(jnp.finfo(cloud.dtype).eps))
