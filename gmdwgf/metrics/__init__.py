"""Metrics: distances and diagnostics between samples and target, each with its floor."""

from typing import TYPE_CHECKING

from gmdwgf.exports import lazy
from gmdwgf.metrics.table import METRICS as METRICS, Metric as Metric

if TYPE_CHECKING:
    from gmdwgf.metrics.floors import Floor as Floor, gap as gap
    from gmdwgf.metrics.suite import MetricSuite as MetricSuite, Reference as Reference

# The suite is imported on first access, so that the table of metrics can be read without importing jax.
__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "gmdwgf.metrics.floors": ["Floor", "gap"],
        "gmdwgf.metrics.suite": ["MetricSuite", "Reference"],
        "gmdwgf.metrics.table": ["METRICS", "Metric"],
    },
)
