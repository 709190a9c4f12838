"""Latents as a target: rows and their classes, posteriors, and files of which only a share is kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial

import gmdwgf
from gmdwgf.config.fields import FieldError
from gmdwgf.data import latent_files, sharded_reader as feed_module, shipped
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


@pytest.mark.thorough
def test_means_are_scaled_rows_split_once_into_training_and_held_out(npz):
    target = made(npz, posterior=False)
    assert (target.dim, target.latent_shape, target.n_held_out, target.n_classes) == (6, (2, 3), 18, 0)
    drawn = set(which(jax.jit(lambda t, key: t.sample(key, 2000))(target, jax.random.key(0))))
    held = which(target.held_out(jax.random.key(1), 18))
    assert len(set(held)) == 18
    assert drawn == set(range(N)) - set(held)
    assert set(which(target.training_rows())) == drawn


@pytest.mark.thorough
def test_a_file_may_say_which_rows_are_held_out(tmp_path):
    held_out = np.arange(N) % 10 == 3
    latent_files.write(tmp_path / "a.npz", MEAN, held_out=held_out)
    target = made(tmp_path / "a.npz")
    assert set(which(target.held_out(jax.random.key(0), 9))) == set(np.flatnonzero(held_out))


@pytest.mark.thorough
def test_posteriors_are_sampled_with_their_own_means_and_deviations(tmp_path):
    latent_files.write(tmp_path / "a.npz", MEAN[:2], LOG_VAR[:2], held_out=np.array([False, True]))
    target = made(tmp_path / "a.npz")
    x = np.asarray(target.sample(jax.random.key(0), 20_000), np.float64)
    deviation = 2 * np.exp(LOG_VAR[0].ravel() / 2)
    np.testing.assert_allclose(x.mean(axis=0), 2 * MEAN[0].ravel(), atol=5 * deviation.max() / np.sqrt(20_000))
    np.testing.assert_allclose(x.std(axis=0), deviation, rtol=0.03)


@pytest.mark.thorough
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
    with pytest.raises(FieldError, match=r"1 of 4 classes .*\(the first: 2\)"):
        made(tmp_path / "a.npz", labels=True)


@pytest.fixture
def large(tmp_path, monkeypatch):
    """90 rows of moments in blocks of 4, of which 40 rows are kept."""
    latent_files.write(tmp_path / "large.npy", MEAN, LOG_VAR, LABELS)
    monkeypatch.setattr(feed_module, "_BLOCK_BYTES", 4 * 12 * 4)
    monkeypatch.setattr(feed_module, "_BLOCKS_MIXED", 3)
    return tmp_path / "large.npy"


KEPT = 40 * 12 * 4


@pytest.mark.thorough
def test_of_a_large_file_a_share_is_kept_and_refreshed_by_its_feed(large):
    target = made(large, posterior=False, labels=True, max_resident=KEPT)
    assert target.train.mean.shape[0] == 40
    held = set(which(target.held_out(jax.random.key(0), target.n_held_out)))
    feed, seen = target.reader(), set()
    draw = jax.jit(lambda t, key: t.sample_of(key, jnp.arange(200) % N_CLASSES))
    for _ in range(4):
        target = target.refreshed(*feed.next_labelled(40))
        rows = which(draw(target, jax.random.key(0)))
        np.testing.assert_array_equal(LABELS[rows], np.arange(200) % N_CLASSES)
        seen |= set(which(target.training_rows()))
    assert draw._cache_size() == 1
    assert seen == set(range(N)) - held
    assert made(large).reader() is None


def test_a_large_archive_is_refused_since_it_cannot_be_read_in_parts(npz):
    with pytest.raises(FieldError, match=r"max_resident.*\.npy"):
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


def replaced(array, row, value, column=(0, 1)):
    changed = np.array(array, np.float64)
    changed[(row, *column)] = value
    return changed


BOTH = np.concatenate([MEAN, LOG_VAR], axis=-1)
SIGNED = np.where(np.arange(N) == 8, -1, LABELS)
HALVES = LABELS + 0.5 * (np.arange(N) == 8)
MANY = np.where(np.arange(N) == 8, 10**9, LABELS)
# Arrays of the .npz file (or the array of a .npy file), changes, field that is named, what the message says.
UNUSABLE = {
    "nan": ({"mean": replaced(MEAN, 7, np.nan)}, {}, "path", "in 1 of 90 rows (the first: row 7, place [0, 1]: nan)"),
    "infinite": ({"mean": replaced(MEAN, [5, 9], np.inf)}, {}, "path", "in 2 of 90 rows (the first: row 5, place"),
    "too_large": ({"mean": replaced(MEAN, 7, 1e300)}, {}, "path", "1e+300, too large for float32"),
    "flat_nan": ({"mean": replaced(MEAN.reshape(N, 6), 7, np.nan, (4,))}, {}, "path", "row 7, column 4: nan"),
    "nan_logvar": (
        {"mean": MEAN, "logvar": replaced(LOG_VAR, 7, np.nan)},
        {},
        "path",
        "row 7, place [0, 1]: nan) of 'logvar'",
    ),
    "nan_moments": (replaced(BOTH, 7, np.nan, (1, 5)), {"moments": -1}, "path", "row 7, place [1, 5]: nan"),
    "nan_npy": (replaced(MEAN, 7, np.nan), {}, "path", "row 7, place [0, 1]: nan"),
    "one_point": ({"mean": np.ones((N, 3))}, {}, "path", "holds one point 90 times"),
    "one_point_moments": (
        np.concatenate([np.ones_like(MEAN), LOG_VAR], axis=-1),
        {"moments": -1},
        "path",
        "one point 90 times",
    ),
    "negative_label": ({"mean": MEAN, "labels": SIGNED}, {"labels": True}, "labels", "row 8 has label -1"),
    "half_label": ({"mean": MEAN, "labels": HALVES}, {"labels": True}, "labels", f"row 8 has label {HALVES[8]}"),
    "words": ({"mean": MEAN, "labels": LABELS.astype(str)}, {"labels": True}, "labels", "not integers"),
    "many_classes": ({"mean": MEAN, "labels": MANY}, {"labels": True}, "labels", "more classes than the 90 rows"),
    "few_labels": ({"mean": MEAN, "labels": LABELS[:9]}, {"labels": True}, "path", "labels of shape [9], not [90]"),
    "class_held_out": (
        {"mean": MEAN, "labels": LABELS, "held_out": LABELS == 1},
        {"labels": True},
        "labels",
        "no training row (the first: 1)",
    ),
    "nothing_to_train_on": ({"mean": MEAN, "held_out": np.ones(N, bool)}, {}, "path", "none left to train on"),
    "nothing_to_score": ({"mean": MEAN, "held_out": np.zeros(N, int)}, {}, "path", "none left to score against"),
    "odd_moments": (np.ones((N, 5)), {"moments": 1}, "moments", "of even length"),
    "moments_of_npz": ({"mean": MEAN, "logvar": LOG_VAR}, {"moments": -1}, "moments", "leave it null"),
    "true_moments": (BOTH, {"moments": True}, "moments", "the axis of the moments"),
    "other_shape_than_its_encoder": (
        {"mean": MEAN, "encoder": "digits", "sha256": shipped.sha256(shipped.VAE)},
        {},
        "path",
        "have shape [16], but its latents",
    ),
    "too_few_blocks": (BOTH, {"max_resident": 100}, "path", "raise max_resident"),
    "no_row_kept": (BOTH, {"max_resident": 7}, "max_resident", "a row takes 48 bytes"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("case", UNUSABLE)
def test_a_file_that_cannot_be_trained_on_is_refused_by_field_row_and_value(tmp_path, case):
    arrays, changes, field, says = UNUSABLE[case]
    path = tmp_path / ("a.npz" if isinstance(arrays, dict) else "a.npy")
    np.savez(path, **arrays) if isinstance(arrays, dict) else np.save(path, arrays)
    with pytest.raises(FieldError) as refused:
        made(path, **changes)
    assert refused.value.name == field
    assert says in refused.value.fix
    assert str(path) in str(refused.value) or case == "true_moments"
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
def test_labels_that_are_not_used_and_latents_in_float64_or_float16_are_taken_as_they_are(tmp_path, name):
    latent_files.write(tmp_path / name, MEAN.astype(np.float64), labels=SIGNED)
    np.testing.assert_array_equal(np.sort(which(made(tmp_path / name).training_rows())).size, 72)
    latent_files.write(tmp_path / name, MEAN.astype(np.float16))
    assert set(which(made(tmp_path / name).training_rows(), MEAN.astype(np.float16))) < set(range(N))


def test_in_a_file_read_in_parts_a_row_that_is_not_finite_is_found_when_it_is_read(tmp_path, large):
    rows = np.load(large)
    order = [
        int(np.flatnonzero((rows == row).all(axis=(1, 2)))[0])
        for row in made(large, max_resident=KEPT).reader().next(60)
    ]
    late = order[-1]
    rows[late, 1, 4] = np.nan
    np.save(large, rows)
    target = made(large, max_resident=KEPT)
    assert ["NaN" in line for line in target.introduction()] == [True]
    feed = target.reader()
    with pytest.raises(FieldError, match=rf"large\.npy.* row {late}, place \[1, 4\]: nan"):
        feed.next(70)
    rows[order[0], 0, 0] = np.inf
    np.save(large, rows)
    with pytest.raises(FieldError, match=rf"row {order[0]}, place \[0, 0\]: inf"):
        made(large, max_resident=KEPT)


def test_a_file_read_in_parts_that_holds_one_point_is_refused(tmp_path, large):
    np.save(large, np.concatenate([np.ones_like(MEAN), LOG_VAR], axis=-1))
    with pytest.raises(FieldError, match="holds one point"):
        made(large, max_resident=KEPT)


@pytest.mark.thorough
@pytest.mark.parametrize("dataset", ["array", "image_latents"])
def test_a_path_too_long_is_one_short_line_of_the_command_too(cli, dataset):
    code, out, err = cli(f"dataset={dataset}", f"dataset.path={'a' * 5000}.npz")
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("gmdwgf: dataset.path=aaaa")
    assert "cannot be opened (File name too long)" in line
    assert len(line) < 400


@pytest.mark.thorough
def test_latents_of_a_user_are_standardised_and_mapped_back(tmp_path):
    rng = np.random.default_rng(0)
    latents = (40 + 7 * rng.normal(size=(300, 3))).astype(np.float32)
    np.savez(tmp_path / "own.npz", mean=latents, logvar=np.full_like(latents, np.log(0.25)))
    raw = gmdwgf.load_target("image_latents", path=str(tmp_path / "own.npz"), scale=1.0, standardise="none")
    target = gmdwgf.load_target("image_latents", path=str(tmp_path / "own.npz"), scale=1.0, standardise="scale")
    np.testing.assert_allclose(np.median(scipy.spatial.distance.pdist(target.training_rows())), 2, rtol=0.05)
    np.testing.assert_allclose(target.in_data_units(target.training_rows()), raw.training_rows(), rtol=1e-5)
    key = jax.random.key(0)
    np.testing.assert_allclose(target.in_data_units(target.sample(key, 50)), raw.sample(key, 50), rtol=1e-5)
    np.testing.assert_allclose(target.in_data_units(target.held_out(key, 50)), raw.held_out(key, 50), rtol=1e-5)
    assert gmdwgf.load_target("image_latents", standardise="scale").standardisation is None
