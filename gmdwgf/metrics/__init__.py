"""How far the samples still are from the target: distances and diagnostics between clouds, each beside its floor."""

from typing import TYPE_CHECKING

from gmdwgf.metrics.table import METRICS as METRICS, Metric as Metric

if TYPE_CHECKING:
    from gmdwgf.metrics.suite import MetricSuite as MetricSuite, Reference as Reference


def __getattr__(name: str):
    """The suite is imported when first asked for: those who read the table of names need not wait for jax."""
    if name in ("MetricSuite", "Reference"):
        from gmdwgf.metrics import suite

        return getattr(suite, name)
    raise AttributeError(f"module 'gmdwgf.metrics' has no attribute {name!r}")
