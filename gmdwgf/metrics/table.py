"""Names, units and descriptions of all metrics, used by curves, reports and READMEs."""

from typing import NamedTuple


class Metric(NamedTuple):
    """Description of a metric; `better` is `lower`, `higher`, or `neither` for a quantity that is not a score."""

    label: str
    unit: str
    better: str
    meaning: str


# fmt: off
METRICS: dict[str, Metric] = {
    "mmd2": Metric("MMD²", "none", "lower", "unbiased squared MMD, mean of Gaussian kernels; about 0 at convergence"),
    "energy_distance": Metric("energy distance", "data units", "lower", "unbiased 2E|x-y| - E|x-x'| - E|y-y'|"),
    "w2": Metric("W2", "data units", "lower", "exact Wasserstein-2 distance, as many samples as held-out points"),
    "sliced_w2": Metric("sliced W2", "data units", "lower", "root mean square over fixed directions of 1-D W2"),
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
