"""Train the encoder, decoder and classifier of digits: pure functions of images, labels and a key."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax.scipy.ndimage import map_coordinates

from gmdwgf.features.networks import SIDE, DigitClassifier, DigitDecoder, DigitEncoder, Params, apply, init
from gmdwgf.typing import Key

LabelledImages = tuple[jax.Array, jax.Array]
"""Images `[n 28 28 1]` with values in 0..1, and their labels `[n]`."""


def jittered(images: jax.Array, key: Key) -> jax.Array:
    """Augment images by random rotations up to 9 degrees, scalings up to 8 % and shifts up to 1.5 pixels."""
    angle, scale, dy, dx = jax.random.uniform(key, (4, images.shape[0]), minval=-1.0)
    grid = jnp.stack(jnp.mgrid[:SIDE, :SIDE]).astype(images.dtype) - (SIDE - 1) / 2

    def moved(image, angle, scale, shift):
        c, s = jnp.cos(angle) / scale, jnp.sin(angle) / scale
        y, x = jnp.einsum("ij,jhw->ihw", jnp.array([[c, -s], [s, c]]), grid) + (SIDE - 1) / 2
        return map_coordinates(image, [y + shift[0], x + shift[1]], order=1)

    shifts = 1.5 * jnp.stack([dy, dx], axis=1)
    return jax.vmap(moved)(images[..., 0], 0.16 * angle, 1 + 0.08 * scale, shifts)[..., None]


def autoencoder_loss(params: Params, batch: LabelledImages, key: Key, kl_weight: float = 1.0) -> jax.Array:
    """Negative ELBO: summed cross entropy of grey values plus `kl_weight` KL(posterior || standard normal)."""
    key_jitter, key_noise = jax.random.split(key)
    images = jittered(batch[0], key_jitter)
    mean, log_var = apply(DigitEncoder, params["encoder"], images, in_loops=False)
    latents = mean + jnp.exp(log_var / 2) * jax.random.normal(key_noise, mean.shape)
    logits = apply(DigitDecoder, params["decoder"], latents, in_loops=False)
    pixels = jnp.sum(optax.sigmoid_binary_cross_entropy(logits, images), axis=(1, 2, 3))
    kl = 0.5 * jnp.sum(mean**2 + jnp.exp(log_var) - log_var - 1, axis=1)
    return jnp.mean(pixels + kl_weight * kl)


def classifier_loss(params: Params, batch: LabelledImages, key: Key) -> jax.Array:
    """Cross entropy with label smoothing 0.05, for better calibrated confidences."""
    images, labels = batch
    logits = apply(DigitClassifier, params, jittered(images, key), in_loops=False)["logits"]
    return jnp.mean(optax.softmax_cross_entropy(logits, optax.smooth_labels(jax.nn.one_hot(labels, 10), 0.05)))


def fresh_autoencoder(key: Key) -> Params:
    """Initialise the parameters of encoder and decoder."""
    key_encoder, key_decoder = jax.random.split(key)
    return {"encoder": init(DigitEncoder, key_encoder), "decoder": init(DigitDecoder, key_decoder)}


def fit(
    loss: Callable[[Params, LabelledImages, Key], jax.Array],
    params: Params,
    data: LabelledImages,
    key: Key,
    n_epochs: int,
    batch_size: int = 100,
    say: Callable[[str], None] = lambda line: None,
) -> Params:
    """Train by AdamW with a cosine learning rate from 2e-3 over `n_epochs` shuffled epochs."""
    images, labels = data
    n_batches = len(images) // batch_size
    optimizer = optax.adamw(optax.cosine_decay_schedule(2e-3, n_epochs * n_batches), weight_decay=1e-3)

    @functools.partial(
        jax.jit, donate_argnums=0
    )  # not a scan, in which XLA's convolutions on a CPU are 15 times slower
    def step(state: tuple[Params, optax.OptState], rows: jax.Array, key: Key):
        params, opt_state = state
        value, gradient = jax.value_and_grad(loss)(params, (images[rows], labels[rows]), key)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), value

    state = (params, optimizer.init(params))
    for number, key_epoch in enumerate(jax.random.split(key, n_epochs)):
        key_order, key_steps = jax.random.split(key_epoch)
        order = jax.random.permutation(key_order, len(images))[: n_batches * batch_size].reshape(n_batches, -1)
        values = []
        for rows, key_step in zip(order, jax.random.split(key_steps, n_batches), strict=True):
            state, value = step(state, rows, key_step)
            values.append(value)
        say(f"epoch {number + 1} of {n_epochs}: loss {float(jnp.mean(jnp.stack(values))):.3f}")
    return state[0]
