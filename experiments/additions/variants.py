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

_MMD: dict[str, Any] = {"kernel": "energy"}
_SINKHORN = {"self_term": "two_batch", "epsilon": 0.05}
_MORE = 64
"""As many references, or further targets, as particles of a batch."""
PLANS: dict[str, dict[str, Any]] = {
    "references": {"n_reference": _MORE},
    "twice the targets": {"n_targets": 2 * _MORE},
    "references and twice the targets": {"n_reference": _MORE, "n_targets": 2 * _MORE},
    "noise 0.1": {"noise_injection": 0.1},
    "lookahead 4": {"lookahead": 4},
    "lookahead 4, weights 1/k": {"lookahead": 4, "lookahead_weights": "harmonic"},
}

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
    "deng, learned temperature": Variant("deng_learned", {}, {}),
    "deng, all data": Variant("deng", _DENG, _LANDMARKS),
    "mmd": Variant("mmd", _MMD, {}),
    "sinkhorn": Variant("sinkhorn", _SINKHORN, {}),
    **{
        f"{drift}, {words}": Variant(drift, fields, plan)
        for drift, fields in (("kl", _KL), ("mmd", _MMD), ("sinkhorn", _SINKHORN))
        for words, plan in PLANS.items()
    },
}


def has_particles(variant: Variant) -> bool:
    """Whether free particles can have the addition: they are all the samples that there are, so none is a reference."""
    return "n_reference" not in variant.plan


def has_own_field(variant: Variant) -> bool:
    """Whether the addition changes the field of one batch, and not how steps use it."""
    return not variant.plan and variant.drift != "deng_learned"  # whose field depends on those before
