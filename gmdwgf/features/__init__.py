"""Feature maps for drifts in feature space: the identity, and layers of encoders."""

from gmdwgf.features.base import AbstractFeatures as AbstractFeatures
