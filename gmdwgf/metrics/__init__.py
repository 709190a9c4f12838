"""How far the samples still are from the target: distances and diagnostics between clouds, each beside its floor."""

from gmdwgf.metrics.suite import MetricSuite as MetricSuite, Reference as Reference
from gmdwgf.metrics.table import METRICS as METRICS, Metric as Metric
