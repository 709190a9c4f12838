"""Figures from plain arrays: no display, no network, no pyplot."""

from gmdwgf.plots.curves import metric_curves as metric_curves
from gmdwgf.plots.result import samples_and_curve as samples_and_curve
from gmdwgf.plots.samples import (
    pairs_of_columns as pairs_of_columns,
    sample_strip as sample_strip,
    samples_over_target as samples_over_target,
)
from gmdwgf.plots.style import colour_of as colour_of, save as save
from gmdwgf.plots.velocity import grid_over as grid_over, velocity_on_grid as velocity_on_grid
