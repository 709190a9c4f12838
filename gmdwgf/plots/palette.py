"""Colour, dash and marker of every drift, the same in all figures: one table, on light and on dark backgrounds."""

import zlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

Dash = tuple[float, ...]
"""Lengths of dashes and gaps, in line widths; empty for a solid line."""

SOLID: Dash = ()
DASHED: Dash = (5.0, 2.0)
DOTTED: Dash = (1.5, 1.5)
DASHDOT: Dash = (6.0, 2.0, 1.5, 2.0)
SHORT: Dash = (3.0, 1.2)
DOUBLE: Dash = (6.0, 1.5, 1.5, 1.5, 1.5, 1.5)
DASHES = (SOLID, DASHED, DOTTED, DASHDOT, SHORT, DOUBLE)


class DriftStyle(NamedTuple):
    """Line style of a drift in figures with several drifts."""

    colour: str
    on_dark: str
    """The same hue, lighter, for dark backgrounds."""
    dash: Dash
    marker: str
    hollow: bool = False
    """Whether markers are not filled: a further variant of a drift that is in the figure already."""


def _row(colour: str, dash: Dash, marker: str) -> DriftStyle:
    return DriftStyle(colour, _lighter(colour), dash, marker)


def _lighter(colour: str, share: float = 0.35) -> str:
    numbers = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(n + share * (255 - n)):02X}" for n in numbers)


DRIFTS: dict[str, DriftStyle] = {
    # Transport: blue.
    "sinkhorn": _row("#0072B2", SOLID, "o"),
    "sinkhorn_steps": _row("#4E80FC", DOTTED, "D"),
    "sliced_wasserstein": _row("#2F9AB7", DASHED, "v"),
    "wflow": _row("#1B326B", DASHDOT, "p"),
    # Kernel discrepancies: green.
    "mmd": _row("#009E73", SOLID, "s"),
    "sliced_mmd": _row("#335501", DASHED, "^"),
    "drmmd": _row("#2E9502", DOTTED, "X"),
    "kale": _row("#135140", DASHDOT, "D"),
    # Differences of scores and other fields of kernel density estimates: orange and red; the Wasserstein flow of KL: indigo.
    "kl": _row("#D55E00", SOLID, "^"),
    "mean_shift": _row("#6B2A1A", DASHED, "<"),
    "kl_wgf": _row("#331BA6", DASHDOT, ">"),
    "kl_energy": _row("#E86B57", DOTTED, "d"),
    "blob": _row("#AC8763", SHORT, "s"),
    "f_divergence": _row("#E42512", DOUBLE, "P"),
    "sharp": _row("#992505", SHORT, "X"),
    "kernel_score": _row("#B36263", DASHDOT, "*"),
    # Networks that learn a witness: purple.
    "critic": _row("#77177F", SOLID, "X"),
    "critic_w1": _row("#C562E0", DASHED, "*"),
    "dmmd": _row("#8D68B8", SHORT, "h"),
    # Affinities: pink and brown.
    "deng": _row("#CC79A7", SOLID, "D"),
    "deng_learned": _row("#ED159B", DASHED, "p"),
    "deng_released": _row("#910239", DOTTED, "h"),
    "sinkhorn_proxy": _row("#A8830A", DASHDOT, "P"),
    "sum": _row("#684F0B", DOUBLE, "d"),
}
"""Styles by name of the config. Every two colours differ, with the grey of targets among them, by at least 25 in CIELAB, and have a
contrast of 3 with white; drifts of similar colours have other dashes and other markers (tests/plots/test_palette.py)."""

OTHERS = (
    _row("#5C244C", SHORT, "d"),
    _row("#E8234A", DASHED, "s"),
    _row("#708E5C", DOTTED, "v"),
)
"""Styles of names that are not in the table."""


def style_of(name: str) -> DriftStyle:
    """Style of a drift by name; what follows a comma names a variant. Unknown names get one of the other styles by a hash."""
    drift = name.partition(",")[0]
    return DRIFTS.get(drift) or OTHERS[zlib.crc32(drift.encode()) % len(OTHERS)]


def colour_of(name: str) -> str:
    """Colour of a drift, the same in all figures."""
    return style_of(name).colour


def drift_styles(names: Iterable[str], drift_of: Mapping[str, str] | None = None) -> dict[str, DriftStyle]:
    """Style of every drift of a figure; further variants of one drift (`mmd, energy`) are hollow, with other dashes.

    `drift_of` are the drifts of names that do not begin with them.
    """
    styles: dict[str, DriftStyle] = {}
    for name in dict.fromkeys(names):
        style = style_of((drift_of or {}).get(name, name))
        nth = sum(other.colour == style.colour for other in styles.values())
        dash = DASHES[(DASHES.index(style.dash) + nth) % len(DASHES)]
        styles[name] = style._replace(dash=dash, hollow=nth > 0)
    return styles
