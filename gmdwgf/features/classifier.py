"""The protocol of a network that judges pictures."""

import abc

from gmdwgf.features.base import AbstractFeatures
from gmdwgf.typing import Array, Float, Particles


class AbstractClassifier(AbstractFeatures):
    """Feature maps of a network that tells classes apart."""

    @abc.abstractmethod
    def answers(self, points: Particles) -> tuple[Float[Array, "n k"], Float[Array, "n c"]]:
        """The last features before the answer, `[n k]`, and the logits of the classes, `[n c]`."""
