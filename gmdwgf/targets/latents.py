"""Image latents as a target: the included digits, or a latent file (docs/latents.md)."""

from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.config.fields import FieldError, real
from gmdwgf.data import array_files, latent_files, shipped
from gmdwgf.data.sharded_reader import ShardedReader
from gmdwgf.features.classifier import AbstractClassifier
from gmdwgf.features.digits import ENCODER, DigitFeatures, digit_weights
from gmdwgf.features.networks import Params
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.targets.standardisation import Standardisation, check_method, standardised
from gmdwgf.typing import Array, Float, Int, Key, Scalar, Targets

_Labels = np.ndarray | None

_N_FOR_SCALE = 4096
"""Number of rows from which the standardisation is computed."""

_N_AT_ONCE = 512
"""Number of rows of a streamed file that are converted at a time."""


class Rows(eqx.Module):
    """Latents `[n d]`, with the standard deviations of their posteriors if these are sampled."""

    mean: Float[Array, "n d"]
    std: Float[Array, "n d"] | None

    def at(self, index: Int[Array, " m"], key: Key) -> Targets:
        """Latents of the rows `index`, with new noise."""
        mean = self.mean[index]
        return mean if self.std is None else mean + self.std[index] * jax.random.normal(key, mean.shape, mean.dtype)

    def __len__(self) -> int:
        return self.mean.shape[0]


class Source(NamedTuple):
    """The file of a target and the options for reading it."""

    path: str
    held_out_fraction: float
    split_seed: int
    moments: int | None


class ImageLatents(AbstractTarget):
    """Points `scale * (mean + std * noise)`, with posterior means and deviations from a latent file, by default of 5,000 digits.

    If `path` is null, the included digits are used: 16 coordinates of mean square 1, 4,000 training rows and 1,000 held-out rows.
    With `posterior`, each draw of a row samples its posterior; otherwise, or if the file has no variances, it is the mean. With
    `labels` the points have classes. `standardise` puts latents to a standard scale, unless they are those of the included encoder,
    whose scale is known. If the file does not specify held-out rows, `held_out_fraction` of the rows are selected with
    seed `split_seed`. Latents with several axes are flattened, channels last; `latent_shape` is their shape `[h w c]`.

    Of a file larger than `max_resident` (bytes as float32) only a part is in memory: `reader` reads the next rows, and `refreshed`
    returns this target with other rows. All classes must be present among the rows in memory.
    """

    train: Rows
    held: Rows
    first: Int[Array, " k"]
    """Training rows of class k are `first[k]` to `first[k + 1]`; empty without classes."""
    held_labels: Int[Array, " m"]
    """Classes of the held-out rows; empty without classes."""
    weights: Params | None
    """Weights of decoder and classifier, if the latents are those of the included encoder."""
    latent_shape: tuple[int, ...] = eqx.field(static=True)
    source: Source = eqx.field(static=True)
    is_streamed: bool = eqx.field(static=True)
    map_back: Standardisation | None
    scale: Scalar = real("data units of a latent's standard deviation", above=0)

    def __init__(
        self,
        path: str | None,
        labels: object,
        posterior: object,
        scale: Any,
        held_out_fraction: object,
        split_seed: object,
        moments: object,
        max_resident: object,
        standardise: object = "none",
    ):
        check_method(standardise, ("none", "scale", "coordinates"))
        labels, posterior, held_out_fraction, split_seed, moments, max_resident = _checked(
            labels, posterior, held_out_fraction, split_seed, moments, max_resident
        )
        file = latent_files.read_latents(shipped.LATENTS if path is None else path, moments)
        self.source = Source(str(file.path), held_out_fraction, split_seed, file.moments)
        self.scale, self.latent_shape, self.weights = scale, file.shape, _weights(file)
        self.is_streamed = 4 * file.rows.size > max_resident
        n_classes = _n_classes(file) if labels else 0
        if self.is_streamed:
            rows, train_labels, held, held_labels = self._first_rows(file, max_resident)
            order, self.first = _by_class(train_labels, n_classes, file.path, "raise max_resident, or set labels=false")
            self.train, self.held = (_in_parts(cloud, file.moments, posterior) for cloud in (rows[order], held))
        else:
            _check_rows(file)
            train_rows, held_rows = _split(file, held_out_fraction, split_seed)
            train_labels, held_labels = (
                None if file.labels is None else file.labels[rows] for rows in (train_rows, held_rows)
            )
            fix = f"hold out fewer, {latent_files.RENUMBER}, or set labels=false"
            order, self.first = _by_class(train_labels, n_classes, file.path, fix)
            self.train, self.held = (_rows(file.points(rows), posterior) for rows in (train_rows[order], held_rows))
        self.held_labels = jnp.asarray(held_labels if n_classes else [], int)
        self.map_back = None
        if standardise != "none" and self.weights is None:
            some = np.asarray(self.scale, np.float64) * np.asarray(self.train.mean[:_N_FOR_SCALE], np.float64)
            mixed = np.random.default_rng(split_seed).permutation(some)  # rows can be sorted by class
            self.map_back = standardised(mixed, mixed[:1], str(standardise))[2]
            self.train, self.held = self._standard(self.train), self._standard(self.held)

    def _standard(self, rows: Rows) -> Rows:
        """Rows of which `scale` times a draw is a standard point."""
        if self.map_back is None:
            return rows
        shift, factor = self.map_back.shift / self.scale, self.map_back.scale
        return Rows((rows.mean - shift) / factor, None if rows.std is None else rows.std / factor)

    def _first_rows(
        self, file: latent_files.LatentFile, max_resident: int | float
    ) -> tuple[np.ndarray, _Labels, np.ndarray, _Labels]:
        """The first training rows and the held-out rows, in the format of the file, with their labels."""
        named = array_files.shown(file.path)
        if file.path.suffix == ".npz":
            raise FieldError("path", named, "is larger than max_resident; only .npy files can be streamed")
        n_kept = array_files.n_resident(max_resident, file.rows[0], named)
        reader = ShardedReader(self.source.path, 0, 0, 1, *self.source[1:])
        rows, labels = reader.next_labelled(n_kept)
        array_files.refuse_one_point(_means(rows, file.moments), file.path)
        return rows, labels, *reader.held_out(n_kept)

    def introduction(self) -> list[str]:
        """Notices that points are standardised, and that the file is streamed and its rows are checked as they are read."""
        lines = []
        if self.map_back is not None:
            lines.append("latents are standardised (median distance 2); samples and figures have their units")
        if not self.is_streamed:
            return lines
        return [
            *lines,
            f"{len(self.train)} training rows of {array_files.shown(self.source.path)} are in memory at a time "
            "(dataset.max_resident); rows are checked for NaN and infinity as they are read",
        ]

    def reader(self) -> ShardedReader | None:
        return ShardedReader(self.source.path, 0, 0, 1, *self.source[1:]) if self.is_streamed else None

    @property
    def n_kept(self) -> int:
        return len(self.train)

    def refreshed(self, rows: np.ndarray, labels: np.ndarray | None) -> "ImageLatents":
        """Rows are in the format of the file; the new target does not recompile."""
        fix = "raise max_resident, or set labels=false"
        order, first = _by_class(labels, self.n_classes, self.source.path, fix)
        train = self._standard(_in_parts(rows[order], self.source.moments, self.train.std is not None))
        return eqx.tree_at(lambda target: (target.train, target.first), self, (train, first))

    @property
    def dim(self) -> int:
        return self.train.mean.shape[1]

    @property
    def n_held_out(self) -> int:
        return len(self.held)

    def training_rows(self) -> Targets:
        return self.scale * self.train.mean

    @property
    def standardisation(self) -> Standardisation | None:
        return self.map_back

    @property
    def n_rows(self) -> int:
        return len(self.train)

    def rows(self, key: Key, index: Int[Array, " n"]) -> Targets:
        return self.scale * self.train.at(index, key)

    @property
    def n_classes(self) -> int:
        return max(self.first.shape[0] - 1, 0)

    def sample(self, key: Key, n: int) -> Targets:
        key_row, key_noise = jax.random.split(key)
        return self.scale * self.train.at(jax.random.randint(key_row, (n,), 0, len(self.train)), key_noise)

    def held_out(self, key: Key, n: int) -> Targets:
        key_row, key_noise = jax.random.split(key)
        index = jax.random.choice(key_row, self.n_held_out, (n,), replace=n > self.n_held_out)
        return self.scale * self.held.at(index, key_noise)

    def sample_of(self, key: Key, labels: Int[Array, " n"]) -> Targets:
        key_row, key_noise = jax.random.split(key)
        first, end = self.first[labels], self.first[labels + 1]
        return self.scale * self.train.at(jax.random.randint(key_row, labels.shape, first, end), key_noise)

    def labelled_held_out(self) -> tuple[Targets, Int[Array, " m"]] | None:
        return (self.scale * self.held.mean, self.held_labels) if self.n_classes else None

    def classifier(self) -> AbstractClassifier | None:
        return None if self.weights is None else DigitFeatures(self.scale, self.weights)

    def pictures(self, points: Targets) -> Float[Array, "m height width channels"] | None:
        return None if self.weights is None else DigitFeatures(self.scale, self.weights).decode(points)


def _rows(points: tuple[np.ndarray, np.ndarray | None], posterior: bool) -> Rows:
    """Flatten the means, and the standard deviations if `posterior`."""
    mean, log_var = points
    flat = jnp.asarray(mean.reshape(len(mean), -1), jax.dtypes.canonicalize_dtype(float))
    if log_var is None or not posterior:
        return Rows(flat, None)
    return Rows(flat, jnp.asarray(np.exp(log_var / 2).reshape(len(mean), -1), flat.dtype))


def _in_parts(rows: np.ndarray, moments: int | None, posterior: bool) -> Rows:
    """Apply `_rows` to rows in the format of a file, in parts, so that no second copy of all rows is in memory."""
    mean = np.empty((len(rows), rows[0].size // (1 if moments is None else 2)), np.float32)
    std = np.empty_like(mean) if posterior and moments is not None else None
    for start in range(0, len(rows), _N_AT_ONCE):
        span = slice(start, start + _N_AT_ONCE)
        part, log_var = latent_files.split_moments(rows[span].astype(np.float32), None, moments)
        mean[span] = part.reshape(len(part), -1)
        if std is not None and log_var is not None:
            std[span] = np.exp(log_var / 2).reshape(len(part), -1)
    dtype = jax.dtypes.canonicalize_dtype(float)
    return Rows(jnp.asarray(mean, dtype), None if std is None else jnp.asarray(std, dtype))


def _by_class(
    labels: np.ndarray | None, n_classes: int, path: str | Path, fix: str
) -> tuple[slice | np.ndarray, Int[Array, " k"]]:
    """The permutation that sorts rows by class, and the first index of each class; the identity without classes."""
    if not n_classes or labels is None:
        return slice(None), jnp.zeros(0, int)
    order = np.argsort(labels, kind="stable")
    first = np.searchsorted(labels[order], np.arange(n_classes + 1))
    if (absent := np.flatnonzero(np.diff(first) == 0)).size:
        wrong = f"{len(absent)} of {n_classes} classes have no training row (the first: {absent[0]})"
        raise FieldError("labels", "true", f"{wrong} in {array_files.shown(path)}; {fix}")
    return order, jnp.asarray(first, int)


def _n_classes(file: latent_files.LatentFile) -> int:
    """Number of classes of the rows of a file."""
    named = array_files.shown(file.path)
    if file.labels is None:
        raise FieldError("labels", "true", f"{named} has none; set labels=false, or add them (docs/latents.md)")
    try:
        return int(latent_files.classes(file.labels, len(file.rows)).max()) + 1
    except ValueError as error:
        raise FieldError("labels", "true", f"{named}: {error}; or set labels=false") from error


def _check_rows(file: latent_files.LatentFile) -> None:
    """Raise FieldError for rows that are not finite or all equal; rows of a streamed file are checked by its reader."""
    array_files.refuse_not_finite(file.rows, np.float32, file.path)
    if file.log_var is not None:
        array_files.refuse_not_finite(file.log_var, np.float32, file.path, "logvar")
    array_files.refuse_one_point(_means(file.rows, file.moments), file.path)


def _means(rows: np.ndarray, moments: int | None) -> np.ndarray:
    """A view of the means of rows in the format of a file."""
    return rows if moments is None else np.split(rows, 2, axis=moments)[0]


def _split(file: latent_files.LatentFile, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training rows and of the held-out rows."""
    n = len(file.rows)
    if file.held_out is not None:
        held = file.held_out.astype(bool)
        return np.flatnonzero(~held), np.flatnonzero(held)
    order = np.random.default_rng(seed).permutation(n)
    n_held = min(max(round(fraction * n), 1), n - 1)
    return order[n_held:], order[:n_held]


def _weights(file: latent_files.LatentFile) -> Params | None:
    """Weights of decoder and classifier, if the file states that its latents are those of the included encoder."""
    if file.encoder != ENCODER:
        return None
    named, weights = array_files.shown(file.path), digit_weights()
    if file.sha256 != shipped.provenance()["sha256"][shipped.VAE.name]:
        raise FieldError("path", named, "was written with another version of the encoder; encode the images again")
    n = len(weights["decoder"]["into"]["kernel"])
    if file.shape != (n,):
        fix = f"states encoder={ENCODER}, whose latents have shape [{n}], but its latents have {list(file.shape)}; omit encoder"
        raise FieldError("path", named, fix)
    return weights


def _checked(
    labels: object, posterior: object, fraction: object, split_seed: object, moments: object, max_resident: object
) -> tuple[bool, bool, float, int, int | None, int | float]:
    """The same values. Raises FieldError for the first that is invalid."""
    if not isinstance(labels, bool):
        raise FieldError("labels", labels, "must be true or false")
    if not isinstance(posterior, bool):
        raise FieldError("posterior", posterior, "must be true or false")
    fraction, split_seed = array_files.check_split(fraction, split_seed)
    if moments is not None and type(moments) is not int:
        raise FieldError("moments", moments, "must be null or the axis of the moments, e.g. -1")
    return labels, posterior, fraction, split_seed, moments, array_files.check_resident(max_resident)
