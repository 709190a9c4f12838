"""What each metric is called, measured in and read as: the one table for curves, reports and READMEs."""

from typing import NamedTuple


class Metric(NamedTuple):
    """One line of the table; `better` is `lower`, `higher`, or `neither` for a fact that is no score."""

    label: str
    unit: str
    better: str
    meaning: str


# fmt: off
METRICS: dict[str, Metric] = {
    "mmd2": Metric("MMD²", "none", "lower", "unbiased squared MMD, mean of Gaussian kernels; about 0 when done"),
    "energy_distance": Metric("energy distance", "data units", "lower", "unbiased 2E|x-y| - E|x-x'| - E|y-y'|"),
    "w2": Metric("W2", "data units", "lower", "exact Wasserstein-2 distance, as many samples as held-out points"),
    "sliced_w2": Metric("sliced W2", "data units", "lower", "root mean square over fixed directions of 1-D W2"),
    "near": Metric("near", "share", "higher", "samples within three standard deviations of a mode"),
    "covered": Metric("covered modes", "count", "higher", "modes with a quarter of their due mass or more near them"),
    "n_modes": Metric("modes", "count", "neither", "modes of the target"),
    "mass_min": Metric("least mode", "share of due", "higher", "smallest mass of a mode over its due mass; 1 is ideal"),
    "mass_max": Metric("largest mode", "share of due", "lower", "largest mass of a mode over its due mass; 1 is ideal"),
}
# fmt: on
"""Keys of `MetricSuite.evaluate`, in the order in which they are shown."""
