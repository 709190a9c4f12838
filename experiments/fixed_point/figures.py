"""Variance reached against the bandwidth; deviation of generators and flows; the laws themselves."""

from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.common.figures import bare
from experiments.common.record import Number
from experiments.fixed_point.theory import mmd_gaussian
from experiments.fixed_point.training import MIXTURE
from gmdwgf.plots.style import COLUMN, INK, PAGE, TARGET, Figure, drift_styles, legend_below, line_of, styled

Results = dict[str, Number]


def band(axes, x, numbers: list[Number], **style) -> None:
    """A line through the values, over the band of their intervals."""
    value, low, high = np.array(numbers, float).T
    axes.plot(x, value, **style)
    axes.fill_between(x, low, high, color=style["color"], alpha=0.2, linewidth=0)


@styled
def gaussian(numbers: Results, names: Iterable[str], bandwidths: tuple[float, ...]) -> Figure:
    """Variance over the target's, by bandwidth, for every drift; n = 64."""
    figure = Figure((COLUMN, 3.8), layout="constrained")
    axes = figure.subplots()
    bare(axes)
    for name, style in drift_styles(names).items():
        found = [numbers[f"gaussian {name} n=64 h={h:g}"] for h in bandwidths]
        band(axes, bandwidths, found, label=name, **line_of(style))
    expected = [mmd_gaussian(64, h) for h in bandwidths]
    axes.plot(bandwidths, expected, "x", color=INK, markersize=5, label="mmd, Gaussian: theory", zorder=4)
    axes.axhline(1, color=TARGET, linewidth=0.8, zorder=0)
    axes.set(xscale="log", xlabel="bandwidth h over the target's deviation", ylabel="variance reached / target's")
    axes.set_xticks(bandwidths, [f"{h:g}" for h in bandwidths])
    axes.minorticks_off()
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@styled
def deviations(numbers: Results, names: Iterable[str], lengths: tuple[float, ...]) -> Figure:
    """Distance from the mixture and variance within its left mode, by bandwidth: generators and flows."""
    figure = Figure((PAGE, 2.5), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    drawn = {left: ("w1", "W1 to the target"), middle: ("within", "left mode: variance / target's")}
    drawn[right] = ("left", "mass of the left mode")
    styles = drift_styles(["kl", "kl_wgf"])
    for axes, (measure, label) in drawn.items():
        bare(axes)
        for name in names:
            drift = name.split(", ")[1]
            found = [numbers[f"{name} h={h:g} {measure}"] for h in lengths]
            of_flow = {"linestyle": "--", "markerfacecolor": "white"} if name.startswith("flow") else {"linestyle": "-"}
            band(axes, lengths, found, label=name, **(line_of(styles[drift]) | of_flow))
        axes.set(xscale="log", xlabel="bandwidth, data units", ylabel=label)
        axes.set_xticks(lengths, [f"{h:g}" for h in lengths])
        axes.minorticks_off()
    left.set(yscale="log", ylim=(0.01, 0.3))
    left.set_yticks((0.02, 0.05, 0.1, 0.2), ("0.02", "0.05", "0.1", "0.2"))
    left.minorticks_off()
    left.axhline(numbers["draws n=128 w1"].value, color=TARGET, linewidth=0.8, label="128 draws of the target")
    middle.axhline(1, color=TARGET, linewidth=0.8)
    right.axhline(0.65, color=TARGET, linewidth=0.8)
    legend_below(figure)
    return figure


@styled
def laws(drawn: dict[str, Any], names: Iterable[str], lengths: tuple[float, ...]) -> Figure:
    """Densities of the laws reached (all seeds together), a column a bandwidth, over the target's."""
    shown = lengths[1:4]
    figure = Figure((PAGE, 2.3), layout="constrained")
    panels = figure.subplots(1, len(shown), sharey=True)
    grid = np.linspace(-3, 2.6, 300)
    styles = drift_styles(["kl", "kl_wgf"])
    for axes, h in zip(panels, shown, strict=True):
        bare(axes)
        axes.fill_between(
            grid, np.exp(MIXTURE.log_density(jnp.asarray(grid)[:, None])), color=TARGET, alpha=0.5, label="target"
        )
        for name in names:
            x = np.ravel(drawn[f"{name} h={h:g}"])
            density = np.exp(-((grid[:, None] - x) ** 2) / (2 * 0.08**2)).mean(1) / np.sqrt(2 * np.pi * 0.08**2)
            dash = "--" if name.startswith("flow") else "-"
            axes.plot(grid, density, dash, color=styles[name.split(", ")[1]].colour, label=name, linewidth=1)
        axes.set(xlabel="x", title=f"h = {h:g}")
    panels[0].set_ylabel("density")
    legend_below(figure)
    return figure
