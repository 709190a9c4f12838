"""The drifts with and without each addition, at the lengths that suit 8 Gaussians of radius 2 and deviation 0.1."""

from typing import Any, NamedTuple

H = 0.3
"""Bandwidth and temperature, in data units."""
DATASET = "eight_gaussians"


class Variant(NamedTuple):
    """A drift with an addition: its fields, and those of the training plan."""

    drift: str
    fields: dict[str, Any]
    plan: dict[str, Any]


_LANDMARKS = {"attraction": "nystrom", "n_landmarks": 256, "n_data": 20_000}
_KL, _SHIFT, _DENG = (
    {"bandwidth": H, "self_term": "leave_one_out"},
    {"bandwidth": H, "self_term": "leave_one_out"},
    {"temperature": H},
)

VARIANTS = {
    "kl": Variant("kl", _KL, {}),
    "kl, abc": Variant("kl", _KL | {"bias": "abc"}, {}),
    "kl, all data": Variant("kl", _KL, _LANDMARKS),
    "mean_shift": Variant("mean_shift", _SHIFT, {}),
    "mean_shift, abc": Variant("mean_shift", _SHIFT | {"bias": "abc"}, {}),
    "mean_shift, all data": Variant("mean_shift", _SHIFT, _LANDMARKS),
    "deng": Variant("deng", _DENG, {}),
    "deng, constant gain": Variant("deng", _DENG | {"gain": "constant"}, {}),
    "deng, cross-fit": Variant("deng", _DENG | {"repulsion": "reference"}, {}),
    "deng, both": Variant("deng", _DENG | {"gain": "constant", "repulsion": "reference"}, {}),
    "deng, all data": Variant("deng", _DENG, _LANDMARKS),
}
