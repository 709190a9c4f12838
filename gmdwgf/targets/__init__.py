"""Targets: distributions to learn, as modules that draw points inside `jit`."""

from typing import TYPE_CHECKING

from gmdwgf.exports import lazy

if TYPE_CHECKING:
    from gmdwgf.targets.arrays import ArrayTarget as ArrayTarget
    from gmdwgf.targets.base import AbstractTarget as AbstractTarget
    from gmdwgf.targets.cities import Cities as Cities
    from gmdwgf.targets.energies import EnergyTarget as EnergyTarget, OwnEnergyTarget as OwnEnergyTarget
    from gmdwgf.targets.functions import FunctionTarget as FunctionTarget
    from gmdwgf.targets.latents import ImageLatents as ImageLatents
    from gmdwgf.targets.mixtures import Gaussian as Gaussian, RingOfGaussians as RingOfGaussians, TwoModes as TwoModes
    from gmdwgf.targets.spheres import SphereCheckerboard as SphereCheckerboard, VonMisesFisher as VonMisesFisher
    from gmdwgf.targets.torus import TorusMixture as TorusMixture
    from gmdwgf.targets.toy import (
        Checkerboard as Checkerboard,
        Circles as Circles,
        Pinwheel as Pinwheel,
        SwissRoll as SwissRoll,
        TwoMoons as TwoMoons,
    )

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "gmdwgf.targets.arrays": ["ArrayTarget"],
        "gmdwgf.targets.base": ["AbstractTarget"],
        "gmdwgf.targets.energies": ["EnergyTarget", "OwnEnergyTarget"],
        "gmdwgf.targets.cities": ["Cities"],
        "gmdwgf.targets.functions": ["FunctionTarget"],
        "gmdwgf.targets.latents": ["ImageLatents"],
        "gmdwgf.targets.mixtures": ["Gaussian", "RingOfGaussians", "TwoModes"],
        "gmdwgf.targets.spheres": ["SphereCheckerboard", "VonMisesFisher"],
        "gmdwgf.targets.torus": ["TorusMixture"],
        "gmdwgf.targets.toy": ["Checkerboard", "Circles", "Pinwheel", "SwissRoll", "TwoMoons"],
    },
)
