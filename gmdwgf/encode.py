"""`python -m gmdwgf.encode IN OUT`: a folder of images, or an array of them, to a latent file (docs/latents.md).

Every image is made grey and 28 x 28 as the digits of MNIST are: ink bright, the digit's box fitted into 20 x 20 pixels, its
centre of mass in the middle. Files that cannot be read are named, one a line; the others are encoded.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

_BOX, _SIDE = 20, 28
_INK = 0.05
"""Grey values below this are paper."""


class Refused(Exception):
    """One line for the user."""


def as_digit(image: Image.Image) -> np.ndarray:
    """An image of any size and mode as `[28 28]` grey values in 0..1, laid out as MNIST's are."""
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    grey = np.asarray(image.convert("F") if image.mode.startswith("I") else image.convert("L"), np.float32)
    return arranged(grey)


def arranged(grey: np.ndarray) -> np.ndarray:
    """Grey values `[h w]` of any range as `[28 28]`; a picture whose border is bright is taken for ink on paper and inverted."""
    low, high = float(grey.min()), float(grey.max())
    grey = (grey - low) / (high - low) if high > low else np.zeros_like(grey)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.median(border) > 0.5:
        grey = 1 - grey
    if grey.shape == (_SIDE, _SIDE):
        return grey
    rows, columns = (np.flatnonzero((grey > _INK).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return np.zeros((_SIDE, _SIDE), np.float32)
    return _centred(_fitted(grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]))


def _fitted(grey: np.ndarray) -> np.ndarray:
    """Its longer side 20 pixels, the other in proportion."""
    height, width = (max(1, round(_BOX * side / max(grey.shape))) for side in grey.shape)
    way = Image.Resampling.BOX if max(grey.shape) > _BOX else Image.Resampling.BILINEAR
    resized = Image.fromarray(grey).resize((width, height), way)
    return np.asarray(resized)


def _centred(grey: np.ndarray) -> np.ndarray:
    """On 28 x 28 pixels of paper with the centre of mass in the middle, as nearly as whole pixels and the frame allow."""
    canvas = np.zeros((_SIDE, _SIDE), np.float32)
    mass = max(float(grey.sum()), 1e-6)
    corner = [
        int(
            np.clip(round((_SIDE - 1) / 2 - float((grey.sum(axis=1 - axis) * np.arange(n)).sum()) / mass), 0, _SIDE - n)
        )
        for axis, n in enumerate(grey.shape)
    ]
    canvas[corner[0] : corner[0] + grey.shape[0], corner[1] : corner[1] + grey.shape[1]] = grey
    return canvas


def images_of_folder(folder: Path) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """Images `[N 28 28]`, labels where they lie in one folder a class (classes in the order of their names), and complaints."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    images, parents, complaints = [], [], []
    for path in files:
        try:
            with Image.open(path) as image:
                images.append(as_digit(image))
            parents.append(path.parent.relative_to(folder))
        except Exception as error:  # Pillow raises whatever the damage leads to
            what = (
                "is not an image" if type(error).__name__ == "UnidentifiedImageError" else f"cannot be read ({error})"
            )
            complaints.append(f"{path}: {' '.join(what.split())[:120]}; left out")
    if not images:
        raise Refused(f"{folder}: no image in it that can be read")
    classes = sorted(set(parents))
    labels = None if Path() in classes or len(classes) < 2 else np.array([classes.index(parent) for parent in parents])
    return np.stack(images), labels, complaints


def images_of_array(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Images `[N 28 28]` and labels of an array `[N h w]`, `[N h w 1]` or `[N h w 3]`; in an `.npz` file `images`, `labels`."""
    try:
        loaded = np.load(path, allow_pickle=False)
        labels = None
        if not isinstance(loaded, np.ndarray):
            name = "images" if "images" in loaded.files else loaded.files[0]
            labels, loaded = loaded["labels"] if "labels" in loaded.files else None, loaded[name]
    except Exception as error:
        raise Refused(f"{path}: cannot be read, perhaps damaged ({' '.join(str(error).split())[:100]})") from error
    images = loaded.mean(axis=-1) if loaded.ndim == 4 and loaded.shape[-1] in (1, 3) else loaded
    if images.ndim != 3 or 0 in images.shape or not np.issubdtype(images.dtype, np.number):
        raise Refused(
            f"{path}: is {loaded.dtype} of shape {list(loaded.shape)}, not images [N h w], [N h w 1] or [N h w 3]"
        )
    return np.stack([arranged(image.astype(np.float32)) for image in images]), labels


def encode_to(images: np.ndarray, labels: np.ndarray | None, out: Path) -> None:
    """Encode `[N 28 28]` grey values and write the latent file."""
    import jax

    from gmdwgf.features import latent_files, shipped
    from gmdwgf.features.digits import ENCODER, encode

    weights, run = shipped.load(shipped.VAE)["encoder"], jax.jit(encode)
    batches = [run(weights, images[start : start + 256, ..., None]) for start in range(0, len(images), 256)]
    mean, log_var = (np.concatenate([np.asarray(batch[k]) for batch in batches]) for k in (0, 1))
    out.parent.mkdir(parents=True, exist_ok=True)
    latent_files.write(out, mean, log_var, labels, encoder=ENCODER, sha256=shipped.sha256(shipped.VAE))


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m gmdwgf.encode", description=(__doc__ or "").split("\n\n", 1)[1])
    parser.add_argument(
        "input", type=Path, help="folder of images (one folder a class makes labels), or .npy or .npz file"
    )
    parser.add_argument("output", type=Path, help="latent file, .npz or .npy")
    options = parser.parse_args(arguments)
    try:
        if options.output.suffix not in (".npz", ".npy"):
            raise Refused(f"{options.output}: must end in .npz or .npy")
        if options.input.is_dir():
            images, labels, complaints = images_of_folder(options.input)
        elif options.input.suffix in (".npz", ".npy") and options.input.is_file():
            (images, labels), complaints = images_of_array(options.input), []
        else:
            raise Refused(f"{options.input}: is neither a folder nor a .npy or .npz file")
        for complaint in complaints:
            print(f"gmdwgf: {complaint}", file=sys.stderr)  # noqa: T201
        encode_to(images, labels, options.output)
    except Refused as refused:
        print(f"gmdwgf: {refused}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    n_classes = "no labels" if labels is None else f"{len(np.unique(labels))} classes"
    print(f"{options.output}: {len(images)} latents, {n_classes}, {len(complaints)} files left out")  # noqa: T201


if __name__ == "__main__":
    main()
