"""Optax optimisers as modules with traced numbers, so that changing a learning rate does not recompile."""

import abc

import equinox as eqx
import jax.numpy as jnp
import optax

from gmdwgf.config.fields import Configurable, choice, piece, real
from gmdwgf.typing import Scalar

__all__ = ["SGD", "AbstractOptimizer", "Adam", "RateSchedule"]


class RateSchedule(Configurable):
    """Factor on the learning rate: linear warm-up, then constant, cosine or linear decay to `final_fraction` at the last step.

    Steps count from 0, so the last one is n_steps - 1. The warm-up ends after its fraction of the run, where the decay begins. If no
    steps are left for the decay (a run of one step, or warm-up over the entire run), the factor stays 1.
    """

    decay: str = choice("constant", "cosine", "linear")
    warmup_fraction: Scalar = real("fraction of the run", at_least=0, at_most=1)
    final_fraction: Scalar = real("fraction of the learning rate", at_least=0, ignored_when={"decay": ("constant",)})

    def __call__(self, step: Scalar, n_steps: Scalar) -> Scalar:
        """Factor at `step` of `n_steps`."""
        warmup = self.warmup_fraction * n_steps
        rising = jnp.minimum((step + 1) / jnp.maximum(warmup, 1.0), 1.0)
        n_decaying = n_steps - 1 - warmup
        progress = jnp.clip((step - warmup) / jnp.where(n_decaying > 0, n_decaying, 1.0), 0.0, 1.0)
        left = {
            "constant": jnp.ones_like(progress),
            "linear": 1 - progress,
            "cosine": (1 + jnp.cos(jnp.pi * progress)) / 2,
        }
        return rising * (self.final_fraction + (1 - self.final_fraction) * left[self.decay])


class AbstractOptimizer(Configurable):
    """Abstract base class of optimisers: a scheduled learning rate, clipping, and an Optax rule built from traced numbers."""

    learning_rate: eqx.AbstractVar[Scalar]
    schedule: eqx.AbstractVar[RateSchedule]
    clip_norm: eqx.AbstractVar[Scalar]

    @abc.abstractmethod
    def rule(self, rate: Scalar) -> optax.GradientTransformation:
        """The Optax rule at the learning rate `rate`."""

    def init(self, params):
        """Optimiser state for `params`."""
        return self._chain(self.learning_rate).init(params)

    def update(self, gradient, opt_state, params, step: Scalar, n_steps: Scalar):
        """Compute the updates to add to `params`, the next state, and the learning rate of this step."""
        rate = self.learning_rate * self.schedule(step, n_steps)
        updates, opt_state = self._chain(rate).update(gradient, opt_state, params)
        return updates, opt_state, rate

    def _chain(self, rate: Scalar) -> optax.GradientTransformation:
        return optax.chain(optax.clip_by_global_norm(self.clip_norm), self.rule(rate))


class Adam(AbstractOptimizer):
    """Adam with decoupled weight decay (AdamW); Adam if `weight_decay` is 0."""

    schedule: RateSchedule = piece(RateSchedule)
    learning_rate: Scalar = real("", above=0)
    b1: Scalar = real("", at_least=0, at_most=1)
    b2: Scalar = real("", at_least=0, at_most=1)
    eps: Scalar = real("gradient units", above=0)
    weight_decay: Scalar = real("", at_least=0)
    clip_norm: Scalar = real("global norm of the gradient", above=0)

    def rule(self, rate: Scalar) -> optax.GradientTransformation:
        return optax.adamw(rate, b1=self.b1, b2=self.b2, eps=self.eps, weight_decay=self.weight_decay)


class SGD(AbstractOptimizer):
    """Stochastic gradient descent with momentum, or without if `momentum` is 0."""

    schedule: RateSchedule = piece(RateSchedule)
    learning_rate: Scalar = real("", above=0)
    momentum: Scalar = real("", at_least=0, at_most=1)
    clip_norm: Scalar = real("global norm of the gradient", above=0)

    def rule(self, rate: Scalar) -> optax.GradientTransformation:
        return optax.sgd(rate, momentum=self.momentum)
