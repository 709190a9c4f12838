"""Class-conditional drifting: every class of a step has its own particles and targets, with optional guidance."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.config.fields import Configurable, FieldError, choice, count, real
from gmdwgf.drifts.base import AbstractDrift, DriftOutput, Tags, rms
from gmdwgf.generators.base import Condition
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Array, Float, Int, Key, Scalar

_GOLDEN = (5**0.5 - 1) / 2

GUIDANCE = ("none", "negatives", "velocity")

UNGUIDED = {"guidance": ("none",)}
"""When the fields of the guidance are ignored."""


class ClassCondition(Configurable):
    """Classes of a training step and their guidance.

    A step trains on `n_groups` classes (all of them in order, or a random subset), each with an equal share of the particles and
    targets. Every group draws a guidance scale alpha in [1, `guidance_max`] with density proportional to
    alpha^-`guidance_power`, or alpha = 1 with probability `unguided_fraction`; the generator is conditioned on alpha.

    `negatives` (Deng et al. 2026, arXiv:2602.04770): `n_unconditional` targets of any class repel like particles, each with the
    weight (n - 1) (alpha - 1) / n_unconditional, n the number of particles of the group. The fixed point for a class is then
    alpha p(x | class) - (alpha - 1) p(x). `velocity` (arXiv:2605.11755): v + (alpha - 1) (T_qp - T_qu), which is
    alpha v(x, y) - (alpha - 1) v(x, u), with u the targets of any class.
    """

    n_groups: int = count()
    guidance: str = choice(*GUIDANCE)
    guidance_max: Scalar = real("", at_least=1, ignored_when=UNGUIDED)
    guidance_power: Scalar = real("", ignored_when=UNGUIDED)
    unguided_fraction: Scalar = real("", at_least=0, at_most=1, ignored_when=UNGUIDED)
    n_unconditional: int = count(of_numbers=True, ignored_when=UNGUIDED)
    evaluate_at: Scalar = real("guidance scale of evaluated samples", at_least=1)

    def check(self, target: AbstractTarget, batch_size: int, n_targets: int, n_reference: int = 0) -> None:
        """Raise FieldError unless the target has `n_groups` classes and `n_groups` divides the batch, targets and references."""
        if self.n_groups > target.n_classes:
            fix = f"must be at most {target.n_classes}" if target.n_classes else "needs a target with labels"
            raise FieldError("n_groups", self.n_groups, fix + ", the classes of the target")
        sizes = {"batch_size": batch_size, "n_targets": n_targets, "n_reference": n_reference}
        for name, size in sizes.items():
            if size % self.n_groups:
                nearest = max(round(size / self.n_groups), 1) * self.n_groups
                fix = f"must divide training.{name}={size}; e.g. training.{name}={nearest}"
                raise FieldError("n_groups", self.n_groups, fix)

    def structure(self) -> tuple[int, str, int]:
        """Static structure: number of groups, kind of guidance, and number of unconditional targets in a group."""
        return self.n_groups, self.guidance, 0 if self.guidance == "none" else self.n_unconditional

    def draw(self, key: Key, n_classes: int) -> tuple[Int[Array, " g"], Float[Array, " g"]]:
        """Draw the class and the guidance scale of every group of a step."""
        of_labels, of_scales, of_unguided = jax.random.split(key, 3)
        labels = jnp.arange(n_classes)
        if self.n_groups < n_classes:
            labels = jax.random.choice(of_labels, n_classes, (self.n_groups,), replace=False)
        if self.guidance == "none":
            return labels, jnp.ones(self.n_groups)
        alpha = power_law(jax.random.uniform(of_scales, (self.n_groups,)), self.guidance_max, self.guidance_power)
        unguided = jax.random.uniform(of_unguided, (self.n_groups,)) < self.unguided_fraction
        return labels, jnp.where(unguided, 1.0, alpha)

    def evaluation(self, n: int, n_classes: int, shares: Float[Array, " c"] | None = None) -> Condition:
        """Condition for evaluation: the classes in cyclic order, or in their `shares`, at the guidance scale `evaluate_at`.

        With shares the levels are a golden-ratio sequence, so that any first n points have the shares up to O(log(n) / n).
        """
        labels = jnp.arange(n) % n_classes
        if shares is not None:
            levels = jnp.asarray(np.arange(1, n + 1) * _GOLDEN % 1.0, shares.dtype)
            labels = jnp.clip(jnp.searchsorted(jnp.cumsum(shares), levels, side="right"), 0, n_classes - 1)
        return Condition(labels, jnp.full(n, self.evaluate_at))


def power_law(u: Float[Array, " g"], largest: Scalar, power: Scalar) -> Float[Array, " g"]:
    """Quantiles at levels `u` of the distribution on [1, largest] with density proportional to a^-power."""
    rate, span = 1 - power, jnp.log(largest)
    flat = jnp.abs(rate) < 1e-6  # power = 1: the density is 1/a and the quantile function is exponential
    safe = jnp.where(flat, 1.0, rate)
    return jnp.exp(jnp.where(flat, u * span, jnp.log1p(u * jnp.expm1(safe * span)) / safe))


class ClasswiseDrift(AbstractDrift):
    """Apply `drift` to every class separately; the rows of `x` and `y` are ordered by group.

    The last `n_unconditional` targets of a group are of any class and are used as `guidance` specifies. The classes themselves
    are not needed here. A drift with state has one state for each group. `info` contains means over the groups.
    """

    drift: AbstractDrift
    n_groups: int = eqx.field(static=True)
    guidance: str = eqx.field(static=True)
    n_unconditional: int = eqx.field(static=True)
    alpha: Float[Array, " g"]

    def init(self, key, x, y):
        x, (y, _) = self._groups(x), self._split(y)
        return jax.vmap(self.drift.init)(jax.random.split(key, self.n_groups), x, y)

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None):
        if at is not None or x_weights is not None or y_weights is not None:
            raise NotImplementedError("a classwise drift supports neither `at` nor weights")
        groups, (y, others) = self._groups(x), self._split(y)
        keys = jax.random.split(key, self.n_groups)
        if self.guidance == "negatives":
            weight = (groups.shape[1] - 1) * (self.alpha - 1) / self.n_unconditional
            weights = jnp.repeat(weight[:, None], self.n_unconditional, axis=1)
            output, state = self.drift.update_groups(state, groups, y, keys, negatives=others, negative_weights=weights)
        else:
            before = state
            output, state = self.drift.update_groups(before, groups, y, keys)
            if self.guidance == "velocity":
                away, _ = self.drift.update_groups(before, groups, others, keys)
                lean = (self.alpha - 1)[:, None, None]
                output = output._replace(v=output.v + lean * (output.v - away.v))
        v = output.v.reshape(x.shape)
        return DriftOutput(v, jax.tree.map(jnp.mean, output.info) | {"v_rms": rms(v)}), state

    def _groups(self, rows):
        return rows.reshape(self.n_groups, -1, *rows.shape[1:])

    def _split(self, y):
        y = self._groups(y)
        n_own = y.shape[1] - self.n_unconditional
        return y[:, :n_own], y[:, n_own:]

    def tags(self) -> Tags:
        return self.drift.tags()._replace(zero_at_equality=False, flow_of=None, permutation=False)
