"""Interface of a target."""

import abc
from typing import ClassVar

import numpy as np

from gmdwgf.config.fields import Configurable
from gmdwgf.data.sharded_reader import ShardedReader
from gmdwgf.features.classifier import AbstractClassifier
from gmdwgf.manifolds import EUCLIDEAN, AbstractManifold
from gmdwgf.targets.standardisation import Standardisation, in_data_units
from gmdwgf.typing import Array, Float, Int, Key, Particles, Scalar, Targets, Weights


class AbstractTarget(Configurable):
    """A distribution to learn. `sample` and `held_out` are pure and may be called inside `jit`."""

    only_density: ClassVar[bool] = False
    """Whether the law is learned from its density alone; its samples are then for metrics."""

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """Dimension of the points."""

    @abc.abstractmethod
    def sample(self, key: Key, n: int) -> Targets:
        """Draw `n` training points `[n dim]`."""

    def held_out(self, key: Key, n: int) -> Targets:
        """Draw `n` held-out points `[n dim]`, which are never trained on; new samples if the target can be sampled indefinitely."""
        return self.sample(key, n)

    @property
    def n_held_out(self) -> int | None:
        """Number of distinct held-out points; None if the target can be sampled indefinitely."""
        return None

    @property
    def manifold(self) -> AbstractManifold:
        """Manifold that the points lie on; drifts, loss, generator and metrics follow it."""
        return EUCLIDEAN

    @property
    def standardisation(self) -> Standardisation | None:
        """The map from the points of this target to the units of the data; None if they are in these units."""
        return None

    def in_data_units(self, points: Particles) -> Particles:
        """Points `[n dim]` of this target, or of a generator trained on it, in the units of the data."""
        return in_data_units(self.standardisation, points)

    @property
    def length(self) -> Scalar | float:
        """Length (data units) that the bandwidths of metrics and the divergence radius are multiples of; 1 for a standard scale."""
        return 1.0

    @property
    def n_rows(self) -> int | None:
        """Number of training rows in memory; None if the target can be sampled indefinitely."""
        return None

    def rows(self, key: Key, index: Int[Array, " n"]) -> Targets:
        """Training points of the rows `index`, `[n dim]`; only for targets with rows."""
        raise NotImplementedError(f"{type(self).__name__} has no rows")

    def introduction(self) -> list[str]:
        """Notices about the target to print before a run."""
        return []

    def training_rows(self) -> Targets | None:
        """All training points `[N dim]`, without added noise, if they are stored in memory; otherwise None."""
        return None

    @property
    def column_names(self) -> tuple[str, ...] | None:
        """Names of the coordinates in figures; None if they have none."""
        return None

    @property
    def n_classes(self) -> int:
        """Number of classes, with labels 0, 1, ...; 0 if the points have no labels."""
        return 0

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes in figures; None if they have none."""
        return None

    @property
    def class_shares(self) -> Float[Array, " c"] | None:
        """Shares of the classes, by which a conditional generator is evaluated; None if they count as equal."""
        return None

    def sample_of(self, key: Key, labels: Int[Array, " n"]) -> Targets:
        """Draw a training point of the class `labels[i]` for every i, `[n dim]`; only for targets with classes."""
        raise NotImplementedError(f"{type(self).__name__} has no classes")

    def labelled_held_out(self) -> tuple[Targets, Int[Array, " m"]] | None:
        """Held-out points and their labels; None for targets without classes."""
        return None

    def pictures(self, points: Targets) -> Float[Array, "m height width channels"] | None:
        """Images with values in 0..1 of points `[m dim]` in the units of the data; None if points are not images."""
        del points
        return None

    def classifier(self) -> AbstractClassifier | None:
        """Classifier of the decoded images, used by metrics; None if there is none."""
        return None

    def reader(self) -> "ShardedReader | None":
        """Reader of the training rows of a target larger than memory; None if all rows are in memory."""
        return None

    @property
    def n_kept(self) -> int:
        """Number of training rows in memory at a time, for a target larger than memory."""
        raise NotImplementedError(f"{type(self).__name__} has all rows in memory")

    def refreshed(self, rows: np.ndarray, labels: np.ndarray | None) -> "AbstractTarget":
        """The same target with the next `n_kept` rows of its reader; only for targets with a reader."""
        raise NotImplementedError(f"{type(self).__name__} has all rows in memory")

    def modes(self) -> tuple[Float[Array, "k d"], Weights] | None:
        """Centres `[k dim]` and masses `[k]` of the modes; None if unknown."""
        return None

    def mode_radius(self) -> Scalar | float | None:
        """Radius of a mode (three standard deviations), within which samples count as on it; None if unknown."""
        return None

    def log_density(self, x: Targets) -> Float[Array, " m"] | None:
        """Log density at `x` `[m dim]`; None if unknown."""
        del x
        return None
