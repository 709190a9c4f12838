"""`python -m gmdwgf.encode` as a user meets it: folders with all kinds of files, arrays, one-line complaints, what is lost."""

import functools
import os
import resource
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from gmdwgf import encode
from gmdwgf.data import latent_files, picture_files, shipped
from gmdwgf.features import reconstruction
from gmdwgf.features.digits import DigitFeatures
from tests.conftest import user_environment


@functools.cache
def digit(label=3):
    """A real held-out digit as the decoder draws it, `[28 28]`."""
    file = latent_files.read_latents(shipped.LATENTS)
    row = np.flatnonzero(file.held_out & (file.labels == label))[:1]
    return np.asarray(DigitFeatures(scale=1.0).decode(jnp.asarray(file.points(row)[0])))[0, :, :, 0]


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "gmdwgf.encode", *map(str, arguments)],
        cwd=cwd,
        env=user_environment(cwd),
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_a_folder_of_200_pictures_with_two_broken_and_one_no_picture_loses_nothing(tmp_path):
    rng, folder, modes = np.random.default_rng(0), tmp_path / "mine", ["L", "RGB", "RGBA", "P", "1", "I;16", "LA"]
    folder.mkdir()
    grey = Image.fromarray((255 * digit()).astype(np.uint8))
    for k in range(200):
        image = grey.resize(tuple(rng.integers(9, 90, 2).tolist()))
        mode = modes[k % len(modes)]
        image = Image.fromarray(np.asarray(image, np.uint16) * 257) if mode == "I;16" else image.convert(mode)
        image.save(folder / f"{k:03}.png")
    content = (folder / "017.png").read_bytes()
    (folder / "017.png").write_bytes(content[: len(content) // 2])
    (folder / "101.png").write_bytes(b"")
    (folder / "notes.txt").write_text("not a picture")
    done = run(folder, "out/mine.npz", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "out/mine.npz: 198 latents, no labels, 3 files left out"
    complaints = done.stderr.splitlines()
    assert [name for name in ("017.png", "101.png", "notes.txt") for line in complaints if name in line] == [
        "017.png",
        "101.png",
        "notes.txt",
    ]
    assert len(complaints) == 3, done.stderr
    file = latent_files.read_latents(tmp_path / "out/mine.npz")
    assert file.rows.shape == (198, 16)
    assert np.isfinite(file.points(slice(None))[0]).all()
    assert (file.encoder, file.sha256) == ("digits", shipped.sha256(shipped.VAE))


@pytest.mark.slow
def test_a_digit_is_known_again_at_any_size_and_in_ink_on_paper():
    grey = Image.fromarray((255 * digit()).astype(np.uint8))
    shown = [grey, grey.resize((200, 200)), Image.fromarray(255 - np.asarray(grey.resize((90, 90)))).convert("RGB")]
    images = jnp.asarray(np.stack([picture_files.as_digit(image) for image in shown])[..., None])
    logits = DigitFeatures(scale=1.0).classify(images)["logits"]
    assert np.argmax(logits, axis=1).tolist() == [3, 3, 3]


@pytest.mark.thorough
def test_folders_of_classes_and_arrays_become_labels(tmp_path):
    for name in ("three", "seven"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for k in range(2):
            Image.fromarray((255 * digit()).astype(np.uint8)).save(tmp_path / "set" / name / f"{k}.png")
    found = picture_files.images_of_folder(tmp_path / "set")
    assert (found.labels.tolist(), found.complaints, found.classes) == ([0, 0, 1, 1], [], ["seven", "three"])
    np.savez(
        tmp_path / "a.npz",
        images=np.random.default_rng(0).integers(0, 256, (4, 20, 30, 3), np.uint8),
        labels=[1, 0, 1, 0],
    )
    found = picture_files.images_of_array(tmp_path / "a.npz")
    assert found.images.shape == (4, 28, 28)
    assert found.labels.tolist() == [1, 0, 1, 0]


def test_a_blank_picture_is_a_blank_picture():
    assert picture_files.arranged(np.full((40, 9), 0.7, np.float32)).tolist() == np.zeros((28, 28)).tolist()


def save(path, picture=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((255 * (digit() if picture is None else picture)).astype(np.uint8)).save(path)


def test_a_stray_picture_beside_class_folders_is_named_and_labels_are_kept(tmp_path):
    for name in ("b/1.png", "b/2.png", "a/1.png", "stray.png"):
        save(tmp_path / name)
    found = picture_files.images_of_folder(tmp_path)
    assert (found.labels.tolist(), found.classes) == ([0, 1, 1], ["a", "b"])
    assert found.names == [str(tmp_path / name) for name in ("a/1.png", "b/1.png", "b/2.png")]
    assert found.complaints == [
        f"{tmp_path}/stray.png: lies beside class folders and so has no class; left out",
    ]


def test_folders_that_are_not_read_are_named(tmp_path):
    for name in ("a/1.png", "a/old/2.png", "b/1.png", "c/x/1.png"):
        save(tmp_path / name)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "notes.txt").write_text("no picture")
    (tmp_path / "link.png").symlink_to("nowhere.png")
    found = picture_files.images_of_folder(tmp_path)
    assert found.labels.tolist() == [0, 1]
    assert found.complaints == [
        f"{tmp_path}/link.png: is neither a file nor a folder, perhaps a broken link; left out",
        f"{tmp_path}/a/old: is a folder inside of a class folder, which is not read; left out",
        f"{tmp_path}/c/x: is a folder inside of a class folder, which is not read; left out",
        f"{tmp_path}/d/notes.txt: is not an image; left out",
        f"{tmp_path}/d: no picture in it that can be read; it is no class",
    ]
    with pytest.raises(picture_files.Refused, match="its folders have folders of their own"):
        picture_files.images_of_folder(nested(tmp_path))


def nested(folder):
    save(folder / "deep" / "train" / "a" / "1.png")
    return folder / "deep"


def test_one_folder_beside_pictures_is_no_class(tmp_path):
    for name in ("1.png", "2.png", "old/3.png"):
        save(tmp_path / name)
    found = picture_files.images_of_folder(tmp_path)
    assert (len(found.images), found.labels) == (2, None)
    assert found.complaints == [f"{tmp_path}/old: is a folder beside pictures, which is not read; left out"]
    one = picture_files.images_of_folder(tmp_path / "old")
    assert (len(one.images), one.labels, one.complaints) == (1, None, [])


def test_a_picture_with_nan_is_left_out_and_named(tmp_path):
    save(tmp_path / "1.png")
    Image.fromarray(np.full((9, 9), np.nan, np.float32)).save(tmp_path / "2.tiff")
    found = picture_files.images_of_folder(tmp_path)
    assert len(found.images) == 1
    assert found.complaints == [f"{tmp_path}/2.tiff: cannot be read (pixel [0, 0] is nan); left out"]


def with_pixel(value, dtype=np.float64):
    images = np.random.default_rng(0).random((5, 9, 9)).astype(dtype)
    images[3, 4, 5] = value
    return images


IMAGES = np.random.default_rng(0).random((5, 9, 9))
# Arrays of the .npz file (or the array of a .npy file), and what is said of them.
BAD_ARRAYS = {
    "nan": (with_pixel(np.nan), "pixel [4, 5] of image 3 is nan, not in 0..1 or 0..255; repair or leave out the image"),
    "infinite": (with_pixel(np.inf), "pixel [4, 5] of image 3 is inf"),
    "negative": (with_pixel(-0.5), "pixel [4, 5] of image 3 is -0.5, not in 0..1 or 0..255; scale all images"),
    "large": (with_pixel(256), "pixel [4, 5] of image 3 is 256"),
    "negative_int": (with_pixel(-1, np.int64), "pixel [4, 5] of image 3 is -1"),
    "complex": (IMAGES * 1j, "is complex128 of shape [5, 9, 9], not images"),
    "words": (np.full((5, 9, 9), "a"), "is <U1 of shape [5, 9, 9], not images"),
    "empty": (np.ones((0, 9, 9)), "of shape [0, 9, 9], not images"),
    "blank": (np.full((3, 9, 9), 0.5), "of one grey value, as all 3 pictures are; there is nothing to encode"),
    "objects": (np.array([[[None]]], object), "holds Python objects"),
    "few_labels": ({"images": IMAGES, "labels": np.arange(4)}, "labels have shape [4], not [5], one a row"),
    "negative_label": ({"images": IMAGES, "labels": np.arange(5) - 1}, "row 0 has label -1"),
    "half_label": ({"images": IMAGES, "labels": np.arange(5) / 2}, "row 1 has label 0.5"),
    "words_for_labels": ({"images": IMAGES, "labels": list("abcde")}, "labels are <U1, not integers"),
    "several": ({"x": IMAGES, "y": IMAGES}, "has arrays x, y; call the one of the pictures 'images'"),
    "labels_alone": ({"labels": np.arange(5)}, "has arrays labels; call"),
    "no_arrays": ({}, "has arrays none; call"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_an_array_that_holds_no_pictures_is_refused_by_image_and_pixel(tmp_path, monkeypatch, capsys, case):
    monkeypatch.chdir(tmp_path)
    arrays, says = BAD_ARRAYS[case]
    name = "in.npz" if isinstance(arrays, dict) else "in.npy"
    np.savez(name, **arrays) if isinstance(arrays, dict) else np.save(name, arrays)
    line = refusal([name, "out.npz"], capsys)
    assert line.startswith("gmdwgf: image 0: " if case == "blank" else f"gmdwgf: {name}: ")
    assert says in line
    assert os.listdir() == [name]


@pytest.mark.parametrize("images", [IMAGES > 0.5, (9 * IMAGES).astype(np.int64), (60_000 * IMAGES).astype(np.uint16)])
def test_any_type_of_grey_values_is_read(tmp_path, images):
    np.save(tmp_path / "a.npy", images)
    found = picture_files.images_of_array(tmp_path / "a.npy").images
    expected = np.stack([picture_files.arranged(image.astype(np.float32)) for image in images])
    np.testing.assert_array_equal(found, expected)


def test_blank_pictures_and_classes_without_pictures_are_said(tmp_path):
    images = np.stack([digit(), np.full((28, 28), 0.3), digit(5)])
    np.savez(tmp_path / "a.npz", images=images, labels=[0, 2, 2])
    assert picture_files.notes_on(picture_files.images_of_array(tmp_path / "a.npz")) == [
        "image 1: of one grey value, as are 1 pictures in all; encoded as blank ones",
        "labels: 1 of the classes 0 to 2 have no picture (the first: 1); dataset.labels=true will not take them",
    ]


def refusal(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        encode.main(arguments)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gmdwgf: ")
    return line


@pytest.mark.parametrize(
    ("source", "out", "says"),
    [
        ("nowhere", "a.npz", "nowhere: is neither a folder nor"),
        ("empty", "a.npz", "empty: no image in it that can be read"),
        ("flat.npy", "a.npz", "flat.npy: is float64 of shape [7], not images"),
        ("broken.npy", "a.npz", "broken.npy: cannot be read"),
        ("empty", "a.txt", "a.txt: must end in .npz or .npy"),
    ],
)
def test_what_cannot_be_encoded_is_one_line(tmp_path, monkeypatch, capsys, source, out, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    np.save(tmp_path / "flat.npy", np.ones(7))
    (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY")
    assert says in refusal([source, out], capsys)


OUTPUTS = {
    "itself": ("in.npy", "in.npy", "in.npy: is the input, which would be overwritten"),
    "by_another_way": ("in.npy", "set/../in.npy", "is the input"),
    "symlink": ("in.npy", "soft.npy", "soft.npy: is the input"),
    "hard_link": ("in.npy", "hard.npy", "hard.npy: is the input"),
    "from_a_symlink": ("soft.npy", "in.npy", "in.npy: is the input"),
    "as_labels": ("x.labels.npy", "x.npy", "x.labels.npy: is the input"),
    "in_the_folder": ("set", "set/out.npz", "set/out.npz: lies in set, which is read for pictures"),
    "in_a_class": ("set", "set/a/out.npz", "lies in set, which is read for pictures"),
    "in_a_new_class": ("set", "set/new/out.npz", "lies in set, which is read for pictures"),
    "in_the_folder_by_link": ("set", "way/out.npz", "way/out.npz: lies in set"),
    "in_a_linked_class": ("set", "elsewhere/out.npz", "elsewhere/out.npz: lies in set/b, which is read for pictures"),
    "a_folder": ("in.npy", "folder.npz", "folder.npz: is a folder"),
    "beside_a_folder": ("in.npy", "taken.npy", "taken.json: is a folder"),
    "other_json": ("in.npy", "mine.npy", "mine.json: is there already and was not written with mine.npy"),
    "other_labels": ("in.npy", "y.npy", "y.labels.npy: is there already"),
    "suffix": ("in.npy", "out.NPZ", "out.NPZ: must end in .npz or .npy"),
    "no_suffix": ("in.npy", "out", "out: must end in .npz or .npy"),
    "parent_is_a_file": ("in.npy", "in.npy/out.npz", "cannot be written (Not a directory)"),
    "long_name": ("in.npy", "a" * 300 + ".npz", "File name too long"),
    "long_path": ("in.npy", "a/" * 3000 + "a.npz", "File name too long"),
    "long_input": ("a" * 5000, "out.npz", "File name too long"),
    "nul_input": ("a\0b.npy", "out.npz", "a\\x00b.npy: is neither a folder nor"),
    "closed_folder": ("in.npy", "/proc/out.npz", "/proc/out.npz: cannot be written ("),
}


@pytest.mark.parametrize("case", OUTPUTS)
def test_what_may_not_be_written_is_refused_before_the_work_and_nothing_is_changed(tmp_path, monkeypatch, capsys, case):
    monkeypatch.chdir(tmp_path)
    np.save("in.npy", IMAGES)
    np.save("x.labels.npy", IMAGES)
    np.save("y.labels.npy", IMAGES)
    (tmp_path / "soft.npy").symlink_to("in.npy")
    (tmp_path / "hard.npy").hardlink_to("in.npy")
    save(tmp_path / "set/a/1.png")
    save(tmp_path / "elsewhere/1.png")
    (tmp_path / "set/b").symlink_to("../elsewhere")
    (tmp_path / "way").symlink_to("set")
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "taken.json").mkdir()
    (tmp_path / "mine.json").write_text('{"title": "my own"}')
    tree = lambda: {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    before = tree()
    source, out, says = OUTPUTS[case]
    monkeypatch.setattr(encode, "read", None)  # the work is not begun
    line = refusal([source, out], capsys)
    assert says in line
    assert len(line) < 500
    assert tree() == before


@pytest.mark.parametrize("name", ["out.npz", "out.npy"])
def test_a_disk_without_room_is_said_before_the_work(tmp_path, monkeypatch, capsys, name):
    """A limit on the size of files stands for the full disk: the system refuses both alike."""
    monkeypatch.chdir(tmp_path)
    np.save("in.npy", np.random.default_rng(0).random((200, 9, 9)))
    monkeypatch.setattr(encode, "encode_to", None)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(SystemExit):
            encode.main(["in.npy", name])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert capsys.readouterr().err == f"gmdwgf: {name}: cannot be written (File too large); nothing was written\n"
    assert os.listdir() == ["in.npy"]


@pytest.mark.slow
def test_latents_are_replaced_by_those_of_other_pictures_with_what_lies_beside_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", images=np.stack([digit(k) for k in (0, 1, 2)]), labels=[0, 1, 2])
    np.save("b.npy", np.stack([digit(k) for k in (3, 4)]))
    encode.main(["a.npz", "out.npy"])
    encode.main(["b.npy", "out.npy"])
    assert latent_files.read_latents("out.npy").labels is None
    encode.main(["a.npz", "out.npy"])
    file = latent_files.read_latents("out.npy")
    assert (file.rows.shape, file.labels.tolist()) == ((3, 32), [0, 1, 2])
    assert sorted(os.listdir()) == ["a.npz", "b.npy", "out.json", "out.labels.npy", "out.npy"]
    assert capsys.readouterr().err == ""


def face(rng):
    """A bright oval with eyes and a mouth, `[64 64]`."""
    x, y = np.meshgrid(np.arange(64) / 64, np.arange(64) / 64)
    oval = lambda cx, cy, w, h: ((x - cx) / w) ** 2 + ((y - cy) / h) ** 2 < 1
    cx, cy = 0.5 + rng.normal(0, 0.03, 2)
    picture = np.where(oval(cx, cy, rng.uniform(0.28, 0.36), rng.uniform(0.36, 0.45)), 0.85, rng.uniform(0.1, 0.4))
    picture[oval(cx - 0.13, cy - 0.1, 0.05, 0.03) | oval(cx + 0.13, cy - 0.1, 0.05, 0.03)] = 0.15
    picture[oval(cx, cy + 0.2, 0.12, 0.03)] = 0.3
    return picture + rng.normal(0, 0.02, picture.shape)


def printed(letter, size):
    image = Image.new("L", (64, 64), 255)
    ImageDraw.Draw(image).text((10, 5), letter, font=ImageFont.load_default(size), fill=0)
    return np.asarray(image, np.float32)


def pictures_of(kind):
    rng = np.random.default_rng(0)
    if kind == "printed digits":
        return [printed(letter, size) for letter in "0123456789" for size in (20, 30, 40)]
    if kind == "decoded digits":
        return [digit(label) for label in range(10)]
    slopes = np.meshgrid(np.linspace(0, 1, 28), np.linspace(0, 1, 28))
    made = {
        "noise": lambda: rng.random((28, 28)),
        "smooth noise": lambda: rng.random((60, 60)),
        "sparse noise": lambda: rng.random((28, 28)) < 0.1,
        "gradients": lambda: sum(factor * slope for factor, slope in zip(rng.normal(size=2), slopes, strict=True)),
        "faces": lambda: face(rng),
    }
    return [made[kind]() for _ in range(40)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "is_lost"),
    [
        ("printed digits", False),
        ("decoded digits", False),
        ("noise", True),
        ("smooth noise", True),
        ("sparse noise", True),
        ("gradients", True),
        ("faces", True),
    ],
)
def test_pictures_that_the_encoder_cannot_represent_are_warned_of_and_digits_are_not(kind, is_lost):
    images = np.stack([picture_files.arranged(np.asarray(picture, np.float32)) for picture in pictures_of(kind)])
    names = [f"image {k}" for k in range(len(images))]
    lines, warned = reconstruction.report(reconstruction.encoded(images), None, names, [])
    assert [line.partition(":")[0] for line in warned] == [f"all {len(images)} pictures"] * is_lost
    assert all("use another encoder" in line for line in warned)
    assert lines[0].endswith(f"of digits {reconstruction.error_of_digits():.2f}):")
    assert len(lines) == 2 + (len(images) if len(images) <= 20 else 5)


@pytest.mark.thorough
def test_of_a_class_that_is_lost_the_class_is_warned_of_and_its_pictures_are_the_worst():
    digits, noise = pictures_of("printed digits"), pictures_of("noise")[:3]
    images = np.stack([picture_files.arranged(np.asarray(picture, np.float32)) for picture in [*(5 * digits), *noise]])
    labels, names = np.repeat([0, 1], [150, 3]), [f"image {k}" for k in range(153)]
    lines, warned = reconstruction.report(reconstruction.encoded(images), labels, names, ["good", "bad"])
    assert [line.partition(":")[0] for line in warned] == ["bad"]
    assert [line.split("  ")[-1] for line in lines[1:4]] == ["all 153 pictures", "good", "bad"]
    assert {line.split("  ")[-1] for line in lines[4:7]} == {"image 150", "image 151", "image 152"}


@pytest.mark.thorough
def test_what_is_lost_of_digits_is_what_was_measured_of_them():
    lost = shipped.provenance()["held_out"]["reconstruction_mse"]
    assert 0.15 < reconstruction.error_of_digits() < 0.25
    assert lost / reconstruction.error_of_digits() == pytest.approx(0.085, abs=0.005)  # variance of MNIST's pixels
