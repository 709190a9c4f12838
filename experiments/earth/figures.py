"""Figures of the experiment: every drift's points on both sides of the globe and on a map."""

import numpy as np

from gmdwgf.plots.globe import front_of, globe_panel, map_panel
from gmdwgf.plots.style import INK, PAGE, Figure, colour_of, styled


@styled
def globes(clouds: dict[str, np.ndarray], behind: np.ndarray) -> Figure:
    """A row for each of `clouds` (`[n 3]`, by name): front and back of the globe, and a map, over the points `behind` in grey."""
    figure = Figure((PAGE, 1.62 * len(clouds)), layout="constrained")
    grid = figure.add_gridspec(len(clouds), 4)
    front = front_of(behind)
    for row, (name, cloud) in enumerate(clouds.items()):
        colour = INK if row == 0 else colour_of(name)
        for column, longitude in enumerate((front, front + 180)):
            axes = figure.add_subplot(grid[row, column])
            globe_panel(axes, cloud, behind, longitude, colour, name)
            if column == 0:
                axes.set_title(f"{name}, {len(cloud):,} points", loc="left")
        axes = figure.add_subplot(grid[row, 2:], projection="mollweide")
        map_panel(axes, cloud, behind, colour, name)
    return figure
