"""Plans of entropic transport for Newton's method, stored as a matrix or recomputed in tiles.

Rows are exact: P_ij = a_i softmax_j(S_ij + g_j + log b_j) with S = -c / epsilon; potentials are in units of epsilon.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from gmdwgf.pairs import reductions
from gmdwgf.typing import Array, Float, Particles, Point, PyTree, Scalar, Targets

NEAR = 40.0
"""Largest difference, up to a constant, between potentials and the centre of a stored kernel. Terms that underflow in
single precision, exp(-87), are then less than exp(-47) of their row."""

TILE_ROWS = 64
"""Number of rows of a plan in a tile on a CPU."""


class Masses(NamedTuple):
    """Masses of both clouds, all of them positive."""

    a: Float[Array, " n"]
    b: Float[Array, " m"]


class DualPoint(NamedTuple):
    """Dual potentials, with the column sums, dual value and marginal error of their plan."""

    g: Float[Array, " m"]
    f: Float[Array, " n"]
    """Row update of g, -logsumexp_j(S + g + log b)."""
    columns: Float[Array, " m"]
    value: Scalar
    error: Scalar
    """L1 distance of the columns from b."""


@runtime_checkable
class Plan(Protocol):
    """Interface of plans. `kept` is data that one call stores for the next."""

    @property
    def masses(self) -> Masses: ...

    def mean_cost(self) -> Scalar:
        """Mean cost in units of epsilon."""
        ...

    def start(self) -> tuple[PyTree, DualPoint]:
        """The dual point at g = 0."""
        ...

    def at(self, kept: PyTree, g: Float[Array, " m"]) -> tuple[PyTree, DualPoint]:
        """The dual point at `g`."""
        ...

    def normal_operator(self, kept: PyTree, point: DualPoint) -> Callable[[Array], Array]:
        """v -> P^T diag(1/a) P v, for `kept` returned with `point`."""
        ...

    def column_update(self, f: Float[Array, " n"]) -> Float[Array, " m"]:
        """Column update of f, -logsumexp_i(S + f + log a)."""
        ...


class Kernel(NamedTuple):
    """exp(S_ij + centre_j - rows_i), with rows_i such that the largest term times b_j in each row is 1."""

    matrix: Float[Array, "n m"]
    centre: Float[Array, " m"]
    rows: Float[Array, " n"]


class DensePlan(NamedTuple):
    """Plan with a stored kernel around a centre, from which plans at nearby potentials take two matrix-vector products.

    The exponential costs as much as several products, so the kernel is recomputed only when g is far from the centre (absorption,
    Schmitzer 2019, arXiv:1610.06519). Stores S and one kernel, both n x m.
    """

    S: Float[Array, "n m"]
    masses: Masses

    def mean_cost(self):
        return -jnp.mean(self.S)

    def start(self):
        g = jnp.zeros_like(self.masses.b)
        return self.at(self._about(g), g)

    def at(self, kept: Kernel, g):
        shift = g - kept.centre
        far = jnp.max(shift) - jnp.min(shift) > NEAR
        kept = jax.lax.cond(far, lambda _: self._about(g), lambda kept: kept, kept)
        right, peak = self._right(kept, g)
        sums = kept.matrix @ right
        columns = ((self.masses.a / sums) @ kept.matrix) * right
        return kept, dual_point(self.masses, g, -(kept.rows + jnp.log(sums) + peak), columns)

    def normal_operator(self, kept: Kernel, point):
        right, _ = self._right(kept, point.g)
        weights = self.masses.a / (kept.matrix @ right) ** 2
        return lambda v: (weights * (kept.matrix @ (right * v))) @ kept.matrix * right

    def column_update(self, f):
        return -jax.nn.logsumexp(self.S + (f + jnp.log(self.masses.a))[:, None], axis=0)

    def _about(self, centre) -> Kernel:
        rows = jnp.max(self.S + (centre + jnp.log(self.masses.b)), axis=1)
        return Kernel(jnp.exp(self.S + centre - rows[:, None]), centre, rows)

    def _right(self, kept, g):
        shift = g - kept.centre
        peak = jnp.max(shift)
        return self.masses.b * jnp.exp(shift - peak), peak


class StreamedPlan(NamedTuple):
    """Plan recomputed in tiles of `TILE_ROWS` rows for every operation; stores no n x m array."""

    x: Particles
    y: Targets
    log_affinity: Callable[[Point, Targets], Array]
    """One row of S."""
    masses: Masses

    def mean_cost(self):
        return -jnp.mean(reductions.over_points(lambda point: jnp.mean(self._row(point)), self.x, self.y.shape[0]))

    def start(self):
        return self.at((), jnp.zeros_like(self.masses.b))

    def at(self, kept, g):
        heights = g + jnp.log(self.masses.b)

        def tile(x, a):
            logits = self._rows(x) + heights
            peaks = jnp.max(logits, axis=1)
            terms = jnp.exp(logits - peaks[:, None])
            sums = jnp.sum(terms, axis=1)
            return (a / sums) @ terms, -(peaks + jnp.log(sums))

        columns, f = self._over_tiles(tile, self.x)
        return kept, dual_point(self.masses, g, f, columns)

    def normal_operator(self, kept, point):
        heights = point.g + jnp.log(self.masses.b)

        def apply(v):
            def tile(x, f, a):
                rows = jnp.exp(self._rows(x) + heights + f[:, None])
                sums = jnp.sum(rows, axis=1)  # 1, up to rounding of large potentials
                return (a / sums**2 * (rows @ v)) @ rows, ()

            return self._over_tiles(tile, self.x, point.f)[0]

        return apply

    def column_update(self, f):
        heights, affinity = f + jnp.log(self.masses.a), self.log_affinity
        update = lambda point: -reductions.log_sum_exp(affinity(point, self.x) + heights)
        return reductions.over_points(update, self.y, self.x.shape[0])

    def _row(self, point):
        return self.log_affinity(point, self.y)

    def _rows(self, x):
        return jax.vmap(self._row)(x)

    def _over_tiles(self, function, *rows):
        """Apply `function` to tiles of rows and masses; sums its first result over tiles and concatenates the second."""
        n = self.x.shape[0]
        size = min(TILE_ROWS * reductions.platform_factor(), n)

        def tiles(array, **spare):
            padded = jnp.pad(array, [(0, -n % size), *[(0, 0)] * (array.ndim - 1)], **spare)
            return padded.reshape(-1, size, *array.shape[1:])

        def add(total, tile):
            part, each = function(*tile)
            return total + part, each

        everything = *(tiles(array, mode="edge") for array in rows), tiles(self.masses.a)  # padding rows have mass 0
        total, each = jax.lax.scan(add, jnp.zeros_like(self.masses.b), everything)
        return total, jax.tree.map(lambda array: array.reshape(-1, *array.shape[2:])[:n], each)


def dual_point(masses: Masses, g: Float[Array, " m"], f: Float[Array, " n"], columns: Float[Array, " m"]) -> DualPoint:
    """Make a dual point with its dual value and marginal error."""
    value, error = masses.b @ g + masses.a @ f, jnp.sum(jnp.abs(masses.b - columns))
    return DualPoint(g, f, columns, value, error)
