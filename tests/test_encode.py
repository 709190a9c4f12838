"""`python -m gmdwgf.encode` as a user meets it: folders with all kinds of files, arrays, one-line complaints."""

import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gmdwgf import encode
from gmdwgf.features import latent_files, shipped
from gmdwgf.features.digits import DigitFeatures
from tests.conftest import user_environment


def digit(label=3):
    """A real held-out digit as the decoder draws it, `[28 28]`."""
    file = latent_files.read(shipped.LATENTS)
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
    assert done.stdout == "out/mine.npz: 198 latents, no labels, 3 files left out\n"
    complaints = done.stderr.splitlines()
    assert [name for name in ("017.png", "101.png", "notes.txt") for line in complaints if name in line] == [
        "017.png",
        "101.png",
        "notes.txt",
    ]
    assert len(complaints) == 3
    file = latent_files.read(tmp_path / "out/mine.npz")
    assert file.rows.shape == (198, 16)
    assert np.isfinite(file.points(slice(None))[0]).all()
    assert (file.encoder, file.sha256) == ("digits", shipped.sha256(shipped.VAE))


def test_a_digit_is_known_again_at_any_size_and_in_ink_on_paper():
    grey = Image.fromarray((255 * digit()).astype(np.uint8))
    shown = [grey, grey.resize((200, 200)), Image.fromarray(255 - np.asarray(grey.resize((90, 90)))).convert("RGB")]
    images = jnp.asarray(np.stack([encode.as_digit(image) for image in shown])[..., None])
    logits = DigitFeatures(scale=1.0).classify(images)["logits"]
    assert np.argmax(logits, axis=1).tolist() == [3, 3, 3]


def test_folders_of_classes_and_arrays_become_labels(tmp_path):
    for name in ("three", "seven"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for k in range(2):
            Image.fromarray((255 * digit()).astype(np.uint8)).save(tmp_path / "set" / name / f"{k}.png")
    _, labels, complaints = encode.images_of_folder(tmp_path / "set")
    assert (labels.tolist(), complaints) == ([0, 0, 1, 1], [])
    np.savez(
        tmp_path / "a.npz",
        images=np.random.default_rng(0).integers(0, 256, (4, 20, 30, 3), np.uint8),
        labels=[1, 0, 1, 0],
    )
    images, labels = encode.images_of_array(tmp_path / "a.npz")
    assert images.shape == (4, 28, 28)
    assert labels.tolist() == [1, 0, 1, 0]


def test_a_blank_picture_is_a_blank_picture():
    assert encode.arranged(np.full((40, 9), 0.7, np.float32)).tolist() == np.zeros((28, 28)).tolist()


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
    with pytest.raises(SystemExit) as ended:
        encode.main([source, out])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gmdwgf: ")
    assert says in line
