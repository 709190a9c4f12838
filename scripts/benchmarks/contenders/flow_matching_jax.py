"""The same flow matching compiled by JAX (ours), which tells the method from the framework."""

import functools

import jax
import jax.numpy as jnp
import optax

import gmdwgf
from contenders import Sampler
from contenders.flow_matching import BATCH_SIZE, N_EVALUATIONS, RATE, location_and_flow
from gmdwgf.networks import apply_perceptron, init_perceptron

SIZES = {"width": 256, "depth": 3, "activation": "silu"}
OPTIMIZER = optax.adam(RATE)


def velocity(params, x, t):
    """The network's velocity at points `x` `[n 2]` and times `t` `[n 1]`."""
    return apply_perceptron(params, jnp.concatenate([x, t], axis=1), **SIZES)


@jax.jit
def train(target, params, opt_state, key, step, stop):
    """Steps from `step` to `stop`."""

    def train_step(step, carry):
        params, opt_state = carry
        key_y, key_z, key_t, key_noise = jax.random.split(jax.random.fold_in(key, step), 4)
        y, t = target.sample(key_y, BATCH_SIZE), jax.random.uniform(key_t, (BATCH_SIZE, 1))
        z, noise = jax.random.normal(key_z, y.shape), jax.random.normal(key_noise, y.shape)
        x, flow = location_and_flow(z, y, t, noise)
        gradient = jax.grad(lambda params: jnp.mean((velocity(params, x, t) - flow) ** 2))(params)
        updates, opt_state = OPTIMIZER.update(gradient, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    return jax.lax.fori_loop(step, stop, train_step, (params, opt_state))


@functools.partial(jax.jit, static_argnames=("n", "n_evaluations"))
def sample(params, key, *, n: int, n_evaluations: int):
    """`n` points by Euler steps from noise at t = 0 to t = 1."""

    def euler(k, x):
        return x + velocity(params, x, jnp.full((n, 1), k / n_evaluations)) / n_evaluations

    return jax.lax.fori_loop(0, n_evaluations, euler, jax.random.normal(key, (n, 2)))


class FlowMatchingJAX:
    """The network, loss and optimiser of `FlowMatching`, all steps between two evaluations in one program."""

    def __init__(self, target: str, seed: int, n_steps: int):
        del n_steps
        self.target, self.step = gmdwgf.load_target(target), 0
        key_init, self.key = jax.random.split(jax.random.key(seed))
        self.params = init_perceptron(key_init, 2 + 1, 2, *SIZES.values())
        self.opt_state = OPTIMIZER.init(self.params)
        self.program = train.lower(self.target, self.params, self.opt_state, self.key, 0, 0).compile()

    def advance(self, to: int) -> None:
        given = self.target, self.params, self.opt_state, self.key, self.step, to
        self.params, self.opt_state = jax.block_until_ready(self.program(*given))
        self.step = to

    def samplers(self) -> dict[str, Sampler]:
        key = jax.random.key(2**20)
        draw = lambda n, k: sample(self.params, key, n=n, n_evaluations=k).block_until_ready()
        return {f"{k} evaluation{'s' * (k > 1)}": lambda n, k=k: draw(n, k) for k in N_EVALUATIONS}
