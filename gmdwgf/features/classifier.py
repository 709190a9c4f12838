"""Interface of image classifiers."""

import abc

from gmdwgf.features.base import AbstractFeatures
from gmdwgf.typing import Array, Float, Particles


class AbstractClassifier(AbstractFeatures):
    """Abstract base class of classifiers, whose layers are feature maps."""

    @abc.abstractmethod
    def answers(self, points: Particles) -> tuple[Float[Array, "n k"], Float[Array, "n c"]]:
        """Compute the penultimate features `[n k]` and the class logits `[n c]`."""
