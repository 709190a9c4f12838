"""The protocol of a feature map, and the simplest one."""

import abc
import pkgutil
from typing import ClassVar

import equinox as eqx

from gmdwgf.config.fields import Configurable, FieldError, pieces
from gmdwgf.typing import Array, Float, Particles


class AbstractFeatures(Configurable):
    """Frozen maps of points, each with a name; pure, differentiable in the points, and the same for every row."""

    @abc.abstractmethod
    def maps(self, points: Particles) -> dict[str, Float[Array, "n ..."]]:
        """Features by name: `[n k]`, or `[n places k]` where a map has a feature at every place of a picture."""


class Identity(AbstractFeatures):
    """The points themselves."""

    def maps(self, points):
        return {"identity": points}


class ConcatenatedFeatures(AbstractFeatures):
    """The maps of several feature maps side by side."""

    parts: tuple[AbstractFeatures, ...] = pieces(AbstractFeatures, "feature maps")

    def maps(self, points):
        return {f"{k}.{name}": m for k, part in enumerate(self.parts) for name, m in part.maps(points).items()}


class Function(AbstractFeatures):
    """A function of your own, by its import path: `[n d]` points to one array of features or a dictionary of them."""

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
