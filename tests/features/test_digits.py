"""The shipped digits: files are those that were made, networks do what is claimed of them, maps can be differentiated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.config.fields import FieldError
from gmdwgf.data import latent_files, shipped
from gmdwgf.features import networks
from gmdwgf.features.digits import DigitFeatures, encode
from gmdwgf.targets.latents import ImageLatents


@pytest.fixture(scope="module")
def features():
    return DigitFeatures(scale=0.5)


@pytest.fixture(scope="module")
def latents():
    return latent_files.read_latents(shipped.LATENTS)


def target(**changes):
    fields = {"path": None, "labels": False, "posterior": True, "scale": 0.5, "held_out_fraction": 0.2, "split_seed": 0}
    return ImageLatents(**(fields | {"moments": None, "max_resident": 2e9} | changes))


def test_the_shipped_files_are_those_whose_origin_is_told_and_they_are_small():
    hashes = shipped.provenance()["sha256"]
    assert hashes == {path.name: shipped.sha256(path) for path in (shipped.VAE, shipped.CLASSIFIER, shipped.LATENTS)}
    assert all((shipped.DATA / name).stat().st_size < 500_000 for name in hashes)


def test_latents_are_standardised_over_the_training_digits(latents):
    mean, log_var = latents.points(~latents.held_out)
    assert mean.shape == (4000, 16)
    np.testing.assert_allclose(mean.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(mean.var(axis=0) + np.exp(log_var).mean(axis=0), 1, atol=0.02)
    np.testing.assert_array_equal(np.bincount(latents.labels[latents.held_out]), [100] * 10)


@pytest.mark.slow
def test_the_classifier_knows_held_out_decoded_digits_as_well_as_is_claimed(features, latents):
    mean, _ = latents.points(latents.held_out)
    logits = jax.jit(lambda f, points: f.answers(points)[1])(features, 0.5 * mean)
    right = np.mean(np.argmax(logits, axis=1) == latents.labels[latents.held_out])
    assert right == pytest.approx(shipped.provenance()["held_out"]["accuracy_decoded"], abs=0.003)
    assert right > 0.9


@pytest.mark.slow
def test_encoding_undoes_decoding_nearly(features, latents):
    mean, _ = latents.points(slice(0, 5000, 50))
    again, log_var = encode(shipped.load_params(shipped.VAE)["encoder"], features.decode(0.5 * jnp.asarray(mean)))
    assert again.shape == log_var.shape == (100, 16)
    assert np.mean((again - mean) ** 2) < 0.25 * np.mean(mean**2)


@pytest.mark.slow
def test_maps_have_their_shapes_and_slopes(features):
    points = 0.5 * jax.random.normal(jax.random.key(0), (3, 16))
    shapes = {name: made.shape for name, made in features.maps(points).items()}
    assert shapes == {"edges": (3, 49, 16), "parts": (3, 9, 32), "digit": (3, 64)}
    pull = jax.random.normal(jax.random.key(1), (3, 64))
    height = lambda points: jnp.sum(pull * features.maps(points)["digit"])
    slope = jax.jit(jax.grad(height))(points)
    way = jax.random.normal(jax.random.key(2), points.shape)
    difference = (height(points + 1e-2 * way) - height(points - 1e-2 * way)) / 2e-2
    np.testing.assert_allclose(jnp.sum(slope * way), difference, rtol=0.02)


@pytest.mark.thorough
def test_the_convolution_for_loops_is_that_of_jax():
    network = networks.init(networks.DigitEncoder, jax.random.key(0))
    images = jax.random.uniform(jax.random.key(1), (2, 28, 28, 1))
    loops, plain = (networks.apply(networks.DigitEncoder, network, images, in_loops=choice) for choice in (True, False))
    for one, other in zip(loops, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_pictures_of_the_target_are_the_decoded_points(features):
    y = target().held_out(jax.random.key(0), 5)
    pictures = target().pictures(y)
    assert pictures.shape == (5, 28, 28, 1)
    np.testing.assert_allclose(pictures, features.decode(y), atol=1e-6)
    assert target().classifier().answers(y)[1].shape == (5, 10)


@pytest.mark.slow
def test_a_class_asked_for_is_the_class_seen():
    labelled = target(labels=True)
    asked = jnp.repeat(jnp.arange(10), 30)
    logits = labelled.classifier().answers(labelled.sample_of(jax.random.key(0), asked))[1]
    assert np.mean(np.argmax(logits, axis=1) == asked) > 0.85


@pytest.mark.thorough
def test_points_of_the_default_have_the_size_of_the_toys():
    y = target().sample(jax.random.key(0), 4000)
    assert float(jnp.sqrt(jnp.mean(jnp.sum(y**2, axis=1)))) == pytest.approx(2, rel=0.03)


def test_latents_of_other_weights_are_refused(tmp_path):
    latent_files.write(tmp_path / "old.npz", np.zeros((5, 16)), encoder="digits", sha256="another")
    with pytest.raises(FieldError, match="another version of the encoder"):
        target(path=str(tmp_path / "old.npz"))


@pytest.mark.thorough
def test_latents_of_an_unknown_encoder_have_no_pictures(tmp_path):
    latent_files.write(tmp_path / "mine.npz", np.random.default_rng(0).normal(size=(50, 16)), encoder="mine")
    made = target(path=str(tmp_path / "mine.npz"))
    assert made.classifier() is None
    assert made.pictures(made.sample(jax.random.key(0), 2)) is None
