"""How far the samples still are from the target: distances and diagnostics between clouds, each beside its floor."""

from typing import TYPE_CHECKING

from gmdwgf.exports import lazy
from gmdwgf.metrics.table import METRICS as METRICS, Metric as Metric

if TYPE_CHECKING:
    from gmdwgf.metrics.suite import Floor as Floor, MetricSuite as MetricSuite, Reference as Reference

# The suite is imported when first asked for: those who read the table of names need not wait for jax.
__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "gmdwgf.metrics.suite": ["Floor", "MetricSuite", "Reference"],
        "gmdwgf.metrics.table": ["METRICS", "Metric"],
    },
)
