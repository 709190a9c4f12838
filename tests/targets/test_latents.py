"""Latents as a target: rows and their classes, posteriors, and files of which only a share is kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.features import latent_files
from gmdwgf.hyperparameters import FieldError
from gmdwgf.targets import feed as feed_module
from gmdwgf.targets.latents import ImageLatents

RNG = np.random.default_rng(0)
N, N_CLASSES = 90, 4
LABELS = RNG.integers(0, N_CLASSES, N)
MEAN = RNG.gamma(2.0, size=(N, 2, 3)).astype(np.float32)
LOG_VAR = RNG.normal(-3.0, 0.3, size=(N, 2, 3)).astype(np.float32)


def made(path, **changes):
    fields = {
        "labels": False,
        "posterior": True,
        "scale": 2.0,
        "held_out_fraction": 0.2,
        "split_seed": 0,
        "moments": None,
    }
    return ImageLatents(**({"path": str(path), "max_resident": 1e9} | fields | changes))


@pytest.fixture
def npz(tmp_path):
    latent_files.write(tmp_path / "latents.npz", MEAN, LOG_VAR, LABELS)
    return tmp_path / "latents.npz"


def which(points, rows=MEAN):
    """Index of the row that each point is a scaled copy of."""
    gaps = np.abs(np.asarray(points)[:, None] / 2.0 - rows.reshape(len(rows), -1)).max(axis=-1)
    assert (gaps.min(axis=1) < 1e-6).all()
    return gaps.argmin(axis=1)


def test_means_are_scaled_rows_split_once_into_training_and_held_out(npz):
    target = made(npz, posterior=False)
    assert (target.dim, target.latent_shape, target.n_held_out, target.n_classes) == (6, (2, 3), 18, 0)
    drawn = set(which(jax.jit(lambda t, key: t.sample(key, 2000))(target, jax.random.key(0))))
    held = which(target.held_out(jax.random.key(1), 18))
    assert len(set(held)) == 18
    assert drawn == set(range(N)) - set(held)
    assert set(which(target.training_rows())) == drawn


def test_a_file_may_say_which_rows_are_held_out(tmp_path):
    held_out = np.arange(N) % 10 == 3
    latent_files.write(tmp_path / "a.npz", MEAN, held_out=held_out)
    target = made(tmp_path / "a.npz")
    assert set(which(target.held_out(jax.random.key(0), 9))) == set(np.flatnonzero(held_out))


def test_posteriors_are_sampled_with_their_own_means_and_deviations(tmp_path):
    latent_files.write(tmp_path / "a.npz", MEAN[:2], LOG_VAR[:2], held_out=np.array([False, True]))
    target = made(tmp_path / "a.npz")
    x = np.asarray(target.sample(jax.random.key(0), 20_000), np.float64)
    deviation = 2 * np.exp(LOG_VAR[0].ravel() / 2)
    np.testing.assert_allclose(x.mean(axis=0), 2 * MEAN[0].ravel(), atol=5 * deviation.max() / np.sqrt(20_000))
    np.testing.assert_allclose(x.std(axis=0), deviation, rtol=0.03)


def test_a_class_is_answered_with_its_own_training_rows_each_as_likely(npz):
    target = made(npz, posterior=False, labels=True)
    assert target.n_classes == N_CLASSES
    asked = jnp.tile(jnp.arange(N_CLASSES), 3000)
    rows = which(jax.jit(lambda t, key: t.sample_of(key, asked))(target, jax.random.key(0)))
    np.testing.assert_array_equal(LABELS[rows], asked)
    training = np.sort(which(target.training_rows()))
    assert set(rows) == set(training)
    for label in range(N_CLASSES):
        mine = training[LABELS[training] == label]
        counts = np.array([(rows == row).sum() for row in mine])
        assert (np.abs(counts - 3000 / len(mine)) < 4.5 * np.sqrt(3000 / len(mine))).all()


def test_labels_that_are_not_there_are_asked_for_by_name(tmp_path):
    np.save(tmp_path / "a.npy", MEAN)
    with pytest.raises(FieldError) as refused:
        made(tmp_path / "a.npy", labels=True)
    assert refused.value.name == "labels"


def test_a_class_without_a_training_row_is_refused(tmp_path):
    latent_files.write(tmp_path / "a.npz", MEAN, labels=np.where(LABELS == 2, 3, LABELS))
    with pytest.raises(FieldError, match=r"of 4 classes, 1 have no row to train on \(the first: 2\)"):
        made(tmp_path / "a.npz", labels=True)


@pytest.fixture
def large(tmp_path, monkeypatch):
    """90 rows of moments in blocks of 4, of which 40 rows are kept."""
    latent_files.write(tmp_path / "large.npy", MEAN, LOG_VAR, LABELS)
    monkeypatch.setattr(feed_module, "_BLOCK_BYTES", 4 * 12 * 4)
    monkeypatch.setattr(feed_module, "_BLOCKS_MIXED", 3)
    return tmp_path / "large.npy"


KEPT = 40 * 12 * 4


def test_of_a_large_file_a_share_is_kept_and_refreshed_by_its_feed(large):
    target = made(large, posterior=False, labels=True, max_resident=KEPT)
    assert target.train.mean.shape[0] == 40
    held = set(which(target.held_out(jax.random.key(0), target.n_held_out)))
    feed, seen = target.feed(), set()
    draw = jax.jit(lambda t, key: t.sample_of(key, jnp.arange(200) % N_CLASSES))
    for _ in range(4):
        target = target.refreshed(*feed.next_labelled(40))
        rows = which(draw(target, jax.random.key(0)))
        np.testing.assert_array_equal(LABELS[rows], np.arange(200) % N_CLASSES)
        seen |= set(which(target.training_rows()))
    assert draw._cache_size() == 1
    assert seen == set(range(N)) - held
    assert made(large).feed() is None


def test_a_large_archive_is_refused_since_it_cannot_be_read_in_parts(npz):
    with pytest.raises(FieldError, match=r"only a \.npy file can be read in parts"):
        made(npz, max_resident=KEPT)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("labels", "yes"),
        ("posterior", 1),
        ("scale", 0.0),
        ("scale", "large"),
        ("held_out_fraction", 1.0),
        ("split_seed", -1),
        ("moments", "last"),
        ("max_resident", 0),
        ("max_resident", True),
    ],
)
def test_a_field_that_cannot_be_used_is_refused_by_name(npz, field, value):
    with pytest.raises(FieldError) as refused:
        made(npz, **{field: value})
    assert refused.value.name == field
