"""Read the input of `python -m gmdwgf.encode`, a folder or an array of images, and normalise it like MNIST digits."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

_BOX, _SIDE = 20, 28
_INK = 0.05
"""Grey values below this are background."""


class Refused(Exception):
    """Raised with a one-line message for the user."""


class Pictures(NamedTuple):
    """Images normalised like MNIST digits."""

    images: np.ndarray
    """Grey values `[N 28 28]` in 0..1."""
    labels: np.ndarray | None
    """`[N]`, classes 0, 1, ..."""
    complaints: list[str]
    """One line for each skipped file or folder."""
    names: list[str]
    """Name of each image."""
    classes: list[str]
    """Name of each class; empty without labels."""


def as_digit(image: Image.Image) -> np.ndarray:
    """Convert an image of any size and mode to `[28 28]` grey values in 0..1, normalised like MNIST digits."""
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    grey = np.asarray(image.convert("F") if image.mode.startswith(("I", "F")) else image.convert("L"), np.float32)
    return arranged(grey)


def arranged(grey: np.ndarray) -> np.ndarray:
    """Convert grey values `[h w]` of any range to `[28 28]`; images with a bright border are inverted."""
    if not np.isfinite(grey).all():
        row, column = np.argwhere(~np.isfinite(grey))[0].tolist()
        raise ValueError(f"pixel [{row}, {column}] is {grey[row, column]}")
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
    """Resize so that the longer side has 20 pixels."""
    height, width = (max(1, round(_BOX * side / max(grey.shape))) for side in grey.shape)
    way = Image.Resampling.BOX if max(grey.shape) > _BOX else Image.Resampling.BILINEAR
    resized = Image.fromarray(grey).resize((width, height), way)
    return np.asarray(resized)


def _centred(grey: np.ndarray) -> np.ndarray:
    """Place on a background of 28 x 28 pixels with the centre of mass in the middle, up to whole pixels and the frame."""
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


def images_of_folder(folder: Path) -> Pictures:
    """Read the images of a folder, or of its subfolders, which then are classes in the order of their names.

    Subfolders are classes if there are at least two, or nothing else; images next to them have no class and are skipped. Folders
    inside class folders are not read.
    """
    complaints: list[str] = []
    beside, folders = _entries(folder, complaints)
    alone = _pictures(beside, complaints)
    inside = {}
    for one in folders:
        files, nested = _entries(one, complaints)
        found = _pictures(files, complaints)
        complaints += [f"{path}: is a folder inside of a class folder, which is not read; left out" for path in nested]
        if found:
            inside[one.name] = found
        elif files:
            complaints.append(f"{one}: no picture in it that can be read; it is no class")
    if len(inside) >= 2 or not alone:
        complaints += [f"{path}: lies beside class folders and so has no class; left out" for path, _ in alone]
        found = [pair for pairs in inside.values() for pair in pairs]
    else:
        complaints += [f"{folder / name}: is a folder beside pictures, which is not read; left out" for name in inside]
        found, inside = alone, {}
    if not found:
        deeper = "; its folders have folders of their own: give one that holds pictures or class folders"
        raise Refused(
            f"{folder}: no image in it that can be read{deeper if any('inside of' in c for c in complaints) else ''}"
        )
    names = list(inside) if len(inside) >= 2 else []
    labels = np.repeat(np.arange(len(names)), [len(inside[name]) for name in names]) if names else None
    return Pictures(
        np.stack([image for _, image in found]), labels, complaints, [str(path) for path, _ in found], names
    )


def _entries(folder: Path, complaints: list[str]) -> tuple[list[Path], list[Path]]:
    """Files and subfolders of a folder, sorted by name, without hidden ones."""
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    files, folders = [path for path in entries if path.is_file()], [path for path in entries if path.is_dir()]
    others = sorted(set(entries) - set(files) - set(folders))
    complaints += [f"{path}: is neither a file nor a folder, perhaps a broken link; left out" for path in others]
    return files, folders


def _pictures(files: list[Path], complaints: list[str]) -> list[tuple[Path, np.ndarray]]:
    """Read the files that are valid images."""
    found = []
    for path in files:
        try:
            with warnings.catch_warnings(), Image.open(path) as image:
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                found.append((path, as_digit(image)))
        except Exception as error:  # a damaged file can raise any error
            what = (
                "is not an image" if type(error).__name__ == "UnidentifiedImageError" else f"cannot be read ({error})"
            )
            complaints.append(f"{path}: {' '.join(what.split())[:120]}; left out")
    return found


def images_of_array(path: Path) -> Pictures:
    """Read images from an array `[N h w]`, `[N h w 1]` or `[N h w 3]`; in an `.npz` file `images` and, optionally, `labels`."""
    from gmdwgf.config.fields import FieldError
    from gmdwgf.data import array_files, latent_files

    labels = None
    with array_files.reading(path), path.open("rb") as stream:
        loaded = np.load(stream, allow_pickle=False)
        if not isinstance(loaded, np.ndarray):
            names = [name for name in loaded.files if name != "labels"]
            if "images" not in names and len(names) != 1:
                there = ", ".join(loaded.files) or "none"
                raise FieldError("path", path, f"has arrays {there}; call the one of the pictures 'images'")
            labels = array_files.member(loaded, "labels", path) if "labels" in loaded.files else None
            loaded = array_files.member(loaded, "images" if "images" in names else names[0], path)
    has_channels = loaded.ndim == 4 and loaded.shape[-1] in (1, 3)
    if not (loaded.ndim == 3 or has_channels) or 0 in loaded.shape or loaded.dtype.kind not in "biuf":
        raise Refused(
            f"{path}: is {loaded.dtype} of shape {list(loaded.shape)}, not images [N h w], [N h w 1] or [N h w 3]"
        )
    _check_pixels(loaded, path)
    try:
        labels = None if labels is None else latent_files.classes(labels, len(loaded))
    except ValueError as error:
        raise Refused(f"{path}: {error}") from error
    images = loaded.mean(axis=-1) if has_channels else loaded
    names = [f"image {k}" for k in range(len(images))]
    classes = [] if labels is None else [f"class {k}" for k in range(int(labels.max()) + 1)]
    return Pictures(np.stack([arranged(image.astype(np.float32)) for image in images]), labels, [], names, classes)


def _check_pixels(images: np.ndarray, path: Path) -> None:
    """Raise for invalid grey values: small unsigned integer types can have any value, others must be in 0..1 or 0..255."""
    if images.dtype.kind == "b" or images.dtype in (np.uint8, np.uint16):
        return
    for k, image in enumerate(images):
        wrong = ~((image >= 0) & (image <= 255))  # NaN too
        if wrong.any():
            place = np.argwhere(wrong)[0].tolist()
            fix = (
                "repair or leave out the image"
                if np.isnan(image[tuple(place)])
                else "scale all images to 0..1 or 0..255"
            )
            raise Refused(
                f"{path}: pixel {place} of image {k} is {image[tuple(place)]:g}, not in 0..1 or 0..255; {fix}"
            )


def notes_on(pictures: Pictures) -> list[str]:
    """Notices about unusual images, which are encoded nevertheless; raises if all are blank."""
    notes = []
    blank = np.flatnonzero(~pictures.images.any(axis=(1, 2)))
    if len(blank) == len(pictures.images):
        raise Refused(
            f"{pictures.names[0]}: of one grey value, as all {len(blank)} pictures are; there is nothing to encode"
        )
    if len(blank):
        notes.append(
            f"{pictures.names[blank[0]]}: of one grey value, as are {len(blank)} pictures in all; encoded as blank ones"
        )
    if pictures.labels is not None:
        absent = np.flatnonzero(np.bincount(pictures.labels) == 0)
        if len(absent):
            wrong = (
                f"{len(absent)} of the classes 0 to {pictures.labels.max()} have no picture (the first: {absent[0]})"
            )
            notes.append(f"labels: {wrong}; dataset.labels=true will not take them")
    return notes


def read(source: Path) -> Pictures:
    """Read the images of a folder or an array."""
    if source.is_dir():
        return images_of_folder(source)
    if source.suffix in (".npz", ".npy") and source.is_file():
        return images_of_array(source)
    raise Refused(f"{source}: is neither a folder nor a .npy or .npz file")
