"""The training loop of driftax (github.com/wrkhard/driftax, version 0.18.1, f10d5b7), a public implementation of drifting in JAX.

Written from the formulas of its `examples/toy2d_train_mlp.py`: those of the authors' notebook, with the affinities as the root of a
softmax along rows times one along columns, Flax initialisation, and a step compiled by itself and called from Python, whose loss is
read after every step. Its targets are those of the notebook, so ours are halved here too.
"""

import functools

import jax
import jax.numpy as jnp
import optax

import gmdwgf
from contenders import Sampler
from contenders.notebook import BATCH_SIZE, NOISE_DIM, RATE, SCALE, TEMPERATURE
from gmdwgf.networks import apply_perceptron, init_perceptron

WIDTH, DEPTH = 256, 3
OPTIMIZER = optax.adam(RATE)
network = functools.partial(apply_perceptron, width=WIDTH, depth=DEPTH, activation="silu")


def distances(x, y):
    """Distances `[n m]`, from products as there."""
    r2 = jnp.sum(x**2, axis=1)[:, None] + jnp.sum(y**2, axis=1) - 2 * x @ y.T
    return jnp.sqrt(jnp.maximum(r2, 0.0) + 1e-12)


def drift(x, y, temperature: float = TEMPERATURE):
    """Attraction of `x` to `y` and repulsion from `x`, as whole matrices."""
    n, m = len(x), len(y)
    to_x = distances(x, x) + 1e6 * jnp.eye(n, dtype=x.dtype)
    logits = jnp.concatenate([distances(x, y), to_x], axis=1) / -temperature
    affinity = jnp.sqrt(jax.nn.softmax(logits, axis=1) * jax.nn.softmax(logits, axis=0))
    to_y, to_x = affinity[:, :m], affinity[:, m:]
    return (to_y * jnp.sum(to_x, axis=1, keepdims=True)) @ y - (to_x * jnp.sum(to_y, axis=1, keepdims=True)) @ x


@jax.jit
def train_step(target, params, opt_state, key):
    """One step: parameters, state of Adam, key and loss."""
    key, key_y, key_z = jax.random.split(key, 3)
    y = target.sample(key_y, BATCH_SIZE) / SCALE
    z = jax.random.normal(key_z, (BATCH_SIZE, NOISE_DIM))

    def loss_of(params):
        x = network(params, z)
        goal = jax.lax.stop_gradient(x + drift(x, y))
        return jnp.mean(jnp.sum((x - goal) ** 2, axis=1))

    loss, gradient = jax.value_and_grad(loss_of)(params)
    updates, opt_state = OPTIMIZER.update(gradient, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, key, loss


@functools.partial(jax.jit, static_argnames="n")
def _sampled(params, key, *, n: int):
    return SCALE * network(params, jax.random.normal(key, (n, NOISE_DIM)))


class Driftax:
    """Its perceptron, drift, loss and optimiser."""

    def __init__(self, target: str, seed: int, n_steps: int):
        del n_steps
        self.target, self.step = gmdwgf.load_target(target), 0
        key_init, self.key = jax.random.split(jax.random.key(seed))
        self.params = init_perceptron(key_init, NOISE_DIM, 2, WIDTH, DEPTH, "silu")
        self.opt_state = OPTIMIZER.init(self.params)
        self.program = train_step.lower(self.target, self.params, self.opt_state, self.key).compile()

    def advance(self, to: int) -> None:
        while self.step < to:
            self.params, self.opt_state, self.key, loss = self.program(
                self.target, self.params, self.opt_state, self.key
            )
            float(loss)
            self.step += 1

    def samplers(self) -> dict[str, Sampler]:
        key = jax.random.key(2**20)
        return {"1 evaluation": lambda n: _sampled(self.params, key, n=n).block_until_ready()}
