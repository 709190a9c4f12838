"""Interface of a drift: maps two clouds to one velocity for each particle."""

import abc
import functools
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from gmdwgf.config.fields import Configurable
from gmdwgf.drifts.landmarks import TargetKernel
from gmdwgf.manifolds import AbstractManifold
from gmdwgf.pairs import reductions
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Array, Float, Key, Particles, PyTree, Scalar, Targets, Weights

State = PyTree
"""State that a drift carries from step to step, a pytree of arrays; `()` for most drifts."""


class DriftOutput(NamedTuple):
    """Velocities `v` `[n d]` and `info`, a flat dictionary of scalars with the same keys at every step."""

    v: Particles
    info: dict[str, Scalar]


class Tags(NamedTuple):
    """Claims about a drift; `gmdwgf.testing` checks each of them in float64."""

    zero_at_equality: bool
    """The velocity vanishes when both clouds are the same points."""
    curl_free: bool
    """The velocity is a gradient field in x for fixed clouds."""
    flow_of: str | None
    """Functional of the empirical measure whose Wasserstein gradient flow the drift is; None if there is none."""
    reach: str
    """`long` if mass can move between distant modes, `local` if it cannot."""
    permutation: bool = True
    """Permuting the particles permutes the velocities; permuting the targets does not change them."""
    translation: bool = True
    """Translating both clouds together does not change the velocities."""
    rotation: bool = True
    """Rotating both clouds rotates the velocities with them."""
    single_precision: float = 3e-5
    """Largest error of a velocity in float32, relative to the larger of its length and the median length."""


class AbstractDrift(Configurable):
    """Abstract base class of drifts, with optional state (e.g. critic parameters). The trainer uses only this interface.

    `x` `[n d]` are the particles, `y` `[m d]` the targets, `x_weights` and `y_weights` their masses (uniform when None, not
    necessarily normalised). `at` `[k d]` are the points at which the velocity is evaluated, by default the particles. Only by
    default are there self-pairs to mask.

    Matrix products in a drift's methods run in full precision on every device (`reductions.full_precision`).
    """

    needs_samples: ClassVar[Any] = True
    """Whether the drift uses the samples of the target."""
    needs_density: ClassVar[Any] = False
    """Whether the drift uses the density of the target, which `towards` gives it."""
    functional: ClassVar[Any] = None
    """Functional that the drift is the flow of, a method of (x, y); None if there is none or it is not implemented."""

    estimates: ClassVar[str | None] = None
    """Functional of whose flow the velocity is an estimate, and by what, where `flow_of` is None: its mean over draws is the flow."""

    extrinsic: ClassVar[bool] = False
    """Whether the drift keeps its meaning for points of a manifold embedded in a Euclidean space, as its tangent part."""

    def geodesic(self, manifold: AbstractManifold) -> "AbstractDrift | None":
        """The drift with its geodesic cost or kernel on a manifold; None if its cost or kernel is extrinsic, or it has none.

        Raises FieldError for a value of a field that has no meaning on the manifold.
        """
        del manifold
        return None

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        for name, first in (("update", 1), ("velocity", 0), ("update_groups", None), ("functional", None)):
            if callable(vars(cls).get(name)):  # not a property that gives a functional
                function = reductions.full_precision(vars(cls)[name])
                setattr(cls, name, function if first is None else _of_two_clouds(function, first))

    @abc.abstractmethod
    def init(self, key: Key, x: Particles, y: Targets) -> State:
        """Initial state, for clouds with the shapes of `x` and `y`."""

    @abc.abstractmethod
    def update(
        self,
        state: State,
        x: Particles,
        y: Targets,
        key: Key,
        *,
        at: Particles | None = None,
        x_weights: Weights | None = None,
        y_weights: Weights | None = None,
    ) -> tuple[DriftOutput, State]:
        """Compute the velocity at `at` and the next state."""

    def update_groups(
        self,
        states: State,
        x: Float[Array, "groups n d"],
        y: Float[Array, "groups m d"],
        keys: Array,
        *,
        negatives: Float[Array, "groups k d"] | None = None,
        negative_weights: Float[Array, "groups k"] | None = None,
    ) -> tuple[DriftOutput, State]:
        """Compute velocities `[groups n d]` of several pairs of clouds (classes), each with its own state and key.

        Groups are independent unless a drift documents otherwise. `negatives` are fixed points that repel like particles, each
        with the weight of `negative_weights` particles.
        """
        if negatives is None or negative_weights is None:
            return jax.vmap(self.update)(states, x, y, keys)
        masses = jnp.concatenate([jnp.ones(x.shape[:2], x.dtype), negative_weights], axis=1)
        ask = jax.vmap(lambda state, x, y, key, a: self.update(state, x, y, key, x_weights=a))
        output, states = ask(states, jnp.concatenate([x, negatives], axis=1), y, keys, masses)
        return output._replace(v=output.v[:, : x.shape[1]]), states

    def towards(self, target: AbstractTarget) -> "AbstractDrift":
        """The drift for `target`: itself, unless it reads more of the target than its samples."""
        del target
        return self

    def n_references(self, n: int, m: int) -> int:
        """Number of further samples of the model that a step of `n` particles and `m` targets gives to `update` as `references`.

        They repel and do not move. 0 for drifts whose `update` has no such argument.
        """
        del n, m
        return 0

    def target_kernels(self) -> tuple[TargetKernel, ...]:
        """Kernels of whose sums over the targets the attraction is made, so that it can be that of a whole data set (`landmarks`).

        `velocity` then takes their `moments`, one for each kernel, in place of the targets. Empty for other drifts.
        """
        return ()

    def n_stored(self, n: int, m: int) -> int:
        """Numbers in the pairwise arrays that a step of `n` particles and `m` targets stores at least; 0 if pairs are streamed."""
        del n, m
        return 0

    @abc.abstractmethod
    def tags(self) -> Tags:
        """Claims about this drift with its current options."""


def _of_two_clouds(function: Callable, first: int) -> Callable:
    """Wrap a method to check the shapes of its clouds `x` and `y`, the arguments `first` and `first` + 1.

    Without this check, clouds of different dimensions could broadcast to a meaningless velocity.
    """

    @functools.wraps(function)
    def checked(self, *args, **kwargs):
        clouds = dict(zip(("x", "y"), args[first : first + 2], strict=False)) | kwargs
        shapes = {
            name: jnp.shape(clouds[name]) for name in ("x", "y", "at", "references") if clouds.get(name) is not None
        }
        if any(len(shape) != 2 for shape in shapes.values()) or len({shape[1] for shape in shapes.values()}) > 1:
            told = " and ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
            raise ValueError(f"clouds must have shapes [points, d] with the same d, not {told}")
        return function(self, *args, **kwargs)

    return checked


class StatelessDrift(AbstractDrift):
    """Abstract base class of drifts without state: the velocity is a function of the two clouds and a key."""

    def init(self, key: Key, x: Particles, y: Targets) -> State:
        del key, x, y
        return ()

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None, **references):
        return self.velocity(x, y, key, at=at, x_weights=x_weights, y_weights=y_weights, **references), state

    @abc.abstractmethod
    def velocity(
        self,
        x: Particles,
        y: Targets,
        key: Key,
        *,
        at: Particles | None = None,
        x_weights: Weights | None = None,
        y_weights: Weights | None = None,
    ) -> DriftOutput:
        """Compute the velocity `[k d]` at `at`, by default at the particles `x`."""


def rms(v: Float[Array, "... d"]) -> Scalar:
    """Root mean square length of velocities, sqrt(mean_i |v_i|^2)."""
    return jnp.sqrt(jnp.mean(jnp.sum(v**2, axis=-1)))
