"""Images as rows of numbers, and back."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from gmdwgf.config.fields import FieldError
from gmdwgf.data import array_files
from gmdwgf.typing import Array, Float, Particles

_CHANNELS = (1, 3, 4)


class ImageShape(NamedTuple):
    """Shape of an image, and the values that are shown as black and white (grey images are shown inverted)."""

    height: int
    width: int
    channels: int
    low: float
    high: float

    def images(self, rows: Particles) -> Float[Array, "n height width channels"]:
        """Rows `[n d]` as images with values in 0..1, up to what leaves the range."""
        return ((rows - self.low) / (self.high - self.low)).reshape(-1, self.height, self.width, self.channels)


def flattened(array: np.ndarray, path: str | Path) -> tuple[np.ndarray, ImageShape | None]:
    """Flatten images `[N h w]` or `[N h w c]` to rows `[N d]`; other arrays are returned as they are."""
    if array.ndim < 3:
        return array, None
    shape, named = list(array.shape), array_files.shown(path)
    if array.ndim > 4 or (array.ndim == 4 and shape[3] not in _CHANNELS) or 0 in shape:
        is_first = array.ndim == 4 and shape[1] in _CHANNELS
        fix = "array.transpose(0, 2, 3, 1)" if is_first else "array.reshape(len(array), -1)"
        what = f"has shape {shape}, neither [N d] nor images [N h w] or [N h w c] with 1, 3 or 4 channels"
        raise FieldError("path", named, f"{what}; perhaps save {fix}")
    channels = shape[3] if array.ndim == 4 else 1
    return array.reshape(len(array), -1), ImageShape(shape[1], shape[2], channels, *_range(array))


def _range(array: np.ndarray) -> tuple[float, float]:
    """The values of black and white: 0 and 255 for bytes, otherwise the narrowest usual range, or that of the values."""
    low, high = (float(extreme.reduce(array, axis=None)) for extreme in (np.fmin, np.fmax))  # without NaN
    if array.dtype == np.uint8:
        return 0.0, 255.0
    for usual in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
        if usual[0] <= low and high <= usual[1]:
            return usual
    return (low, high) if low < high else (low, low + 1.0)
