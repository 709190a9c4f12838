"""Reconstruction errors of images under the included encoder, which represents digits but few other images."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.data import latent_files, shipped
from gmdwgf.features.digits import DigitFeatures, encode

TOO_MUCH, TOO_MUCH_OF_A_CLASS = 1.3, 1.5
"""Reconstruction error relative to that of digits above which a warning is printed; docs/latents.md lists measured values.

The limit for a single class is higher, since some digits have larger errors than others.
"""

_N_AT_ONCE = 256
_N_LISTED, _N_WORST = 20, 5
"""Maximum number of images listed individually; of more images, those with the largest errors are listed."""

_encode, _decode = jax.jit(encode), jax.jit(DigitFeatures.decode)


class Encoded(NamedTuple):
    """Latents of images, and the reconstruction error of each image."""

    mean: np.ndarray
    log_var: np.ndarray
    lost: np.ndarray
    """Mean squared pixel errors `[N]` of the reconstructions."""
    variance: np.ndarray
    """Pixel variances of the images `[N]`; 0 for blank images."""


def encoded(images: np.ndarray) -> Encoded:
    """Encode grey values `[N 28 28]` and compute their reconstruction errors."""
    weights, features = shipped.load_params(shipped.VAE)["encoder"], DigitFeatures(jnp.ones(()))
    means, log_vars, lost = [], [], []
    for start in range(0, len(images), _N_AT_ONCE):
        batch = images[start : start + _N_AT_ONCE]
        mean, log_var = _encode(weights, batch[..., None])
        lost.append(np.mean((np.asarray(_decode(features, mean))[..., 0] - batch) ** 2, axis=(1, 2)))
        means.append(np.asarray(mean))
        log_vars.append(np.asarray(log_var))
    return Encoded(np.concatenate(means), np.concatenate(log_vars), np.concatenate(lost), images.var(axis=(1, 2)))


def error(pictures: Encoded, which: np.ndarray) -> float:
    """Relative reconstruction error of the images `which`, as a share of their pixel variance; NaN if they are blank."""
    shown = which & (pictures.variance > 0)
    return float(pictures.lost[shown].sum() / pictures.variance[shown].sum()) if shown.any() else float("nan")


@functools.cache
def error_of_digits() -> float:
    """Relative reconstruction `error` of held-out digits.

    Their pixels are not included in the package. Their squared error was measured when the encoder was trained; their pixel variance
    is the sum of that error and the variance of the reconstructions, since a reconstruction is a conditional mean.
    """
    file = latent_files.read_latents(shipped.LATENTS)
    mean, _ = file.points(np.flatnonzero(np.asarray(file.held_out)))
    decoded = np.asarray(_decode(DigitFeatures(jnp.ones(())), jnp.asarray(mean)))
    lost = shipped.provenance()["held_out"]["reconstruction_mse"]
    return lost / (float(decoded.var(axis=(1, 2, 3)).mean()) + lost)


def report(
    pictures: Encoded, labels: np.ndarray | None, names: list[str], classes: list[str]
) -> tuple[list[str], list[str]]:
    """Lines with the errors of all images, of each class and of single images, and warnings about errors that are too large.

    If there are many images, only those with the largest errors are listed.
    """
    digits, everything = error_of_digits(), np.ones(len(names), bool)
    groups = {f"all {len(names)} pictures": everything}
    if labels is not None:
        groups |= {name: labels == k for k, name in enumerate(classes) if (labels == k).any()}
    errors = {name: error(pictures, which) for name, which in groups.items()}
    lines = [f"reconstruction error (share of the variance of pixels that is lost; of digits {digits:.2f}):"]
    lines += [f"  {value:.2f}  {name}" for name, value in errors.items()]
    single = pictures.lost / np.where(pictures.variance > 0, pictures.variance, np.inf)
    first = np.argsort(-single, kind="stable")[: len(names) if len(names) <= _N_LISTED else _N_WORST]
    lines += [f"  {single[k]:.2f}  {names[k]}" for k in (np.sort(first) if len(names) <= _N_LISTED else first)]
    whole, *of_classes = errors
    too_large = [name for name in of_classes if errors[name] > TOO_MUCH_OF_A_CLASS * digits]
    if errors[whole] > TOO_MUCH * digits:
        too_large = [whole]
    warned = [
        f"{name}: reconstruction error {errors[name]:.2f}, of digits {digits:.2f}: the included encoder cannot represent these "
        "pictures; use another encoder (docs/latents.md)"
        for name in too_large
    ]
    return lines, warned
