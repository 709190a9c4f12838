"""Unnormalised densities as targets, p = exp(-E) / Z. Their samples are for metrics; a drift that reads the density learns them."""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from gmdwgf.config.build import any_object
from gmdwgf.config.fields import FieldError, choice, count, real
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Array, Float, Key, Point, Scalar, Targets, Weights

MODES, MASSES, WIDTH = ((1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)), (0.1, 0.2, 0.3, 0.4), 0.3
"""Centres, masses and standard deviation of the mixture."""

SPREAD = 1.5
"""Standard deviation of the first coordinate of the funnel (3 in Neal 2003)."""

BARRIER, TILT, STIFFNESS, REACH = 4.0, 0.5, 4.0, 2.5
"""Height and tilt of the double well in units of kT, stiffness of the other coordinates, and where the wells end."""


class Energy(NamedTuple):
    """A density in units of `scale`: -E at one point, and exact samples for metrics."""

    log_density: Callable[[Point], Scalar]
    sample: Callable[[Key, int, int], Targets]


def _mixture(x: Point) -> Scalar:
    r2 = jnp.sum((x[:2] - jnp.asarray(MODES)) ** 2, axis=1)
    return jax.nn.logsumexp(jnp.log(jnp.asarray(MASSES)) - r2 / (2 * WIDTH**2)) - jnp.sum(x[2:] ** 2) / (2 * WIDTH**2)


def _of_mixture(key: Key, n: int, dim: int) -> Targets:
    key_mode, key_noise = jax.random.split(key)
    mode = jax.random.choice(key_mode, len(MASSES), (n,), p=jnp.asarray(MASSES))
    # no mutants (sign flipped): symmetric noise
    return (WIDTH * jax.random.normal(key_noise, (n, dim))).at[:, :2].add(jnp.asarray(MODES)[mode])


def _funnel(x: Point) -> Scalar:
    return -(x[0] ** 2) / (2 * SPREAD**2) - jnp.sum(x[1:] ** 2 * jnp.exp(-x[0]) + x[0]) / 2


def _of_funnel(key: Key, n: int, dim: int) -> Targets:
    first, *others = jax.random.normal(key, (dim, n))
    return jnp.stack([SPREAD * first, *(jnp.exp(SPREAD * first / 2) * other for other in others)], axis=1)


def _double_well(x: Point) -> Scalar:
    return -BARRIER * (x[0] ** 2 - 1) ** 2 + TILT * x[0] - STIFFNESS * jnp.sum(x[1:] ** 2) / 2


def _of_double_well(key: Key, n: int, dim: int) -> Targets:
    key_first, key_others = jax.random.split(key)
    first = drawn_on_a_grid(key_first, n, lambda x: _double_well(x), 1, REACH, 4096)
    # no mutants (sign flipped): symmetric noise
    return jnp.concatenate([first, jax.random.normal(key_others, (n, dim - 1)) / STIFFNESS**0.5], axis=1)


ENERGIES = {
    "mixture": Energy(_mixture, _of_mixture),
    "funnel": Energy(_funnel, _of_funnel),
    "double_well": Energy(_double_well, _of_double_well),
}


def drawn_on_a_grid(
    key: Key, n: int, log_density: Callable[[Point], Scalar], dim: int, half_width: Scalar | float, n_cells: int
) -> Targets:
    """Draw `n` points of a density on [-half_width, half_width]^dim, dim 1 or 2, constant within the cells of a grid.

    The row of the grid is drawn by its mass, then the cell of the row, then a uniform point of the cell.
    """
    middle = half_width * ((2 * jnp.arange(n_cells) + 1) / n_cells - 1)
    grid = jnp.stack(jnp.meshgrid(*[middle] * dim, indexing="ij"), axis=-1).reshape(n_cells, -1, dim)
    logits = jax.lax.map(jax.vmap(log_density), grid)
    masses = jnp.exp(logits - jnp.max(logits))
    levels = jax.random.uniform(key, (n, 2 + dim))

    def inverse(masses, level):
        total = jnp.cumsum(masses)
        return jnp.minimum(jnp.searchsorted(total, level * total[-1], side="right"), masses.shape[0] - 1)

    row = inverse(jnp.sum(masses, axis=1), levels[:, 0])
    column = jax.vmap(inverse)(masses[row], levels[:, 1])
    # no mutants (sign flipped): a cell is symmetric
    return grid[row, column] + half_width / n_cells * (2 * levels[:, 2:] - 1)


class AbstractEnergyTarget(AbstractTarget):
    """A law given by its log density up to a constant. Held-out points and floors come from reference samples."""

    only_density = True

    @abc.abstractmethod
    def log_density(self, x: Targets) -> Float[Array, " m"]:
        """Log density at `x` `[m dim]`, up to a constant."""


class EnergyTarget(AbstractEnergyTarget):
    """A named energy in `dim` dimensions, of which only the density is learned from: exp(-E(x / scale)).

    | energy | law of x / scale (ours unless cited) | reference samples |
    |---|---|---|
    | mixture | Gaussians of width .3 at (1, 1), (-1, 1), (-1, -1), (1, -1), masses .1 .2 .3 .4; others N(0, .3^2) | exact |
    | funnel | x_1 ~ N(0, 1.5^2), x_k ~ N(0, exp(x_1)) (Neal 2003, with 3 for 1.5) | exact |
    | double_well | exp(-4 (x_1^2 - 1)^2 + x_1 / 2), x_k ~ N(0, 1/4) | inverse of the distribution function, 4,096 cells |
    """

    energy: str = choice(*ENERGIES)
    dimension: int = count(at_least=2, of_numbers=True)
    scale: Scalar = real("data units", above=0)

    @property
    def dim(self) -> int:
        return self.dimension

    def sample(self, key: Key, n: int) -> Targets:
        return self.scale * ENERGIES[self.energy].sample(key, n, self.dim)

    def log_density(self, x: Targets) -> Float[Array, " m"]:
        return jax.vmap(ENERGIES[self.energy].log_density)(x / self.scale)

    def modes(self) -> tuple[Float[Array, "k d"], Weights] | None:
        if self.energy != "mixture":
            return None
        centres = jnp.zeros((len(MODES), self.dim)).at[:, :2].set(jnp.asarray(MODES))
        return self.scale * centres, jnp.asarray(MASSES)

    def mode_radius(self) -> Scalar | None:
        return 3 * WIDTH * self.scale if self.energy == "mixture" else None


class OwnEnergyTarget(AbstractEnergyTarget):
    """A law given by your function from a point `[d]` to its log density -E, up to a constant; d is 1 or 2.

    `function` is the function or its import path, in JAX. Reference samples for metrics are drawn on a grid of `n_cells` cells a
    side over [-half_width, half_width]^d, outside of which the density should be negligible. Raises FieldError (`function`) if
    it cannot be traced or does not return one number. The id of a run has the path of the function, not its code.
    """

    runs_named_code = True

    function: Any = eqx.field(static=True)
    dimension: int = count(at_most=2)
    half_width: Scalar = real("data units, of the box of the reference samples", above=0)
    n_cells: int = count(at_most=4096)

    def check_values(self) -> None:
        shown = self.function if isinstance(self.function, str) else getattr(self.function, "__name__", self.function)
        try:
            jax.eval_shape(self._log_density, jnp.zeros(self.dimension))
        except Exception as error:  # the user's code may fail in any way
            fix = f"must be a JAX function, or the import path of one, from a point [{self.dimension}] to one number"
            reason = " ".join(str(error).split())[:100]
            raise FieldError("function", shown, f"{fix}, its log density ({type(error).__name__}: {reason})") from error

    @property
    def dim(self) -> int:
        return self.dimension

    def _log_density(self, point: Point) -> Scalar:
        function = any_object(self.function, "function") if isinstance(self.function, str) else self.function
        return jnp.asarray(function(point)).reshape(()).astype(point.dtype)

    def sample(self, key: Key, n: int) -> Targets:
        return drawn_on_a_grid(key, n, self._log_density, self.dim, self.half_width, self.n_cells)

    def log_density(self, x: Targets) -> Float[Array, " m"]:
        return jax.vmap(self._log_density)(x)
