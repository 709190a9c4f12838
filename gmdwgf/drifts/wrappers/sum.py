"""A weighted sum of drifts."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from gmdwgf.config.fields import FieldError, pieces, reals
from gmdwgf.drifts.base import AbstractDrift, DriftOutput, Tags, rms
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Array, Float, Particles, Scalar, Targets


class SumDrift(AbstractDrift):
    """Weighted sum v = sum_k weights_k v_k of drifts, each with its own key and state.

    Flow of: sum_k weights_k F_k when every part is a flow, otherwise nothing. Zero on identical clouds and curl-free
    when every part is; long range when at least one part is.
    Units: `weights` include the ratio of the parts' units, so that a drift in 1 / data units can be added to one in data
    units; a negative weight reverses a drift. The parts' `info` is logged with their index: `0/v_rms`, `1/v_rms`, ...
    Self term: that of each part.
    Choose: a long-range drift that moves mass between modes, together with a local one that shapes them.
    Fails: if the units differ and `weights` do not compensate, one part dominates; at convergence the parts may balance rather
    than vanish.
    Cost: the sum of the parts' costs.
    """

    drifts: tuple[AbstractDrift, ...] = pieces(AbstractDrift, "drifts")
    weights: Float[Array, " k"] = reals("velocity of the sum per velocity of the part")

    def check_values(self) -> None:
        if getattr(self.weights, "shape", None) != (len(self.drifts),):
            raise FieldError("weights", self.weights, f"must be {len(self.drifts)} numbers, one for each drift")

    @property
    def needs_samples(self) -> bool:
        """Whether any part uses samples of the target."""
        return any(part.needs_samples for part in self.drifts)

    @property
    def needs_density(self) -> bool:
        """Whether any part uses the density of the target."""
        return any(part.needs_density for part in self.drifts)

    def towards(self, target: AbstractTarget) -> AbstractDrift:
        """The sum of the parts for `target`."""
        return dataclasses.replace(self, drifts=tuple(part.towards(target) for part in self.drifts))

    def init(self, key, x, y) -> tuple:
        keys = jax.random.split(key, len(self.drifts))
        return tuple(part.init(key, x, y) for part, key in zip(self.drifts, keys, strict=True))

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None):
        keys = jax.random.split(key, len(self.drifts))
        masses = {"x_weights": x_weights, "y_weights": y_weights}
        answers = [
            part.update(before, x, y, key, at=at, **masses)
            for part, before, key in zip(self.drifts, state, keys, strict=True)
        ]
        v = self._combined([output.v for output, _ in answers])
        info = {"v_rms": rms(v)}
        for index, (output, _) in enumerate(answers):
            info |= {f"{index}/{name}": value for name, value in output.info.items()}
        return DriftOutput(v, info), tuple(after for _, after in answers)

    @property
    def functional(self) -> Callable[[Particles, Targets], Scalar] | None:
        """The functional (x, y) -> sum_k weights_k F_k if every part implements its own, otherwise None."""
        if self.tags().flow_of is None or any(part.functional is None for part in self.drifts):
            return None
        return lambda x, y: self._combined([part.functional(x, y) for part in self.drifts])

    def _combined(self, parts: list[Array]) -> Array:
        return jnp.tensordot(self.weights.astype(parts[0].dtype), jnp.stack(parts), axes=1)

    def n_stored(self, n: int, m: int) -> int:
        """That of the largest part."""
        return max(part.n_stored(n, m) for part in self.drifts)

    def tags(self) -> Tags:
        tags = [part.tags() for part in self.drifts]
        flows = [tag.flow_of for tag in tags]
        terms = [f"weights[{index}] ({flow})" for index, flow in enumerate(flows)]
        return Tags(
            zero_at_equality=all(tag.zero_at_equality for tag in tags),
            curl_free=all(tag.curl_free for tag in tags),
            flow_of=None if None in flows else " + ".join(terms),
            reach="long" if any(tag.reach == "long" for tag in tags) else "local",
            permutation=all(tag.permutation for tag in tags),
            translation=all(tag.translation for tag in tags),
            rotation=all(tag.rotation for tag in tags),
        )
