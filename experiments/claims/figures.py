"""Figures of the claims that are curves rather than numbers."""

import numpy as np

from experiments.claims.behaviour import (
    APART,
    EPSILONS,
    FAR,
    FLOOR,
    LOCAL,
    SIGMA,
    SIZES,
    crossing,
    errors_on_the_line,
    noise_floor,
)
from experiments.claims.closed_forms import recursion, slope_after
from experiments.claims.identities import FLOWS
from experiments.claims.structure import NO_FLOWS, STEPS, particle_asymmetry
from experiments.common.figures import bare
from gmdwgf.plots.style import COLUMN, INK, TARGET, Figure, colour_of, drift_styles, line_of, styled

DRIFTS = {name: config for name, (config, _) in (LOCAL | FAR).items()}
STYLES = drift_styles(DRIFTS, DRIFTS)


def panel(height: float, **labels):
    figure = Figure((COLUMN, height), layout="constrained")
    axes = figure.subplots()
    bare(axes)
    axes.set(**labels)
    return figure, axes


def line(axes, x, y, name, **style):
    axes.plot(x, y, label=name, **(line_of(STYLES[name]) | style))


@styled
def asymmetries() -> Figure:
    figure, axes = panel(4.3, xlabel="asymmetry of the particle Jacobian", xscale="log", xlim=(1e-13, 3))
    steps = [f"Sinkhorn {k}" for k in STEPS]
    names = [*FLOWS, "smoothed KL", *reversed(steps), *NO_FLOWS]
    values = [max(particle_asymmetry(name), 1e-13) for name in names]
    flow = [name in FLOWS or name == "smoothed KL" for name in names]
    colours = [
        colour_of("sinkhorn_steps") if name in steps else colour_of("kl_wgf" if yes else "kl")
        for name, yes in zip(names, flow, strict=True)
    ]
    axes.scatter(values, range(len(names)), c=colours, s=14)
    axes.axvspan(1e-13, 1e-8, color=TARGET, alpha=0.3, linewidth=0)
    axes.set_yticks(range(len(names)), [f"Sinkhorn, K = {n.split()[1]}" if n in steps else n for n in names])
    axes.text(3e-11, len(names) - 1, "gradient flows", ha="center", va="center", fontsize="small")
    return figure


@styled
def gaussian_slopes() -> Figure:
    figure, axes = panel(2.1, xlabel="corrections K", ylabel="slope of the drift")
    axes.plot(range(9), [recursion(k) for k in range(9)], color=TARGET, label="recursion")
    axes.axhline(recursion(200), color=INK, linewidth=0.6, linestyle=":", label="K = ∞")
    shown = (0, 1, 3, 8)
    axes.plot(shown, [slope_after(k) for k in shown], "o", markersize=4, color=colour_of("sinkhorn"), label="drift")
    axes.legend()
    return figure


@styled
def small_epsilon() -> Figure:
    figure, axes = panel(2.1, xlabel="ε", ylabel="|V − (T − id)|", xscale="log", yscale="log")
    line(axes, EPSILONS, errors_on_the_line(), "Sinkhorn")
    axes.axhline(1e-3, color=TARGET, linestyle="--", linewidth=0.8)
    return figure


@styled
def far_modes() -> Figure:
    figure, axes = panel(
        3.4, xlabel="distance of the modes, σ", ylabel="|speed of the over-full mode|", xscale="log", yscale="log"
    )
    lengths = np.array(APART) / SIGMA
    axes.plot(lengths, 0.375 * np.array(APART), color=INK, linestyle=":", label="exact transport")
    for name in [*LOCAL, *FAR]:
        line(axes, lengths, np.abs(crossing(name)), name)
    axes.set_ylim(bottom=2e-3)
    axes.axhspan(2e-3, 0.02, color=TARGET, alpha=0.3, linewidth=0)
    axes.set_xticks(lengths, [f"{length:g}" for length in lengths])
    axes.minorticks_off()
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@styled
def noise_floors() -> Figure:
    figure, axes = panel(2.4, xlabel="points in each cloud", ylabel="rms |V| at p = q", xscale="log", yscale="log")
    for name in FLOOR:
        line(axes, SIZES, noise_floor(name), name)
    reference = 0.1 * np.sqrt(64 / np.array(SIZES))
    axes.plot(SIZES, reference, color=TARGET, linestyle="--", label="N$^{-1/2}$")
    axes.set_xticks(SIZES, [str(n) for n in SIZES])
    axes.set_yticks([0.03, 0.1, 0.3], ["0.03", "0.1", "0.3"])
    axes.minorticks_off()
    figure.legend(loc="outside lower center", ncols=2)
    return figure


FIGURES = {
    "claim_13_asymmetry": asymmetries,
    "claim_18_gaussian_slopes": gaussian_slopes,
    "claim_24_small_epsilon": small_epsilon,
    "claim_26_far_modes": far_modes,
    "claim_29_noise_floor": noise_floors,
}
