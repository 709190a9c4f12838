"""The protocol of a target."""

import abc
from typing import Any

import numpy as np

from gmdwgf.config.fields import Configurable
from gmdwgf.features.classifier import AbstractClassifier
from gmdwgf.typing import Array, Float, Int, Key, Scalar, Targets, Weights


class AbstractTarget(Configurable):
    """A distribution to learn. `sample` and `held_out` are pure and may be called inside `jit`."""

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """Dimension of the points."""

    @abc.abstractmethod
    def sample(self, key: Key, n: int) -> Targets:
        """`n` training points `[n dim]`, fresh for every key."""

    def held_out(self, key: Key, n: int) -> Targets:
        """`n` points `[n dim]` never trained on; for a distribution that can be sampled without end, just new ones."""
        return self.sample(key, n)

    @property
    def n_held_out(self) -> int | None:
        """How many distinct held-out points there are; None if they can be drawn without end."""
        return None

    def introduction(self) -> list[str]:
        """What to be told of the points before a run."""
        return []

    def training_rows(self) -> Targets | None:
        """All points `[N dim]` that are trained on, where they are a list in memory; without noise that is added to them."""
        return None

    @property
    def n_classes(self) -> int:
        """How many classes the points are labelled with (labels 0, 1, ...); 0 where they have no labels."""
        return 0

    def sample_of(self, key: Key, labels: Int[Array, " n"]) -> Targets:
        """A training point of each of the classes `labels`, `[n dim]`, fresh for every key; only where there are classes."""
        raise NotImplementedError(f"{type(self).__name__} has no classes")

    def labelled_held_out(self) -> tuple[Targets, Int[Array, " m"]] | None:
        """Points never trained on and their labels, where there are classes and such points are known."""
        return None

    def pictures(self, points: Targets) -> Float[Array, "m height width channels"] | None:
        """The pictures that points `[m dim]` stand for, with values in 0..1, where points are pictures or their latents."""
        del points
        return None

    def classifier(self) -> AbstractClassifier | None:
        """The network that judges the points as pictures, where there is one."""
        return None

    def reader(self) -> Any:
        """Reader of the training rows of a target larger than memory (`targets.reader`); None where all of them are kept."""
        return None

    @property
    def n_kept(self) -> int:
        """How many training rows a target larger than memory keeps at a time."""
        raise NotImplementedError(f"{type(self).__name__} keeps all its rows")

    def refreshed(self, rows: np.ndarray, labels: np.ndarray | None) -> "AbstractTarget":
        """The same target with other rows of its reader, `n_kept` of them; only where there is one."""
        raise NotImplementedError(f"{type(self).__name__} keeps all its rows")

    def modes(self) -> tuple[Float[Array, "k d"], Weights] | None:
        """Centres `[k dim]` and masses `[k]` of the modes, where they are known."""
        return None

    def mode_radius(self) -> Scalar | float | None:
        """Distance within which a sample counts as on a mode (three standard deviations), where modes are known."""
        return None

    def log_density(self, x: Targets) -> Float[Array, " m"] | None:
        """Log density at `x` `[m dim]`, where it is known."""
        del x
        return None
