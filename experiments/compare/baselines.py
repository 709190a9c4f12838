"""Generative models that are no drifts, trained with the same network, batches, steps and seeds: what readers compare with.

Direct descent of MMD (generative moment matching networks, Li, Swersky and Zemel 2015, arXiv:1502.02761), flow matching (Lipman et
al. 2023, arXiv:2210.02747, with independent couplings), a Wasserstein GAN with gradient penalty (Gulrajani et al. 2017,
arXiv:1704.00028), and inductive moment matching (Zhou, Ermon and Song 2025, arXiv:2503.07565). The toy forms are ours.
"""

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import gmdwgf
from experiments.common.trial import Sizes, judge
from experiments.compare.contenders import ARENAS, RATE, Setting
from gmdwgf.networks import apply_perceptron, init_perceptron
from gmdwgf.training import ema
from gmdwgf.typing import Array, PyTree

NOISE_DIM, DEPTH, ACTIVATION = 32, 3, "silu"
N_GROUPS = 16
"""Pairs of times in a batch of inductive moment matching."""
TIME_STEP = 1 / 64
"""Its distance of the two times whose maps are matched."""
PENALTY, N_CRITIC = 10.0, 5
"""Weight of the gradient penalty, and steps of the critic for each of the generator, as in the paper."""

EMA_DECAY = Sizes(1, 1).ema_decay


class Step(NamedTuple):
    """What a step of training reads besides the parameters."""

    key: Array
    targets: Callable[[Array], Array]
    """Draws a batch `[n d]` of the target."""
    value: Any
    """The number of the method that is tuned."""
    average: PyTree
    """Averaged parameters."""


def dense(params: PyTree, inputs: Array) -> Array:
    """The perceptron of all methods."""
    width = params["out"]["kernel"].shape[0]
    return apply_perceptron(params, inputs, width, DEPTH, ACTIVATION)


def of_batch(loss: Callable[[PyTree, Step, int], Array], step: Step, n: int) -> Callable[[PyTree], Array]:
    """A loss as a function of the parameters."""
    return lambda params: loss(params, step, n)


def mean_kernel(x: Array, y: Array, scales: Array) -> Array:
    """Mean of the Gaussian kernels of several bandwidths, over all pairs `[n m]`."""
    squares = jnp.sum((x[:, None] - y[None]) ** 2, -1)
    return jnp.mean(jnp.exp(-squares[..., None] / (2 * scales**2)), -1)


def moment_matching(params: PyTree, step: Step, n: int) -> Array:
    """MMD^2 of two batches, as a V-statistic."""
    key_y, key_z = jax.random.split(step.key)
    x, y = dense(params, jax.random.normal(key_z, (n, NOISE_DIM))), step.targets(key_y)
    k = functools.partial(mean_kernel, scales=step.value)
    return jnp.mean(k(x, x)) - 2 * jnp.mean(k(x, y)) + jnp.mean(k(y, y))


def flow_matching(params: PyTree, step: Step, n: int) -> Array:
    """Regression of y - z at z + t (y - z)."""
    key_y, key_z, key_t = jax.random.split(step.key, 3)
    y, t = step.targets(key_y), jax.random.uniform(key_t, (n, 1))
    z = jax.random.normal(key_z, y.shape)
    return jnp.mean((dense(params, jnp.concatenate([z + t * (y - z), t], 1)) - (y - z)) ** 2)


def mapped(params: PyTree, x: Array, t: Array, s: Array) -> Array:
    """The map of inductive moment matching from time t (1: noise) to time s (0: data): x - (t - s) F(x, t, s)."""
    return x - (t - s) * dense(params, jnp.concatenate([x, t, s], 1))


def inductive(params: PyTree, step: Step, n: int) -> Array:
    """MMD^2 with a Laplace kernel between the maps to s from t and from an earlier r, in groups of equal times.

    The map from r is that of the averaged parameters, without gradient; the scale of the kernel is (t - s) times the dimension.
    """
    key_y, key_z, key_t, key_s = jax.random.split(step.key, 4)
    y = step.targets(key_y)
    z = jax.random.normal(key_z, y.shape)
    t = jax.random.uniform(key_t, (N_GROUPS, 1, 1), minval=TIME_STEP)
    s = t * jax.random.uniform(key_s, (N_GROUPS, 1, 1))
    r = jnp.maximum(s, t - TIME_STEP)
    y, z = y.reshape(N_GROUPS, -1, y.shape[-1]), z.reshape(N_GROUPS, -1, y.shape[-1])

    def group(y, z, t, r, s):
        at = lambda time: jnp.broadcast_to(time, (len(y), 1))
        x = mapped(params, (1 - t) * y + t * z, at(t), at(s))
        fixed = jax.lax.stop_gradient(mapped(step.average, (1 - r) * y + r * z, at(r), at(s)))
        scale = y.shape[-1] * (t - s + TIME_STEP)
        k = lambda a, b: jnp.mean(jnp.exp(-jnp.sqrt(jnp.sum((a[:, None] - b[None]) ** 2, -1) + 1e-12) / scale))
        return k(x, x) - 2 * k(x, fixed) + k(fixed, fixed)

    return jnp.mean(jax.vmap(group)(y, z, t, r, s))


def critic_loss(critic: PyTree, generator: PyTree, step: Step, n: int) -> Array:
    """E_q D - E_p D + the penalty of gradients whose norm is not 1, at random points between samples and data."""
    key_y, key_z, key_u = jax.random.split(step.key, 3)
    x, y = dense(generator, jax.random.normal(key_z, (n, NOISE_DIM))), step.targets(key_y)
    between = x + jax.random.uniform(key_u, (n, 1)) * (y - x)
    slopes = jax.vmap(jax.grad(lambda point: dense(critic, point[None])[0, 0]))(between)
    norms = jnp.sqrt(jnp.sum(slopes**2, -1) + 1e-12)
    return jnp.mean(dense(critic, x)) - jnp.mean(dense(critic, y)) + PENALTY * jnp.mean((norms - 1) ** 2)


class Method(NamedTuple):
    """A baseline: its loss, the inputs of its network, how it is sampled, and the settings of its grid."""

    words: str
    loss: Callable[[PyTree, Step, int], Array] | None
    """None for the GAN, whose two networks have a loss each."""
    n_in: int
    samplers: tuple[str, ...]
    settings: tuple[Setting, ...]


def rates(values: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03)) -> tuple[Setting, ...]:
    return tuple(Setting(None, rate) for rate in values)


BANDWIDTHS = tuple([h / 3, h, 3 * h] for h in (0.3, 1.0, 3.0))
METHODS = {
    "gmmn": Method(
        "direct MMD descent",
        moment_matching,
        NOISE_DIM,
        ("1 evaluation",),
        (*(Setting(value, RATE) for value in BANDWIDTHS), Setting(BANDWIDTHS[1], 3 * RATE)),
    ),
    "flow matching": Method(
        "flow matching", flow_matching, 3, ("1 evaluation", "10 evaluations", "100 evaluations"), rates()
    ),
    "wgan-gp": Method(
        "Wasserstein GAN, gradient penalty",
        None,
        NOISE_DIM,
        ("1 evaluation",),
        (*(Setting(value, 0.001) for value in (0.001, 0.003, 0.01)), Setting(0.003, 0.003)),
    ),
    "imm": Method("inductive moment matching", inductive, 4, ("1 evaluation",), rates()),
}
"""The grids have four settings, as those of the drifts; the value of the GAN is the critic's rate."""


def drawn(name: str, params: PyTree, key: Array, n: int, n_evaluations: int) -> Array:
    """`n` samples."""
    if name == "imm":
        ones = jnp.ones((n, 1))
        return mapped(params, jax.random.normal(key, (n, 2)), ones, 0 * ones)
    if name != "flow matching":
        return dense(params, jax.random.normal(key, (n, NOISE_DIM)))

    def euler(k, x):
        times = jnp.full((n, 1), k / n_evaluations)
        return x + dense(params, jnp.concatenate([x, times], 1)) / n_evaluations

    return jax.lax.fori_loop(0, n_evaluations, euler, jax.random.normal(key, (n, 2)))


@functools.partial(jax.jit, static_argnames=("name", "batch", "width"))
def fitted(
    name: str, target: Any, value: Any, rate: Array, seed: Array, n_steps: Array, batch: int, width: int
) -> PyTree:
    """The averaged parameters after training, Adam's rate falling to 0 by a cosine."""
    method, key = METHODS[name], jax.random.key(seed)
    key, key_init, key_critic = jax.random.split(key, 3)
    start = init_perceptron(key_init, method.n_in, 2, width, DEPTH, ACTIVATION)
    critic = init_perceptron(key_critic, 2, 1, width, DEPTH, ACTIVATION)
    adam = lambda rate, **betas: optax.adam(lambda step: rate * (1 + jnp.cos(jnp.pi * step / n_steps)) / 2, **betas)
    is_gan = method.loss is None
    betas = {"b1": 0.0, "b2": 0.9} if is_gan else {}
    optimizer, critics = adam(rate, **betas), adam(jnp.asarray(value if is_gan else rate), **betas)

    def descend(optimizer, loss, params, state):
        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        return optax.apply_updates(params, updates), state

    def train_step(k, carry):
        params, state, critic, critic_state, average = carry
        keys = jax.random.split(jax.random.fold_in(key, k), N_CRITIC + 1)
        about = lambda key: Step(key, lambda key: target.sample(key, batch), value, average)
        if method.loss is None:
            about_critic = lambda j: lambda c: critic_loss(c, params, about(keys[j]), batch)
            inner = lambda j, pair: descend(critics, about_critic(j), *pair)
            critic, critic_state = jax.lax.fori_loop(0, N_CRITIC, inner, (critic, critic_state))
            z = jax.random.normal(keys[-1], (batch, NOISE_DIM))
            loss = lambda p: -jnp.mean(dense(critic, dense(p, z)))
        else:
            loss = of_batch(method.loss, about(keys[-1]), batch)
        params, state = descend(optimizer, loss, params, state)
        average = ema.follow(jnp.asarray(EMA_DECAY), k, params, average)
        return params, state, critic, critic_state, average

    carry = (start, optimizer.init(start), critic, critics.init(critic), start)
    return jax.lax.fori_loop(0, n_steps, train_step, carry)[-1]


def trained_baseline(
    name: str, setting: list, arena: str, seed: int, n_steps: int, batch: int, width: int
) -> dict[str, dict[str, Any]]:
    """A cell: for each way to sample, the scores of one training; and the seconds of its steps, compiled."""
    dataset, fields, *_ = ARENAS[arena]
    target, (value, rate) = gmdwgf.load_target(dataset, **fields), setting
    value = None if value is None else jnp.asarray(value, float)
    given = (name, target, value, jnp.asarray(rate, float), jnp.asarray(seed))
    fit = lambda n_steps: jax.block_until_ready(fitted(*given, jnp.asarray(n_steps), batch=batch, width=width))
    fit(0)  # compiles
    began = time.perf_counter()
    params = fit(n_steps)
    seconds = time.perf_counter() - began
    n = Sizes(batch, n_steps).n_samples
    suite, reference = judge(dataset, tuple(fields.items()), n)
    found = {}
    for sampler in METHODS[name].samplers:
        x = np.asarray(drawn(name, params, jax.random.key(seed + 2**20), n, int(sampler.split()[0])))
        scores = suite.evaluate(x, reference) | {"masses": suite.mode_masses(x, reference)}
        found[sampler] = scores | {"seconds": seconds, "diverged": not bool(np.isfinite(x).all())}
    return found
