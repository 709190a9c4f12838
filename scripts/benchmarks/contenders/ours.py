"""Training with a drift at the defaults of `python -m gmdwgf.train +drift=NAME`, as compiled as there."""

import functools

import jax
import jax.numpy as jnp

import gmdwgf
from contenders import Sampler
from gmdwgf.training import ema
from gmdwgf.training.state import initial_state
from gmdwgf.training.step import train_chunk


class Drifting:
    """A run of `n_steps`, over which the learning rate falls to 0. Samples are those of the averaged generator."""

    def __init__(self, target: str, seed: int, n_steps: int, drift: str):
        self.problem = gmdwgf.make_problem(target, drift, n_steps=n_steps)
        self.state = jax.jit(initial_state)(self.problem, jax.random.key(seed))
        stop = jnp.asarray(0, self.state.step.dtype)
        self.program = train_chunk.lower(self.problem, self.state, stop, chunk_size=n_steps).compile()

    def advance(self, to: int) -> None:
        stop = jnp.asarray(to, self.state.step.dtype)
        self.state, _ = jax.block_until_ready(self.program(self.problem, self.state, stop))

    def samplers(self) -> dict[str, Sampler]:
        params = ema.of(self.problem.ema_decay, self.state.ema_params)
        draw = lambda n: _sampled(self.problem.generator, params, jax.random.key(2**20), n=n).block_until_ready()
        return {"1 evaluation": draw}


@functools.partial(jax.jit, static_argnames="n")
def _sampled(generator, params, key, *, n: int):
    return generator.sample(params, key, n)
