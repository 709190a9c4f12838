"""The first figure of the paper, with every drift's estimate of the velocity beside it, and the effect of the bandwidth."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.figures import bare
from experiments.common.record import Number
from experiments.common.training import velocity
from experiments.velocity_field.fields import DRIFTS, WITH_BANDWIDTH, H, clouds, drift_at, first_variation, kl_velocity
from gmdwgf.plots.style import (
    COLUMN,
    INK,
    PAGE,
    TARGET,
    Figure,
    colour_of,
    drift_styles,
    legend_below,
    line_of,
    styled,
)

Results = dict[str, Number]
LIMIT, SHOWN = 2.7, 90


def arrows(axes, x, v, colour, length=0.42) -> None:
    """Arrows at the particles, `length` long at the root mean square speed, none longer than 2.2 times that."""
    v = np.asarray(v) / np.sqrt(np.mean(np.sum(np.asarray(v) ** 2, axis=1)))
    speed = np.linalg.norm(v, axis=1, keepdims=True)
    v = v * np.minimum(1, 2.2 / np.maximum(speed, 1e-9))
    head = {"width": 0.006, "headwidth": 3.5, "headlength": 4, "headaxislength": 3.5}
    axes.quiver(*np.asarray(x).T, *(length * v).T, color=colour, angles="xy", scale_units="xy", scale=1, **head)


def plane(axes, ticks: bool) -> None:
    axes.set(aspect="equal", xlim=(-LIMIT, LIMIT), ylim=(-LIMIT, LIMIT))
    axes.set_xticks((-2, 0, 2) if ticks else ())
    axes.set_yticks((-2, 0, 2) if ticks else ())


@styled
def figure_one(numbers: Results, n: int) -> Figure:
    """First variation and velocity of KL(q || p) on the left; the drifts on the same samples on the right."""
    figure = Figure((PAGE, 3.6), layout="constrained")
    left, right = np.asarray(figure.subfigures(1, 2, width_ratios=(1, 1.3)))
    x, y = clouds(0, n)
    first_panel(left, x[:SHOWN])
    panels = right.subplots(3, 4).ravel()
    drawn = {"exact": (INK, kl_velocity(x))}
    for name in DRIFTS:
        drawn[name] = (colour_of(DRIFTS[name][0]), velocity(drift_at(name, H), x, y, jax.random.key(100)))
    for panel, (name, (colour, v)) in zip(panels, drawn.items(), strict=True):
        panel.scatter(*np.asarray(y[:250]).T, s=2, color=TARGET, alpha=0.5, linewidths=0)
        arrows(panel, x[:SHOWN], v[:SHOWN], colour, length=0.5)
        plane(panel, ticks=False)
        panel.set_title(name.replace("_", " ").replace("sliced ", "sl. "), pad=2)
        if name in DRIFTS:
            panel.set_xlabel(f"cos {numbers[f'{name} kl_cosine'].value:.2f}", labelpad=1.5)
    return figure


def first_panel(figure, x) -> None:
    """Contours of the first variation, and its descent at the particles."""
    side = np.linspace(-LIMIT, LIMIT, 120)
    grid = jnp.asarray(np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2))
    variation = np.asarray(first_variation(grid)).reshape(120, 120)
    levels = np.arange(-5, 7.5, 1)
    axes = figure.subplots()
    shown = np.clip(variation, levels[0] + 0.01, levels[-1] - 0.01)
    filled = axes.contourf(side, side, shown, levels=levels, cmap="PuOr_r", alpha=0.65)
    axes.contour(side, side, variation, levels=levels, colors=TARGET, linewidths=0.4)
    arrows(axes, x, kl_velocity(x), INK)
    axes.scatter(*np.asarray(x).T, s=3, color=INK)
    plane(axes, ticks=True)
    axes.set(xlabel="$x_1$", ylabel="$x_2$", title="flow of KL(q‖p)")
    bar = figure.colorbar(filled, ax=axes, location="bottom", shrink=0.9, pad=0.02, ticks=(-4, -2, 0, 2, 4, 6))
    bar.set_label("first variation  log q − log p + 1")


@styled
def by_bandwidth(numbers: Results, bandwidths: tuple[float, ...]) -> Figure:
    """Cosine with the KL velocity against the bandwidth: of the samples, and of the laws."""
    figure = Figure((COLUMN, 3.2), layout="constrained")
    axes = figure.subplots()
    bare(axes)
    for name, style in drift_styles(WITH_BANDWIDTH).items():
        found = [numbers[f"{name} h={h:g} kl_cosine"] for h in bandwidths]
        value, low, high = np.array(found).T
        solid = {"linestyle": "-", "linewidth": 1.1}  # dotted lines are those of the laws
        axes.plot(bandwidths, value, label=name, **(line_of(style) | solid))
        axes.fill_between(bandwidths, low, high, color=style.colour, alpha=0.1, linewidth=0)
        law = [numbers[f"{name} h={h:g} law_cosine"].value for h in bandwidths]
        axes.plot(bandwidths, law, color=style.colour, linestyle=":", linewidth=0.9)
    axes.plot([], [], color=INK, linestyle=":", linewidth=0.9, label="between the laws")
    axes.set(xscale="log", xlabel="bandwidth, data units", ylabel="cosine with the KL velocity")
    axes.set_xticks(bandwidths, [f"{h:g}" for h in bandwidths])
    axes.minorticks_off()
    legend_below(figure)
    return figure
