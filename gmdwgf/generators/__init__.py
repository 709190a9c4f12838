"""What we train: maps from noise to points, and the free particles of the flow itself."""

from gmdwgf.generators.base import AbstractGenerator as AbstractGenerator
