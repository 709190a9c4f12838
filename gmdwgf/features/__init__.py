"""Maps in which a drift may be taken: the points themselves, and the layers of encoders."""

from gmdwgf.features.base import AbstractFeatures as AbstractFeatures
