"""The drifts that are compared: their configs, fields and places in the figures; lengths in units of the modes' spread 0.3."""

from typing import Any, NamedTuple

SIGMA = 0.5
"""Data units: bandwidth and temperature of every drift that has one, and the root of epsilon."""

SAME = {"self_term": "same_batch", "epsilon": SIGMA**2, "threshold": 1e-4, "max_iters": 20000}


FEWER = {"n_projections": 32}
"""Directions of a step of a flow, which averages over them as it goes."""


class Entry(NamedTuple):
    """A drift under the name it has in tables and figures."""

    config: str
    fields: dict[str, Any]
    reach: str
    """What the theory expects: `local`, `steps` (local, but further than the kernel), `long` (exact transport), or `speed`
    (mass moves over any distance, at a speed that does not grow with it)."""

    def of_flow(self) -> dict[str, Any]:
        """The fields where many steps are taken."""
        return self.fields | {name: value for name, value in FEWER.items() if name in self.fields}


ENTRIES: dict[str, Entry] = {
    "kl": Entry("kl", {"bandwidth": SIGMA}, "local"),
    "mean shift": Entry("mean_shift", {"bandwidth": SIGMA}, "local"),
    "deng": Entry("deng", {"temperature": SIGMA}, "local"),
    "proxy": Entry("sinkhorn_proxy", {"bandwidth": SIGMA}, "local"),
    "js": Entry("f_divergence", {"divergence": "js", "bandwidth": SIGMA}, "local"),
    "mmd gaussian": Entry("mmd", {"kernel": "gaussian", "bandwidth": SIGMA}, "local"),
    "mmd laplace": Entry("mmd", {"kernel": "laplace", "bandwidth": SIGMA}, "local"),
    "drmmd": Entry("drmmd", {"kernel": "gaussian", "bandwidth": SIGMA, "regularisation": 0.1}, "local"),
    "kale": Entry("kale", {"kernel": "gaussian", "bandwidth": SIGMA, "regularisation": 0.1}, "local"),
    "wflow": Entry("wflow", {"epsilon": SIGMA**2, "scale_normalise": False, "rms_normalise": False}, "steps"),
    "sinkhorn 10 steps": Entry("sinkhorn_steps", {"epsilon": SIGMA**2, "n_iters": 10}, "steps"),
    "mmd energy": Entry("mmd", {"kernel": "energy"}, "speed"),
    "sliced mmd": Entry("sliced_mmd", {"n_projections": 256, "directions": "independent"}, "speed"),
    "sliced W": Entry("sliced_wasserstein", {"n_projections": 256, "directions": "independent"}, "long"),
    "sinkhorn": Entry("sinkhorn", SAME, "long"),
}

RELEASED: dict[str, Entry] = {
    "released, floor, rms": Entry("deng_released", {"product_floor": 1e-6, "rms_normalise": True}, "long"),
    "released, floor": Entry("deng_released", {"product_floor": 1e-6, "rms_normalise": False}, "long"),
    "released, rms": Entry("deng_released", {"product_floor": 0.0, "rms_normalise": True}, "local"),
    "released": Entry("deng_released", {"product_floor": 0.0, "rms_normalise": False}, "local"),
}
"""The released loss of Deng et al., by its two switches."""

EVERY = ENTRIES | RELEASED

LOCAL_FLOWS = ("kl", "mean shift", "deng", "proxy", "mmd gaussian", "sinkhorn 10 steps")
LONG_FLOWS = ("mmd energy", "sliced W", "sinkhorn", "released, floor", "released")
FLOWS = LOCAL_FLOWS + LONG_FLOWS
"""Those whose flows are followed for many steps."""


NETWORKS = ("kl", "deng", "proxy", "mmd energy", "sinkhorn")
"""Those with which a network is trained."""
