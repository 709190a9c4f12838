"""Interface of feature maps, and simple feature maps."""

import abc
import pkgutil
from typing import ClassVar

import equinox as eqx

from gmdwgf.config.fields import Configurable, FieldError, pieces
from gmdwgf.typing import Array, Float, Particles


class AbstractFeatures(Configurable):
    """Abstract base class of frozen, named feature maps: pure, differentiable in the points, and applied row by row."""

    @abc.abstractmethod
    def maps(self, points: Particles) -> dict[str, Float[Array, "n ..."]]:
        """Compute features by name: `[n k]`, or `[n places k]` for maps with features at every position of an image."""


class Identity(AbstractFeatures):
    """The points themselves."""

    def maps(self, points):
        return {"identity": points}


class ConcatenatedFeatures(AbstractFeatures):
    """The union of several feature maps."""

    parts: tuple[AbstractFeatures, ...] = pieces(AbstractFeatures, "feature maps")

    def maps(self, points):
        return {f"{k}.{name}": m for k, part in enumerate(self.parts) for name, m in part.maps(points).items()}


class Function(AbstractFeatures):
    """A user-defined function, given by its import path, that maps points `[n d]` to an array or a dictionary of features."""

    runs_named_code: ClassVar[bool] = True
    function: str = eqx.field(static=True)

    def check_values(self) -> None:
        try:
            self._function()
        except Exception as error:
            fix = f"must be the import path of a function ({str(error).splitlines()[-1]})"
            raise FieldError("function", self.function, fix) from error

    def _function(self):
        return pkgutil.resolve_name(self.function)

    def maps(self, points):
        made = self._function()(points)
        return made if isinstance(made, dict) else {"features": made}
