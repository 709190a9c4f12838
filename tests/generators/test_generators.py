"""What every generator promises, by its YAML."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from gmdwgf.config.build import build, config_dir, load_node, options
from gmdwgf.config.fields import FieldError
from gmdwgf.generators.base import Condition, n_parameters
from gmdwgf.generators.conv import ConvGenerator
from gmdwgf.generators.mlp import MLPGenerator
from gmdwgf.generators.particles import ParticlesGenerator
from tests.networks import random_params

N_CLASSES = 3
SMALL = {
    "mlp": MLPGenerator(noise_dim=3, width=8, depth=2, activation="silu"),
    "conv": ConvGenerator(shape=[5, 7, 2], noise_dim=3, width=4, n_halvings=2),
}


def dim_of(generator) -> int:
    return math.prod(getattr(generator, "shape", (2,)))


def told(n, label=None, guidance=1.0) -> Condition:
    labels = jnp.arange(n) % N_CLASSES if label is None else jnp.full(n, label)
    return Condition(labels, jnp.full(n, guidance))


def some(generator, n_classes=0, seed=0):
    """Parameters, random but not fresh."""
    return random_params(lambda: generator.init(jax.random.key(0), 1, dim_of(generator), n_classes), seed=seed)


@jax.jit
def apply(generator, params, z, condition=None):
    return generator.apply(params, z, condition)


@functools.partial(jax.jit, static_argnames="n")
def sample(generator, params, key, n, condition=None):
    return generator.sample(params, key, n, condition)


@pytest.mark.slow
@pytest.mark.parametrize("name", options("generator"))
def test_every_generator_makes_points_of_the_shape_that_is_asked_for(name):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        generator = build(compose("train", overrides=[f"generator={name}"])["generator"], "generator")
    dim = dim_of(generator)
    for n_classes in (0,) if isinstance(generator, ParticlesGenerator) else (0, N_CLASSES):
        condition = told(5) if n_classes else None
        params = jax.eval_shape(lambda k=n_classes: generator.init(jax.random.key(0), 6, dim, k))
        x = jax.eval_shape(lambda p, c=condition: generator.sample(p, jax.random.key(0), 5, c), params)
        assert x.shape == (5, dim)
        n = sum(leaf.size for leaf in jax.tree.leaves(params))
        assert n_parameters(generator, 6, dim, n_classes) == n > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_rows_are_drawn_by_themselves_and_anew_for_every_key(name):
    generator = SMALL[name]
    params = some(generator, N_CLASSES)
    z = jax.random.normal(jax.random.key(1), (6, 3))
    x = apply(generator, params, z, told(6))
    for row in (0, 4):
        one = slice(row, row + 1)
        alone = apply(generator, params, z[one], jax.tree.map(lambda leaf, one=one: leaf[one], told(6)))
        np.testing.assert_allclose(alone, x[one], rtol=1e-4, atol=1e-5)
    draw = lambda key: sample(generator, params, jax.random.key(key), 6, told(6))
    np.testing.assert_array_equal(draw(2), draw(2))
    assert np.abs(draw(2) - draw(3)).max() > 1e-3


@pytest.mark.thorough
@pytest.mark.parametrize("name", SMALL)
def test_label_and_guidance_matter_and_share_one_trace(name):
    generator = SMALL[name]
    params = some(generator, N_CLASSES)
    apply.clear_cache()
    draw = lambda condition: apply(generator, params, jnp.ones((6, 3)), condition)
    base = draw(told(6, 0, 1.0))
    for other in (told(6, 1, 1.0), told(6, 0, 3.0)):
        assert np.abs(draw(other) - base).max() > 1e-3
    assert apply._cache_size() == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_vmap_over_parameters_is_one_by_one_in_double_precision(name, x64):
    generator = SMALL[name]
    pair = [some(generator, seed=seed) for seed in (0, 1)]
    draw = lambda params: sample(generator, params, jax.random.key(1), 4)
    both = jax.vmap(draw)(jax.tree.map(lambda a, b: jnp.stack([a, b]), *pair))
    assert both.dtype == jnp.float64
    for x, params in zip(both, pair, strict=True):
        np.testing.assert_allclose(x, draw(params), rtol=1e-10, atol=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize("name", SMALL)
def test_a_condition_is_neither_forgotten_nor_ignored(name):
    generator = SMALL[name]
    plain, classes = some(generator), some(generator, N_CLASSES)
    with pytest.raises(ValueError, match="condition, but none"):
        sample(generator, classes, jax.random.key(1), 4)
    with pytest.raises(ValueError, match="no condition, but one"):
        sample(generator, plain, jax.random.key(1), 4, told(4))


@pytest.mark.thorough
def test_without_classes_a_perceptron_sees_its_noise_alone():
    generator = MLPGenerator(noise_dim=3, width=8, depth=0, activation="silu")
    params = generator.init(jax.random.key(0), 1, 2)
    assert jax.tree.map(jnp.shape, params) == {"out": {"bias": (2,), "kernel": (3, 2)}}
    z = jax.random.normal(jax.random.key(1), (6, 3))
    expected = z @ params["out"]["kernel"] + params["out"]["bias"]
    np.testing.assert_allclose(generator.sample(params, jax.random.key(1), 6), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.thorough
def test_with_classes_a_perceptron_sees_noise_label_vector_and_guidance(x64):
    generator = MLPGenerator(noise_dim=3, width=8, depth=0, activation="silu")
    params = generator.init(jax.random.key(0), 1, 2, N_CLASSES)
    z, condition = jax.random.normal(jax.random.key(1), (6, 3)), told(6, None, 1.5)
    kernel = np.asarray(params["out"]["kernel"])
    expected = (
        np.asarray(z) @ kernel[:3] + np.asarray(params["labels"])[condition.label] @ kernel[3:6] + 0.5 * kernel[6]
    )
    np.testing.assert_allclose(generator.apply(params, z, condition), expected, rtol=1e-10, atol=1e-12)


def test_free_particles_have_no_classes():
    with pytest.raises(FieldError, match="generator=particles.* mlp"):
        build(load_node("generator", "particles", {})["generator"], "generator").init(jax.random.key(0), 4, 2, 3)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"n_halvings": 4}, r"n_halvings=4: .*shape=\[5, 7, 2\]"),
        ({"shape": [5, 0, 2]}, "shape=.*must be integers of at least 1"),
        ({"shape": [5, True, 2]}, "shape=.*must be integers of at least 1"),
    ],
)
def test_grids_that_do_not_fit_are_refused(changes, complaint):
    with pytest.raises(FieldError, match=complaint):
        ConvGenerator(**({"shape": [5, 7, 2], "noise_dim": 3, "width": 4, "n_halvings": 2} | changes))


def test_points_of_another_dimension_are_refused_by_shape():
    with pytest.raises(FieldError, match=r"shape=\[5, 7, 2\]: .*70.*64"):
        n_parameters(SMALL["conv"], 1, 64)
