"""One-step generators: networks that map noise to points, and free particles without a network."""

from typing import TYPE_CHECKING

from gmdwgf.exports import lazy

if TYPE_CHECKING:
    from gmdwgf.generators.base import AbstractGenerator as AbstractGenerator, Condition as Condition
    from gmdwgf.generators.conv import ConvGenerator as ConvGenerator
    from gmdwgf.generators.dit import DiTGenerator as DiTGenerator
    from gmdwgf.generators.mlp import MLPGenerator as MLPGenerator
    from gmdwgf.generators.particles import ParticlesGenerator as ParticlesGenerator

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "gmdwgf.generators.base": ["AbstractGenerator", "Condition"],
        "gmdwgf.generators.conv": ["ConvGenerator"],
        "gmdwgf.generators.dit": ["DiTGenerator"],
        "gmdwgf.generators.mlp": ["MLPGenerator"],
        "gmdwgf.generators.particles": ["ParticlesGenerator"],
    },
)
