"""The drifts that are compared: their configs, fields and places in the figures; lengths in units of the modes' spread 0.3."""

from typing import Any, NamedTuple

import gmdwgf
from gmdwgf.drifts.base import AbstractDrift

SIGMA = 0.5
"""Data units: bandwidth and temperature of every drift that has one, and the root of epsilon."""

SAME = {"self_term": "same_batch", "epsilon": SIGMA**2, "threshold": 1e-4, "max_iters": 20000}


class Entry(NamedTuple):
    """A drift under the name it has in tables and figures."""

    config: str
    fields: dict[str, Any]
    reach: str
    """What the theory expects: `local`, `long`, or `speed` (it moves mass, but not at the speed of transport)."""

    def load(self) -> AbstractDrift:
        return gmdwgf.load_drift(self.config, **self.fields)


ENTRIES: dict[str, Entry] = {
    "kl": Entry("kl", {"bandwidth": SIGMA}, "local"),
    "mean shift": Entry("mean_shift", {"bandwidth": SIGMA}, "local"),
    "deng": Entry("deng", {"temperature": SIGMA}, "local"),
    "proxy": Entry("sinkhorn_proxy", {"bandwidth": SIGMA}, "local"),
    "js": Entry("f_divergence", {"divergence": "js", "bandwidth": SIGMA}, "local"),
    "mmd gaussian": Entry("mmd", {"kernel": "gaussian", "bandwidth": SIGMA}, "local"),
    "mmd laplace": Entry("mmd", {"kernel": "laplace", "bandwidth": SIGMA}, "local"),
    "drmmd": Entry("drmmd", {"bandwidth": SIGMA, "regularisation": 0.1}, "local"),
    "kale": Entry("kale", {"bandwidth": SIGMA, "regularisation": 0.1}, "local"),
    "wflow": Entry("wflow", {"epsilon": SIGMA**2, "scale_normalise": False, "rms_normalise": False}, "local"),
    "sinkhorn 10 steps": Entry("sinkhorn_steps", {"epsilon": SIGMA**2, "n_iters": 10}, "local"),
    "mmd energy": Entry("mmd", {"kernel": "energy"}, "speed"),
    "sliced mmd": Entry("sliced_mmd", {"n_projections": 256}, "speed"),
    "sliced W": Entry("sliced_wasserstein", {"n_projections": 256}, "long"),
    "sinkhorn": Entry("sinkhorn", SAME, "long"),
}

FLOWS = ("kl", "mean shift", "deng", "proxy", "mmd gaussian", "sinkhorn 10 steps", "mmd energy", "sliced W", "sinkhorn")
"""Those whose flows are followed for many steps."""

NETWORKS = ("kl", "deng", "proxy", "mmd energy", "sinkhorn")
"""Those with which a network is trained."""
