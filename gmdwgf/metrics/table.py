"""Names, units and descriptions of all metrics, used by curves, reports and READMEs.

The length of a run is the unit of the data, or of the standardised rows if the target standardises them.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Metric(NamedTuple):
    """Description of a metric; `better` is `lower`, `higher`, or `neither` for a quantity that is not a score."""

    label: str
    unit: str
    better: str
    meaning: str


# fmt: off
METRICS: dict[str, Metric] = {
    "gap": Metric("gap", "sd of the floor", "lower", "worst of energy, MMD² and sliced W2 above fresh data; about 1 for data"),
    "mmd2": Metric("MMD²", "none", "lower", "unbiased squared MMD, mean of Gaussian kernels; about 0 at convergence"),
    "energy_distance": Metric("energy distance", "length of the run", "lower", "unbiased 2E|x-y| - E|x-x'| - E|y-y'|"),
    "w2": Metric("W2", "length of the run", "lower", "exact Wasserstein-2 distance between samples and held-out points"),
    "sliced_w2": Metric("sliced W2", "length of the run", "lower", "root mean square over fixed directions of 1-D W2"),
    "geodesic_w2": Metric("geodesic W2", "length of the run", "lower", "exact Wasserstein-2 distance along geodesics"),
    "geodesic_energy": Metric("geodesic energy", "length of the run", "lower", "unbiased energy distance of geodesic lengths"),
    "near": Metric("near", "share", "higher", "samples within three standard deviations of a mode"),
    "covered": Metric("covered modes", "count", "higher", "modes with at least a quarter of their target mass near them"),
    "n_modes": Metric("modes", "count", "neither", "modes of the target"),
    "mass_min": Metric("least mode", "share of target", "higher", "smallest mass of a mode over its target mass; 1 is ideal"),
    "mass_max": Metric("largest mode", "share of target", "lower", "largest mass of a mode over its target mass; 1 is ideal"),
    "digits_fd": Metric("digits-FD", "squared features", "lower", "Fréchet distance in the digit classifier's features; not FID"),
    "feature_mmd2": Metric("feature MMD²", "none", "lower", "MMD² in the classifier's features"),
    "feature_energy": Metric("feature energy", "features", "lower", "energy distance in the classifier's features"),
    "precision": Metric("precision", "share", "higher", "samples on the manifold of held-out images, by 3 nearest neighbours"),
    "recall": Metric("recall", "share", "higher", "held-out images on the manifold of samples, by 3 nearest neighbours"),
    "class_tv": Metric("class distance", "share", "lower", "total variation between class histograms of samples and held-out images"),
    "class_accuracy": Metric("class accuracy", "share", "higher", "samples that are classified as their requested class"),
    "confidence": Metric("confidence", "probability", "neither", "mean of the classifier's largest class probability"),
}
# fmt: on
"""Keys of `MetricSuite.evaluate`, in display order."""

HEADLINE = "gap"
"""Metric by which checkpoints, settings and runs are ranked."""

BEFORE = "mmd2"
"""Metric by which runs of versions without the gap are ranked."""


def headline(records: Iterable[Mapping[str, object]]) -> str:
    """Metric by which runs are ranked, from their final records: the gap, or MMD^2 if one of them has no gap."""
    return HEADLINE if all(HEADLINE in record for record in records) else BEFORE
