"""Steps of a drift's own network, on the clouds of one evaluation."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from gmdwgf.networks import Params
from gmdwgf.optim.optimizers import AbstractOptimizer
from gmdwgf.typing import Array, Float, Key, PyTree, Scalar


def fit_network(
    optimizer: AbstractOptimizer,
    loss: Callable[..., Scalar],
    draw: Callable[[Key], tuple[Any, ...]],
    start: tuple[Params, PyTree],
    key: Key,
    n_steps: int,
) -> tuple[tuple[Params, PyTree], Float[Array, " n_steps"]]:
    """Take `n_steps` on `loss(params, *draw(key))`, a key for each, from parameters and optimiser state; returns both and the losses.

    A step whose gradient or update is not finite is skipped.
    """

    def inner_step(carry, key):
        params, opt_state = carry
        value, gradient = jax.value_and_grad(loss)(params, *draw(key))
        updates, moved_state, _ = optimizer.update(gradient, opt_state, params, jnp.asarray(0.0), jnp.asarray(1.0))
        moved = (optax.apply_updates(params, updates), moved_state)
        finite = jnp.isfinite(optax.tree.norm(gradient)) & jnp.isfinite(optax.tree.norm(updates))
        return jax.tree.map(lambda new, old: jnp.where(finite, new, old), moved, carry), value

    return jax.lax.scan(inner_step, start, jax.random.split(key, n_steps))
