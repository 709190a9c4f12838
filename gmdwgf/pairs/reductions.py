"""Reductions over all pairs of two clouds, defined for one point and mapped over all points in tiles.

A reduction is a function of one point and of the entire other cloud; `over_points` maps it over the rows of a cloud. Small
problems run as one dense block; beyond `DENSE_PAIRS` pairs the rows are processed in tiles, so that no n x m array is stored.
Under a mesh (`jax.set_mesh`) with an axis `data` the rows are sharded over devices and the other cloud is replicated; the result
equals that of one device up to rounding.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float

from gmdwgf.typing import Particles, Point, PyTree, Scalar, Targets, Weights

DATA = "data"
"""Mesh axis along which particles are sharded."""

DENSE_PAIRS = 1 << 20
"""Maximum number of pairs of a reduction that runs as one dense block."""

TILE_PAIRS = 1 << 20
"""Pairs in a tile of a streamed reduction, 4 MB in float32: larger tiles exceed the cache, smaller ones add overhead.

Both limits were measured on a CPU (`scripts/benchmarks/drifts.py --tiles`), where dense blocks are slower than a single tile.
`tiles` sets other limits for a block of code.
"""

ACCELERATOR_FACTOR = 64
"""Factor on the sizes of tiles and dense blocks on GPUs and TPUs, which need more rows at once (measured on an H100)."""

_FEW_COORDINATES = 16
"""Maximum dimension for distances as sums of squared differences, exact near zero; beyond it they use a matrix product."""


_limits: ContextVar[tuple[int, int] | None] = ContextVar("limits", default=None)


@contextlib.contextmanager
def tiles(dense_pairs: int, tile_pairs: int) -> Iterator[None]:
    """Context that sets both limits, on every platform, for functions traced within it."""
    token = _limits.set((dense_pairs, tile_pairs))
    try:
        yield
    finally:
        _limits.reset(token)


def limits() -> tuple[int, int]:
    """Maximum number of pairs in a dense block and in a tile, on this platform."""
    return _limits.get() or (platform_factor() * DENSE_PAIRS, platform_factor() * TILE_PAIRS)


def full_precision(function: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """Wrap a function to compute all matrix products in the full precision of their operands.

    By default GPUs and TPUs round float32 operands to 10 bits (TF32) or 7 bits (bfloat16). This is harmless in a network, but
    differences of barycentres would have errors of that size relative to the distance between points.
    """

    @functools.wraps(function)
    def precise(*args, **kwargs):
        with jax.default_matmul_precision("highest"):
            return function(*args, **kwargs)

    return precise


def over_points(reduction: Callable[..., PyTree], rows: PyTree, n_columns: int) -> PyTree:
    """Map `reduction` over the leading axis of `rows` (a pytree), as `vmap` does, in tiles when there are many pairs.

    `n_columns` is the number of elements that one call of `reduction` processes: m for a reduction over m targets.
    """
    return over_devices(lambda share: _in_tiles(reduction, share, n_columns), rows)


@full_precision
def over_devices(function: Callable[[PyTree], PyTree], rows: PyTree) -> PyTree:
    """Compute `function(rows)` with rows sharded over the devices of the mesh; `function` must act on each row independently.

    Without a mesh, within another such call, or if the number of devices does not divide the rows, it is not sharded.
    """
    mesh = jax.sharding.get_abstract_mesh()
    spread = DATA in mesh.axis_names and not mesh.manual_axes
    if not spread or jax.tree.leaves(rows)[0].shape[0] % mesh.shape[DATA]:
        return function(rows)
    shares = PartitionSpec(DATA)
    return jax.shard_map(function, mesh=mesh, in_specs=(shares,), out_specs=shares)(rows)


def _in_tiles(reduction: Callable[..., PyTree], rows: PyTree, n_columns: int) -> PyTree:
    n_rows = jax.tree.leaves(rows)[0].shape[0]
    dense_pairs, tile_pairs = limits()
    if n_rows * n_columns <= dense_pairs:
        return jax.vmap(reduction)(rows)
    tile = min(n_rows, max(8, tile_pairs // n_columns))
    return jax.lax.map(reduction, rows, batch_size=tile)


def platform_factor() -> int:
    """Factor on tile sizes for this platform; 1 on a CPU."""
    return 1 if _on_cpu() or _limits.get() is not None else ACCELERATOR_FACTOR


def _on_cpu() -> bool:
    return jax.default_backend() == "cpu"


def materialize(rows: Array) -> Array:
    """Hint to compute an array once and store it, for speed only; the values do not change.

    On CPUs XLA calls a library for sums, maxima and products, fused with the arithmetic before them: broadcast operands are then
    materialised, and values with two uses are computed twice. A comparison that is never true acts as a barrier to this fusion.
    On other platforms it does nothing: a GPU recomputes a value faster than it stores it.
    """
    if not _on_cpu():
        return rows
    return jnp.where(rows > jnp.finfo(rows.dtype).max, jnp.inf, rows)


def squared_distances(point: Point, y: Targets) -> Float[Array, " m"]:
    """|point - y_j|^2 for all j, without an [m d] array of differences.

    In high dimensions the square is expanded, with errors relative to |point|^2: centre the clouds first.
    """
    d = y.shape[-1]
    if d <= _FEW_COORDINATES:
        return sum(((point[k] - y[:, k]) ** 2 for k in range(d)), start=jnp.zeros(y.shape[0], y.dtype))
    expanded = jnp.sum(point**2) + jnp.sum(y**2, axis=-1) - 2 * (y @ point)
    return jnp.maximum(expanded, 0.0)


def combination(weights: Float[Array, " m"], y: Targets) -> Point:
    """sum_j weights_j y_j.

    On a CPU this is a matrix product. On other platforms, in low dimensions, it is a sum that can be fused with the computation of
    the weights, so that they are not stored.
    """
    if _on_cpu() or y.shape[-1] > _FEW_COORDINATES:
        return weights @ y
    return jnp.stack([jnp.sum(weights * y[:, k]) for k in range(y.shape[-1])])


def weighted_differences(weights: Float[Array, " m"], point: Point, y: Targets) -> Point:
    """sum_j weights_j (y_j - point).

    In low dimensions it is computed from the differences, which avoids cancellation for large weights at short distances.
    """
    d, weights = y.shape[-1], materialize(weights)
    if d <= _FEW_COORDINATES:
        return jnp.stack([jnp.sum(materialize(weights * (y[:, k] - point[k]))) for k in range(d)])
    return weights @ y - jnp.sum(weights) * point


def centred(x: Particles, y: Targets, *others: Array) -> tuple[Array, ...]:
    """Translate all clouds together so that `y` has approximately zero mean, which reduces rounding errors.

    The mean is rounded to 12 bits. Otherwise the compiler could fuse its last multiplication into one use of it and not into
    another; coincident points would then differ by a rounding error, and the gradient of |x - y| would have length 1 instead of 0.
    """
    centre = jax.lax.reduce_precision(jnp.mean(y, axis=0), exponent_bits=8, mantissa_bits=12)
    return tuple(cloud - centre for cloud in (x, y, *others))


def log_masses(weights: Weights | None, cloud: Particles) -> Float[Array, " n"]:
    """Log of the masses of a cloud, normalised to sum to one; uniform when `weights` is None."""
    n = cloud.shape[0]
    if weights is None:
        return jnp.full(n, -jnp.log(float(n)), cloud.dtype)
    return jnp.log(weights) - jnp.log(jnp.sum(weights))


def masses(weights: Weights | None, cloud: Particles) -> Float[Array, " n"]:
    """Masses of a cloud, normalised to sum to one; uniform when `weights` is None."""
    return jnp.exp(log_masses(weights, cloud))


class Softmax(NamedTuple):
    """Softmax stored as unnormalised exponentials; results of sums are normalised instead of each weight, which is cheaper."""

    exponentials: Float[Array, " m"]
    """exp(logits - peak); all zero if every candidate is masked with -inf."""
    total: Scalar
    peak: Scalar

    @property
    def weights(self) -> Float[Array, " m"]:
        """Normalised weights; zeros, not NaN, if every candidate is masked."""
        return self.exponentials / self._divisor

    def mean(self, y: Targets) -> Point:
        """sum_j weights_j y_j."""
        return combination(self.exponentials, y) / self._divisor

    def corrected_mean(self, y: Targets) -> Point:
        """sum_j w_j y_j + sum_j w_j^2 (y_j - sum_l w_l y_l), w the weights: the mean without its bias of order 1 / m.

        The mean is a ratio of two sums over a sample, E[k y] / E[k] in the limit, and its bias is that of such a ratio to first order
        (analytic bias correction, arXiv:2604.27239).
        """
        centre, squares = self.mean(y), self.weights**2
        return centre + combination(squares, y) - jnp.sum(squares) * centre

    @property
    def mass(self) -> Scalar:
        """Sum of the weights: 1, or 0 if every candidate is masked."""
        return self.total / self._divisor

    @property
    def effective(self) -> Scalar:
        """Effective number of candidates, 1 / sum_j weights_j^2."""
        return self.total**2 / jnp.sum(self.exponentials**2)

    @property
    def log_sum(self) -> Scalar:
        """log sum_j exp(logits_j); -inf if every candidate is masked."""
        return self.peak + jnp.log(self.total)

    @property
    def _divisor(self) -> Scalar:
        return jnp.where(self.total > 0, self.total, 1.0)


def softmax(logits: Float[Array, " m"]) -> Softmax:
    """Softmax of logits, any of which may be -inf."""
    logits = materialize(logits)
    peak = jax.lax.stop_gradient(jnp.max(logits))
    peak = jnp.where(jnp.isfinite(peak), peak, 0.0)
    exponentials = materialize(jnp.exp(logits - peak))
    return Softmax(exponentials, jnp.sum(exponentials), peak)


def softmax_weights(logits: Float[Array, " m"]) -> Float[Array, " m"]:
    """Softmax weights; zeros, not NaN, if every candidate is masked with -inf."""
    return softmax(logits).weights


def log_sum_exp(logits: Float[Array, " m"]) -> Scalar:
    """log sum_j exp(logits_j); -inf if every candidate is masked."""
    return softmax(logits).log_sum


def self_term_mask(self_term: str, index: Array, n: int) -> Array:
    """Mask `[n]` of the particles that repel particle `index`.

    `keep`: all, including itself. `leave_one_out`: all but itself. `two_batch`: those in the other half of the batch, so that the
    halves are independent samples of the model for each other (ours; a single particle is not repelled).
    """
    candidate = jnp.arange(n)
    if self_term == "leave_one_out":
        return candidate != index
    if self_term == "two_batch":
        return (candidate < n // 2) != (index < n // 2)
    return jnp.ones(n, bool)


def half_mmd2(profile: Callable[[Array], Array], x: Particles, y: Targets) -> Array:
    """Half the squared MMD of the empirical measures (V-statistic), for a kernel given as a function of |x - y|^2."""

    def mean_kernel(left, right):
        row = lambda point: jnp.mean(profile(squared_distances(point, right)))
        return jnp.mean(over_points(row, left, right.shape[0]))

    return mean_kernel(x, x) / 2 - mean_kernel(x, y) + mean_kernel(y, y) / 2
