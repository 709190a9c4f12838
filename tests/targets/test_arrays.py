"""Targets from a file: the split, the draws and every way a file can be wrong."""

import os
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.config.fields import FieldError
from gmdwgf.targets.arrays import ArrayTarget


def loaded(path, key=None, held_out_fraction=0.2, split_seed=0, standardise="none"):
    return ArrayTarget(str(path), key, held_out_fraction, split_seed, standardise)


def rows(cloud) -> set:
    return {tuple(row) for row in np.asarray(cloud).tolist()}


@pytest.fixture
def cloud():
    return np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


@pytest.fixture
def file(tmp_path, cloud):
    np.save(tmp_path / "points.npy", cloud)
    return tmp_path / "points.npy"


def test_the_split_is_disjoint_and_covers_every_row(file, cloud):
    target = loaded(file)
    assert (target.train.shape, target.held.shape, target.dim, target.n_held_out) == ((40, 3), (10, 3), 3, 10)
    assert not rows(target.train) & rows(target.held)
    assert rows(target.train) | rows(target.held) == rows(cloud)


def test_the_split_depends_on_its_seed_alone(file):
    np.testing.assert_array_equal(loaded(file).held, loaded(file).held)
    assert rows(loaded(file).held) != rows(loaded(file, split_seed=1).held)


@pytest.mark.parametrize(("fraction", "n_held"), [(0.001, 2), (0.5, 25), (0.999, 48)])
def test_neither_part_is_ever_empty(file, fraction, n_held):
    target = loaded(file, held_out_fraction=fraction)
    assert (len(target.held), len(target.train)) == (n_held, 50 - n_held)


def test_samples_are_training_rows_with_replacement_each_as_likely(file):
    target = loaded(file)
    y = np.asarray(jax.jit(lambda t, key: t.sample(key, 8000))(target, jax.random.key(0)))
    counts = (y[:, None] == np.asarray(target.train)).all(axis=-1).sum(axis=0)
    assert counts.sum() == 8000
    assert (np.abs(counts - 200) < 4.5 * np.sqrt(200 * 39 / 40)).all()


@pytest.mark.thorough
def test_held_out_draws_are_distinct_held_out_rows_while_there_are_enough(file):
    target = loaded(file)
    draw = jax.jit(lambda t, key, n: t.held_out(key, n), static_argnums=2)
    for seed in range(5):
        assert len(rows(draw(target, jax.random.key(seed), 7))) == 7
    assert rows(draw(target, jax.random.key(0), 10)) == rows(target.held)
    assert rows(draw(target, jax.random.key(0), 7)) != rows(draw(target, jax.random.key(1), 7))
    more = draw(target, jax.random.key(0), 200)
    assert more.shape == (200, 3)
    assert rows(more) == rows(target.held)


@pytest.mark.parametrize("dtype", ["float64", "float16", "int16", "uint8", ">f4"])
def test_any_real_dtype_becomes_the_default_float(tmp_path, cloud, dtype):
    stored = np.abs(10 * cloud).astype(dtype)
    np.save(tmp_path / "points.npy", stored)
    target = loaded(tmp_path / "points.npy")
    assert target.train.dtype == jnp.float32
    assert rows(target.train) | rows(target.held) == rows(stored.astype(np.float32))


def test_float64_is_kept_where_it_is_enabled(x64, tmp_path):
    stored = np.random.default_rng(0).normal(size=(9, 2))
    np.save(tmp_path / "points.npy", stored)
    target = loaded(tmp_path / "points.npy")
    assert rows(target.train) | rows(target.held) == rows(stored)


def test_the_array_of_an_npz_file_is_found_by_key_or_by_being_the_only_one(tmp_path, cloud):
    np.savez(tmp_path / "one.npz", latents=cloud)
    np.savez_compressed(tmp_path / "two.npz", latents=cloud, labels=np.arange(50))
    expected = loaded(tmp_path / "one.npz").train
    np.testing.assert_array_equal(loaded(tmp_path / "one.npz", key="latents").train, expected)
    np.testing.assert_array_equal(loaded(tmp_path / "two.npz", key="latents").train, expected)


@pytest.fixture
def labelled(tmp_path):
    """Three classes of 40, 9 and 1 points, on three lines, with weights 1, 2, 3, ..."""
    kinds = np.repeat(["b", "a", "c"], [40, 9, 1])
    x = np.c_[np.repeat([1.0, 0.0, 2.0], [40, 9, 1]), np.arange(50.0)]
    np.savez(tmp_path / "points.npz", x=x, kind=kinds, w=1.0 + np.arange(50))
    return lambda **options: ArrayTarget(str(tmp_path / "points.npz"), "x", 0.2, 0, **options)


@pytest.mark.thorough
def test_a_class_is_split_by_itself_and_drawn_from_its_own_rows(labelled):
    target = labelled(labels="kind")
    assert (target.n_classes, target.class_names) == (3, ("a", "b", "c"))
    held, labels = target.labelled_held_out()
    np.testing.assert_array_equal(held[:, 0], labels)  # the first coordinate is the class
    np.testing.assert_array_equal(np.bincount(labels, minlength=3), [2, 8, 0])
    assert not rows(target.train) & rows(held)
    asked = jnp.repeat(jnp.arange(3), 400)
    y = np.asarray(jax.jit(lambda t, key: t.sample_of(key, asked))(target, jax.random.key(0)))
    np.testing.assert_array_equal(y[:, 0], asked)
    assert rows(y) == rows(target.train)


@pytest.mark.parametrize("standardise", ["none", "scale"])
def test_classes_are_evaluated_by_their_shares(labelled, standardise):
    target = labelled(labels="kind", standardise=standardise)
    np.testing.assert_allclose(target.class_shares, np.array([7, 32, 1]) / 40, rtol=1e-6)
    weighted = labelled(labels="kind", standardise=standardise, weights="w")
    y = weighted.in_data_units(weighted.train)
    sums = [np.sum(1 + np.asarray(y)[np.round(y[:, 0]) == k, 1]) for k in range(3)]
    np.testing.assert_allclose(weighted.class_shares, np.array(sums) / np.sum(sums), rtol=1e-4)


@pytest.mark.thorough
def test_rows_are_drawn_by_their_weights(labelled):
    target = labelled(weights="w", labels="kind")
    assert target.n_rows is None
    n = 40_000
    draws = {
        "train": (target.train, target.sample(jax.random.key(0), n), target.train),
        "held": (target.held, target.held_out(jax.random.key(0), n), target.held),
        "class": (
            target.train,
            target.sample_of(jax.random.key(0), jnp.ones(n, int)),
            target.train[target.train[:, 0] == 1],
        ),
    }
    for all_rows, drawn, among in draws.values():
        p = np.where(np.isin(all_rows[:, 1], among[:, 1]), 1 + np.asarray(all_rows[:, 1]), 0)
        p = p / p.sum()
        counts = (np.asarray(drawn)[:, 1][:, None] == np.asarray(all_rows)[:, 1]).sum(axis=0)
        assert counts.sum() == n
        assert (np.abs(counts - n * p) <= 4.5 * np.sqrt(n * p * (1 - p))).all()


def test_equal_weights_and_none_give_the_same_law_and_the_same_split(labelled, tmp_path):
    np.testing.assert_array_equal(labelled(weights="w").held, labelled().held)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("shape", "dtype", "top"),
    [((30, 4, 5), np.uint8, 255), ((30, 4, 5, 3), np.float32, 1), ((30, 4, 5, 1), np.int32, 255)],
)
@pytest.mark.parametrize("standardise", ["none", "scale", "coordinates"])
def test_images_are_points_and_points_are_images(tmp_path, shape, dtype, top, standardise):
    images = (np.random.default_rng(0).random(shape) * top).astype(dtype)
    np.save(tmp_path / "images.npy", images)
    target = ArrayTarget(str(tmp_path / "images.npy"), None, 0.2, 0, standardise)
    assert target.dim == np.prod(shape[1:])
    shown = np.concatenate([target.pictures(target.in_data_units(cloud)) for cloud in (target.train, target.held)])
    assert shown.shape == (30, 4, 5, shape[3] if len(shape) == 4 else 1)
    expected = (images / top).reshape(shown.shape)
    shown, expected = (np.stack(sorted(several, key=lambda image: image.sum())) for several in (shown, expected))
    np.testing.assert_allclose(shown, expected, atol=1e-5)


def saved(array):
    return lambda path: np.save(path, array)


def damaged(path):
    np.save(path, np.ones((50, 2)))
    path.write_bytes(path.read_bytes()[:300])


def damaged_archive(path):
    np.savez(path, points=np.ones((50, 2)))
    path.write_bytes(path.read_bytes()[:300])


def flipped_archive(path):
    np.savez(path, points=np.ones((50, 2)))
    content = bytearray(path.read_bytes())
    content[400] ^= 1
    path.write_bytes(bytes(content))


def two_arrays(path):
    np.savez(path, latents=np.ones((5, 2)), labels=np.ones(5))


def text_inside(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "1,2")


BAD = np.ones((5, 2))
BAD[[1, 3], [0, 1]] = np.nan, np.inf
WRONG = {
    "missing": ("points.npy", lambda path: None, None, "path", "is not a file"),
    "folder": ("points.npy", lambda path: path.mkdir(), None, "path", "is not a file"),
    "other_kind": ("points.xlsx", lambda path: path.write_text("1,2\n3,4\n"), None, "path", ".parquet or .h5ad"),
    "text": ("points.npy", lambda path: path.write_text("1,2\n3,4\n"), None, "path", "cannot be read"),
    "empty": ("points.npy", lambda path: path.write_bytes(b""), None, "path", "cannot be read"),
    "damaged": ("points.npy", damaged, None, "path", "cannot be read"),
    "damaged_archive": ("points.npz", damaged_archive, None, "path", "cannot be read"),
    "flipped_bit": ("points.npz", flipped_archive, None, "path", "cannot be read"),
    "scalar": ("points.npy", saved(np.array(3.0)), None, "path", "has shape []"),
    "one_axis": (
        "points.npy",
        saved(np.ones(7)),
        None,
        "path",
        "save array.reshape(-1, 1)",
    ),
    "channels_first": ("points.npy", saved(np.ones((4, 3, 5, 5))), None, "path", "save array.transpose(0, 2, 3, 1)"),
    "channels": ("points.npy", saved(np.ones((4, 5, 5, 2))), None, "path", "save array.reshape(len(array), -1)"),
    "volumes": ("points.npy", saved(np.ones((4, 2, 3, 2, 3))), None, "path", "save array.reshape(len(array), -1)"),
    "objects": ("points.npy", saved(np.array([[1, None]], object)), None, "path", "Python objects"),
    "object_archive": (
        "points.npz",
        lambda path: np.savez(path, a=np.array([[1, None]], object)),
        None,
        "path",
        "Python objects",
    ),
    "words": ("points.npy", saved(np.array([["a", "b"]])), None, "path", "not real numbers"),
    "complex": ("points.npy", saved(np.ones((4, 2), complex)), None, "path", "complex128"),
    "flags": ("points.npy", saved(np.ones((4, 2), bool)), None, "path", "bool"),
    "not_finite": ("points.npy", saved(BAD), None, "path", "in 2 of 5 rows (the first: row 1, column 0: nan)"),
    "too_large": (
        "points.npy",
        saved(np.array([[1.0], [2.0], [3.0], [1e300]])),
        None,
        "path",
        "in 1 of 4 rows (the first: row 3, column 0: 1e+300, too large for float32)",
    ),
    "text_inside": ("points.npz", text_inside, None, "path", "a file named 'notes.txt' that is no array"),
    "one_row": ("points.npy", saved(np.ones((1, 2))), None, "path", "has shape [1, 2]"),
    "no_rows": ("points.npy", saved(np.ones((0, 2))), None, "path", "at least 4 rows"),
    "one_point": ("points.npy", saved(np.ones((6, 2))), None, "path", "one point 6 times"),
    "transposed": ("points.npy", saved(np.ones((2, 1000))), None, "path", "array.T"),
    "no_columns": ("points.npy", saved(np.ones((4, 0))), None, "path", "1 column"),
    "several": ("points.npz", two_arrays, None, "key", "latents, labels"),
    "unknown_key": ("points.npz", two_arrays, "points", "key", "latents, labels"),
    "no_arrays": ("points.npz", lambda path: np.savez(path), None, "path", "without arrays"),
    "key_of_npy": ("points.npy", saved(np.ones((4, 2))), "points", "key", "leave it null"),
}


def test_rows_and_their_standardisation_are_told_and_columns_of_unlike_spread(tmp_path):
    rows = np.random.default_rng(0).normal(size=(90, 3))
    np.save(tmp_path / "points.npy", rows)
    np.save(tmp_path / "unlike.npy", np.c_[rows * [0.01, 300, 1], np.ones(90)])
    (line,) = loaded(tmp_path / "points.npy").introduction()
    assert all(words in line for words in ("72 training", "18 held-out", "3 columns", "standardise=none"))
    _, constant, unlike = loaded(tmp_path / "unlike.npy", standardise="scale").introduction()
    assert "1 of 4 columns" in constant
    assert all(words in unlike for words in ("0.01", "e+02", "dataset.standardise=coordinates"))
    assert len(loaded(tmp_path / "unlike.npy", standardise="coordinates").introduction()) == 2


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_cannot_be_used_is_refused_by_field_and_fix(tmp_path, case):
    name, write, key, field, fix = WRONG[case]
    path = tmp_path / name
    write(path)
    with pytest.raises(FieldError) as refused:
        loaded(path, key)
    assert refused.value.name == field
    assert fix in refused.value.fix
    assert refused.value.value == {"path": str(path), "key": key or "null"}[field]
    assert "\n" not in str(refused.value)


def test_a_missing_path_says_what_to_set():
    with pytest.raises(FieldError) as refused:
        ArrayTarget(None, None, 0.2, 0)
    assert str(refused.value) == (
        "path=null: set dataset.path=your.csv (docs/own_data.md), or .npy with an array [N d]"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("held_out_fraction", 0.0),
        ("held_out_fraction", 1.0),
        ("held_out_fraction", "a"),
        ("split_seed", -1),
        ("split_seed", 0.5),
    ],
)
def test_a_split_that_cannot_be_made_is_refused(file, field, value):
    with pytest.raises(FieldError) as refused:
        loaded(file, **{field: value})
    assert refused.value.name == field


class Bomb:
    """An object that makes a folder where it is read by pickle."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_file_with_objects_in_it_is_refused_before_any_of_them_is_made(tmp_path):
    np.save(tmp_path / "points.npy", np.array([Bomb(tmp_path / "made")] * 4, dtype=object), allow_pickle=True)
    with pytest.raises(FieldError) as refused:
        loaded(tmp_path / "points.npy")
    assert refused.value.name == "path"
    assert not (tmp_path / "made").exists()
