"""Colours that can be told apart, by distances in CIELAB (D65), with and without red-green blindness."""

import itertools

import numpy as np
import pytest

from gmdwgf.plots.palette import DASHES, DRIFTS, OTHERS, DriftStyle, colour_of, drift_styles, style_of
from gmdwgf.plots.style import INK, TARGET
from tests.conftest import ROOT

APART, APART_ON_DARK = 25.0, 15.0
"""Least distances of two colours; a difference of 2.3 is just noticeable."""
NEAR, CONFUSED = 35.0, 10.0
"""Distances below which dashes and markers must tell two drifts apart: as seen, and with red-green blindness."""
CARD = "#1a1d21"
"""Background of the report page in the dark."""

STYLES = [*DRIFTS.values(), *OTHERS]
PAIRS = list(itertools.combinations(STYLES, 2))

TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.119192, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
# Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB.
BLIND = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
}


def linear(colour):
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(colour, seen_by=None):
    rgb = linear(colour) if seen_by is None else np.clip(BLIND[seen_by] @ linear(colour), 0, 1)
    t = TO_XYZ @ rgb / WHITE
    x, y, z = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(a, b, seen_by=None):
    return np.linalg.norm(lab(a, seen_by) - lab(b, seen_by))


def contrast(colour, background):
    darker, lighter = sorted((TO_XYZ @ linear(c))[1] for c in (colour, background))
    return (lighter + 0.05) / (darker + 0.05)


def test_cielab_is_that_of_published_colours():
    np.testing.assert_allclose(lab("#ff0000"), [53.24, 80.09, 67.20], atol=0.02)
    np.testing.assert_allclose(lab("#0000ff"), [32.30, 79.19, -107.86], atol=0.02)
    assert contrast("#ffffff", "#000000") == pytest.approx(21)


def test_every_drift_has_a_style_of_its_own():
    assert {path.stem for path in (ROOT / "configs/drift").glob("*.yaml")} == set(DRIFTS)
    assert len({(style.dash, style.marker) for style in STYLES}) == len(STYLES)
    assert {style.dash for style in STYLES} == set(DASHES)


def test_any_two_colours_can_be_told_apart_from_each_other_and_from_targets_and_ink():
    assert min(distance(a.colour, b.colour) for a, b in PAIRS) >= APART
    assert min(distance(a.colour, grey) for a in STYLES for grey in (TARGET, INK)) >= APART
    assert min(distance(a.on_dark, b.on_dark) for a, b in PAIRS) >= APART_ON_DARK


def test_drifts_of_similar_colours_have_other_dashes_and_other_markers():
    near = [(a, b) for a, b in PAIRS if distance(a.colour, b.colour) < NEAR]
    assert len(near) > 10
    for a, b in near:
        assert a.dash != b.dash, (a, b)
        assert a.marker != b.marker, (a, b)


@pytest.mark.parametrize("seen_by", BLIND)
def test_drifts_that_red_green_blindness_confuses_differ_in_dash_or_marker(seen_by):
    confused = [(a, b) for a, b in PAIRS if distance(a.colour, b.colour, seen_by) < CONFUSED]
    assert confused
    assert all((a.dash, a.marker) != (b.dash, b.marker) for a, b in confused)


def test_colours_are_readable_on_white_and_on_dark():
    assert min(contrast(style.colour, "#ffffff") for style in STYLES) >= 3
    assert min(contrast(style.on_dark, CARD) for style in STYLES) >= 3


def test_a_name_that_is_not_in_the_table_has_one_of_the_other_styles_always_the_same():
    names = [f"drift{i}" for i in range(40)]
    assert {style_of(name) for name in names} == set(OTHERS)
    assert [style_of(name) for name in names] == [style_of(name) for name in names]


def test_variants_of_a_drift_share_its_colour_and_all_but_the_first_are_hollow_with_other_dashes():
    styles = drift_styles(["mmd, gaussian", "kl", "mmd, riesz", "mmd, laplace"])
    assert styles["kl"] == DRIFTS["kl"]
    assert styles["mmd, gaussian"] == DRIFTS["mmd"]
    variants = [styles[f"mmd, {kernel}"] for kernel in ("gaussian", "riesz", "laplace")]
    assert {style.colour for style in variants} == {colour_of("mmd")}
    assert [style.hollow for style in variants] == [False, True, True]
    assert len({style.dash for style in variants}) == 3
    assert isinstance(variants[0], DriftStyle)
