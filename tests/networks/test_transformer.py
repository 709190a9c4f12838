"""The pieces of the transformer against slow loops and their own symmetries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gmdwgf.networks.functional import init, network
from gmdwgf.networks.transformer import Attention, Block, SwiGLU, grid_waves, patches, picture, rotated
from tests.networks import random_params

T, WIDTH, HEADS = 5, 12, 3
K = WIDTH // HEADS


@pytest.fixture
def h(x64):
    return jnp.asarray(np.random.default_rng(1).normal(size=(2, T, WIDTH)))


def awake(make):
    """The network with random numbers everywhere: what starts at 0 or 1 is tested too."""
    return network(make, jax.tree.map(jnp.asarray, random_params(lambda: init(make, jax.random.key(0)), 0.5)))


def attention(rngs):
    return Attention(WIDTH, HEADS, None, rngs)


@pytest.mark.thorough
def test_rotary_positions_multiply_complex_numbers_by_a_phase(x64):
    h = jax.random.normal(jax.random.key(0), (2, T, HEADS, K))
    positions = jnp.asarray([0.0, 1.0, 2.0, 7.0, 40.0])
    as_complex = np.asarray(h[..., : K // 2]) + 1j * np.asarray(h[..., K // 2 :])
    for t in range(T):
        for j in range(K // 2):
            as_complex[:, t, :, j] *= np.exp(1j * float(positions[t]) * 10000.0 ** (-2 * j / K))
    expected = np.concatenate([as_complex.real, as_complex.imag], axis=-1)
    np.testing.assert_allclose(rotated(h, positions), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.thorough
def test_rotary_positions_keep_lengths_and_products_that_see_only_differences(x64):
    q, k = jax.random.normal(jax.random.key(0), (2, 1, 1, 1, 8))
    product = lambda i, j: jnp.sum(rotated(q, jnp.asarray([float(i)])) * rotated(k, jnp.asarray([float(j)])))
    np.testing.assert_allclose(product(3, 11), product(20, 28), rtol=1e-10)
    assert abs(product(3, 11) - product(3, 12)) > 1e-3
    np.testing.assert_allclose(jnp.linalg.norm(rotated(q, jnp.asarray([9.0]))), jnp.linalg.norm(q), rtol=1e-10)


@pytest.mark.thorough
def test_attention_is_the_slow_double_loop(h):
    layer = awake(attention)
    positions = jnp.arange(float(T))
    qkv = np.asarray(h @ layer.qkv.kernel[...] + layer.qkv.bias[...]).reshape(2, T, 3, HEADS, K)
    norm = lambda a, scale: a / np.sqrt(np.mean(a**2, axis=-1, keepdims=True) + 1e-6) * np.asarray(scale[...])
    q = np.asarray(rotated(jnp.asarray(norm(qkv[:, :, 0], layer.q_norm.scale)), positions))
    k = np.asarray(rotated(jnp.asarray(norm(qkv[:, :, 1], layer.k_norm.scale)), positions))
    mixed = np.zeros((2, T, HEADS, K))
    for n in range(2):
        for head in range(HEADS):
            for i in range(T):
                weights = np.array([np.exp(q[n, i, head] @ k[n, j, head] / np.sqrt(K)) for j in range(T)])
                mixed[n, i, head] = weights / weights.sum() @ qkv[n, :, 2, head]
    expected = mixed.reshape(2, T, WIDTH) @ np.asarray(layer.out.kernel[...]) + np.asarray(layer.out.bias[...])
    np.testing.assert_allclose(layer(h, positions), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.thorough
def test_attention_sees_the_order_of_tokens_only_through_differences_of_positions(h):
    layer, order = awake(attention), jnp.asarray([3, 0, 4, 1, 2])
    apart, together = jnp.arange(float(T)), jnp.zeros(T)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    close(layer(h, together)[:, order], layer(h[:, order], together))
    close(layer(h, apart)[:, order], layer(h[:, order], apart[order]))
    close(layer(h, apart), layer(h, apart + 17))
    assert np.abs(layer(h, apart)[:, order] - layer(h[:, order], apart)).max() > 1e-2


def test_queries_and_keys_are_normalised(h):
    layer = awake(attention)
    before = layer(h, jnp.arange(float(T)))
    factors = jnp.concatenate([jnp.full(2 * WIDTH, 1e4), jnp.ones(WIDTH)])  # of queries and keys, not of values
    layer.qkv.kernel[...] = layer.qkv.kernel[...] * factors
    layer.qkv.bias[...] = layer.qkv.bias[...] * factors
    np.testing.assert_allclose(layer(h, jnp.arange(float(T))), before, rtol=1e-4, atol=1e-5)  # epsilon of the norm


def test_a_gated_layer_is_its_formula(h):
    layer = awake(lambda rngs: SwiGLU(WIDTH, None, rngs))
    assert layer.up.kernel[...].shape == (WIDTH, 32)
    through = lambda part, a: a @ np.asarray(part.kernel[...]) + np.asarray(part.bias[...])
    gate = through(layer.gate, np.asarray(h))
    expected = through(layer.out, gate / (1 + np.exp(-gate)) * through(layer.up, np.asarray(h)))
    np.testing.assert_allclose(layer(h), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
def test_a_block_is_the_identity_at_the_start_whatever_the_condition(h):
    make = lambda rngs: Block(WIDTH, HEADS, None, rngs)
    condition = jax.random.normal(jax.random.key(5), (2, WIDTH))
    np.testing.assert_array_equal(network(make, init(make, jax.random.key(0)))(h, condition), h)
    block = awake(make)
    assert np.abs(block(h, condition) - h).max() > 0.1
    assert np.abs(block(h, condition) - block(h, condition + 1)).max() > 0.1


def test_patches_are_the_squares_of_the_picture_and_go_back_to_it():
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 3))
    tiles = patches(jnp.asarray(x), 2)
    assert tiles.shape == (2, 6, 12)
    np.testing.assert_allclose(tiles[1, 4], x[1, 2:4, 2:4].ravel(), rtol=1e-6)
    np.testing.assert_allclose(picture(tiles, 4, 6, 2), x, rtol=1e-6)


@pytest.mark.thorough
def test_waves_tell_every_place_of_a_grid(x64):
    told = np.asarray(grid_waves(3, 4, 8, float))
    for row in range(3):
        for column in range(4):
            angles = [place * 10000.0 ** (-2 * j / 4) for place in (column, row) for j in range(2)]
            expected = [*np.sin(angles[:2]), *np.cos(angles[:2]), *np.sin(angles[2:]), *np.cos(angles[2:])]
            np.testing.assert_allclose(told[4 * row + column], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
def test_half_precision_work_keeps_the_parameters_single():
    make = lambda rngs: Block(WIDTH, HEADS, jnp.bfloat16, rngs)
    params = random_params(lambda: init(make, jax.random.key(0)))
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    h = jnp.ones((1, T, WIDTH), jnp.bfloat16)
    assert network(make, params)(h, jnp.ones((1, WIDTH))).dtype == jnp.bfloat16
    assert isinstance(network(make, params), nnx.Module)
