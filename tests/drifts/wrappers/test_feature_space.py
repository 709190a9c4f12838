import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import build, load_node
from gmdwgf.drifts.wrappers.feature_space import FeatureSpace, FeatureSpaceDrift, rms_distance
from gmdwgf.features.base import AbstractFeatures, Identity
from tests.training.common import run_steps, same_bits, small_problem

KEY = jax.random.key(3)
W = np.random.default_rng(1).normal(size=(2, 5)) / 2


class Curved(AbstractFeatures):
    """Two maps of the plane, one with features at three places."""

    def maps(self, points):
        h = jnp.tanh(points @ jnp.asarray(W, points.dtype))
        return {"whole": 3 * h, "places": jnp.stack([h**2, jnp.sin(2 * h), h], axis=1)}


class Whole(AbstractFeatures):
    def maps(self, points):
        return {"whole": Curved().maps(points)["whole"]}


def curved(points):
    return Curved().maps(points)


def space(maps, **fields):
    node = load_node("features", "identity", fields)
    return FeatureSpace(maps=maps, **{name: node[name] for name in ("scale", "scale_decay", "rms_normalise")})


def velocity(drift, features, x, y, **fields):
    field = FeatureSpaceDrift(drift, space(features, **fields))
    return field.update(field.init(KEY, x, y), x, y, KEY)[0].v


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["none", "batch"])
def test_regressing_on_it_has_the_gradient_of_the_feature_losses(scale, clouds, x64):
    x, y = map(jnp.asarray, clouds)
    drift = gmdwgf.load_drift("kl", bandwidth=0.9)
    unit = {name: rms_distance(h) if scale == "batch" else 1.0 for name, h in Curved().maps(y).items()}
    seen = lambda x: {name: h / unit[name] for name, h in Curved().maps(x).items()}

    def losses(x):
        total = 0.0
        for name, h in seen(x).items():
            ask = lambda a, b: drift.velocity(jax.lax.stop_gradient(a), b, KEY).v
            v = ask(h, seen(y)[name]) if h.ndim == 2 else jax.vmap(ask, in_axes=1, out_axes=1)(h, seen(y)[name])
            total = total + jnp.sum((h - jax.lax.stop_gradient(h + v)) ** 2)
        return total

    factor = rms_distance(y) ** 2 if scale == "batch" else 1.0
    got = velocity(drift, Curved(), x, y, scale=scale)
    np.testing.assert_allclose(got, -factor * jax.grad(losses)(x) / 2, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_the_flow_of_a_functional_stays_the_flow_of_the_functional_of_the_features(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    drift = gmdwgf.load_drift("mmd", kernel="gaussian", bandwidth=0.7)
    seen = lambda cloud: Whole().maps(cloud)["whole"]
    expected = -x.shape[0] * jax.grad(lambda x: drift.functional(seen(x), seen(y)))(x)
    np.testing.assert_allclose(velocity(drift, Whole(), x, y, scale="none"), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.thorough
def test_in_the_points_themselves_it_is_the_drift_with_lengths_in_rms_distances(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    unit = rms_distance(y)
    np.testing.assert_allclose(unit**2, 2 * np.var(y, axis=0).sum(), rtol=1e-12)
    scaled = velocity(gmdwgf.load_drift("kl", bandwidth=0.4), Identity(), x, y)
    plain = gmdwgf.load_drift("kl", bandwidth=0.4 * unit.item()).velocity(x, y, KEY).v
    np.testing.assert_allclose(scaled, plain, rtol=1e-9, atol=1e-12)


@pytest.mark.thorough
def test_rms_normalised_maps_all_have_a_say(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    v = velocity(gmdwgf.load_drift("kl"), Identity(), x, y, rms_normalise=True)
    np.testing.assert_allclose(jnp.sqrt(jnp.mean(jnp.sum(v**2, axis=1))), rms_distance(y), rtol=1e-9)


@pytest.mark.slow
def test_the_field_elsewhere_is_that_of_the_particles_where_they_are(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    field = FeatureSpaceDrift(gmdwgf.load_drift("mmd", kernel="gaussian"), space(Curved()))
    state = field.init(KEY, x, y)
    there = field.update(state, x, y, KEY, at=x[:4])[0].v
    np.testing.assert_allclose(there, field.update(state, x, y, KEY)[0].v[:4], rtol=1e-9)


@pytest.mark.thorough
def test_running_scales_average_over_the_steps_and_are_part_of_the_state(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    field = FeatureSpaceDrift(gmdwgf.load_drift("kl"), space(Whole(), scale="running", scale_decay=0.5))
    state, wanted = field.init(KEY, x, y), None
    for step, factor in enumerate((1.0, 2.0, 0.5, 3.0)):
        _, state = field.update(state, x, factor * y, KEY)
        here, decay = rms_distance(Whole().maps(factor * y)["whole"]), min(0.5, step / (step + 1))
        wanted = here if wanted is None else decay * wanted + (1 - decay) * here
        np.testing.assert_allclose(state.scales["whole"], wanted, rtol=1e-12)


@pytest.mark.slow
def test_training_in_features_with_a_critic_is_bit_equal_however_it_is_cut():
    problem = small_problem("critic", changes={"drift": {"width": 8, "n_inner": 1}})
    features = space(Curved(), scale="running")
    problem = dataclasses.replace(problem, features=features)
    assert same_bits(run_steps(problem, 6, chunk_size=6), run_steps(problem, 2, 6, chunk_size=3))


@pytest.mark.slow
def test_a_function_of_ones_own_is_a_feature_map(clouds):
    x = jnp.asarray(clouds[0], jnp.float32)
    node = {"_target_": "gmdwgf.features.base.Function", "function": f"{__name__}.curved"}
    np.testing.assert_array_equal(build(node, "features").maps(x)["whole"], curved(x)["whole"])
    with pytest.raises(gmdwgf.config.build.ConfigError, match="features.function=nowhere.to_be_found"):
        build(node | {"function": "nowhere.to_be_found"}, "features")
