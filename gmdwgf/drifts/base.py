"""The protocol of a drift: two clouds in, one velocity a particle out."""

import abc
import functools
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from gmdwgf.config.fields import Configurable
from gmdwgf.pairs import reductions
from gmdwgf.typing import Array, Float, Key, Particles, Scalar, Targets, Weights

State = Any
"""Whatever a drift carries from step to step, a pytree of arrays; `()` for most."""


class DriftOutput(NamedTuple):
    """Velocities `v` `[n d]` and `info`, a flat dictionary of scalars whose keys never change between steps."""

    v: Particles
    info: dict[str, Scalar]


class Tags(NamedTuple):
    """What is claimed of a drift; the law tests hold every claim in float64."""

    zero_at_equality: bool
    """Vanishes when both clouds are the same points."""
    curl_free: bool
    """A gradient field in x for fixed clouds."""
    flow_of: str | None
    """The functional of the empirical law of which it is the Wasserstein gradient flow; None if it is of none."""
    reach: str
    """`long` if mass moves between far modes, `local` if the field is blind to them."""
    permutation: bool = True
    """Permuting the particles permutes the velocities; permuting the targets changes nothing."""
    translation: bool = True
    """Moving both clouds together changes nothing."""
    rotation: bool = True
    """Rotating both clouds rotates the velocities."""
    single_precision: float = 3e-5
    """Largest error of a velocity in float32, relative to its length or to the median length if that is more."""


class AbstractDrift(Configurable):
    """A drift, perhaps with state (a critic, potentials carried over). The trainer knows only this form.

    `x` `[n d]` are the particles, `y` `[m d]` the targets, `x_weights` and `y_weights` their masses (uniform when None,
    need not sum to one). `at` `[k d]` are the points where the field is wanted; None means the particles themselves, and
    only then do self-pairs exist for a mask to act on.

    What a drift computes with matrices is in full precision on every device, without its doing (`pairwise.full_precision`).
    """

    functional: ClassVar[Any] = None
    """Where the drift is the flow of a functional and has it as code: a method of (x, y). Otherwise None."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, first in (("update", 1), ("velocity", 0), ("update_groups", None), ("functional", None)):
            if callable(vars(cls).get(name)):  # not a property that gives a functional
                function = reductions.full_precision(vars(cls)[name])
                setattr(cls, name, function if first is None else _of_two_clouds(function, first))

    @abc.abstractmethod
    def init(self, key: Key, x: Particles, y: Targets) -> State:
        """State before the first step, for clouds shaped like `x` and `y`."""

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
        """Velocity at `at` and the next state."""

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
        """Velocities `[groups n d]` of several pairs of clouds (classes), each with its own state and key.

        Groups do not see each other, unless a drift says otherwise. `negatives` are points that repel as particles do, each
        like `negative_weights` particles, but do not move.
        """
        if negatives is None or negative_weights is None:
            return jax.vmap(self.update)(states, x, y, keys)
        masses = jnp.concatenate([jnp.ones(x.shape[:2], x.dtype), negative_weights], axis=1)
        ask = jax.vmap(lambda state, x, y, key, a: self.update(state, x, y, key, x_weights=a))
        output, states = ask(states, jnp.concatenate([x, negatives], axis=1), y, keys, masses)
        return output._replace(v=output.v[:, : x.shape[1]]), states

    @abc.abstractmethod
    def tags(self) -> Tags:
        """What is claimed of this drift with its present options."""


def _of_two_clouds(function: Callable, first: int) -> Callable:
    """The same method, which says so where the clouds `x` and `y`, arguments `first` and `first` + 1, do not go together.

    Unequal dimensions would otherwise broadcast to a velocity that means nothing.
    """

    @functools.wraps(function)
    def checked(self, *args, **kwargs):
        clouds = dict(zip(("x", "y"), args[first : first + 2], strict=False)) | kwargs
        shapes = {name: jnp.shape(clouds[name]) for name in ("x", "y", "at") if clouds.get(name) is not None}
        if any(len(shape) != 2 for shape in shapes.values()) or len({shape[1] for shape in shapes.values()}) > 1:
            told = " and ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
            raise ValueError(f"clouds are [points, d] with one d, not {told}")
        return function(self, *args, **kwargs)

    return checked


class StatelessDrift(AbstractDrift):
    """A drift that is a function of the two clouds."""

    def init(self, key: Key, x: Particles, y: Targets) -> State:
        del key, x, y
        return ()

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None):
        return self.velocity(x, y, key, at=at, x_weights=x_weights, y_weights=y_weights), state

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
        """Velocity `[k d]` at `at`, the particles `x` themselves by default."""


def rms(v: Float[Array, "... d"]) -> Scalar:
    """Root mean square length of the velocities, sqrt(mean_i |v_i|^2)."""
    return jnp.sqrt(jnp.mean(jnp.sum(v**2, axis=-1)))
