"""The velocity fields: each says where the model's samples should go to become the target's."""

from gmdwgf.drifts.base import (
    AbstractDrift as AbstractDrift,
    DriftOutput as DriftOutput,
    StatelessDrift as StatelessDrift,
    Tags as Tags,
)
