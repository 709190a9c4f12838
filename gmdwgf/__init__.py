"""gmdwgf: drifting generative models read as Wasserstein gradient flows.

import gmdwgf
drift = gmdwgf.load_drift("deng", temperature=0.5)
target = gmdwgf.load_target("pinwheel")
run = gmdwgf.load_run("runs/eight_gaussians-sinkhorn-1a2b3c4d")
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gmdwgf.public import (
        LoadedRun as LoadedRun,
        load_drift as load_drift,
        load_run as load_run,
        load_target as load_target,
    )

__all__ = ["LoadedRun", "load_drift", "load_run", "load_target"]


def __getattr__(name: str):
    """Public names come from `gmdwgf.public`, imported when first asked for: the command line's help must not wait for jax."""
    if name in __all__:
        from gmdwgf import public

        return getattr(public, name)
    raise AttributeError(f"module 'gmdwgf' has no attribute {name!r}")
