"""Lines about the rows of a user to print before a run."""

import dataclasses

import numpy as np

from gmdwgf.data.points import Points
from gmdwgf.data.windows import Window
from gmdwgf.targets.standardisation import typical_distance

_UNLIKE = 30
"""Ratio of the standard deviations of two columns above which `standardise=coordinates` is suggested (ours)."""


@dataclasses.dataclass(frozen=True)
class Remarks:
    """Lines that are not compared, so that targets that differ only in them share their compiled programs."""

    lines: tuple[str, ...] = dataclasses.field(compare=False)


def introduction_of(points: Points, training: np.ndarray, n_held: int, method: str, window: Window | None) -> Remarks:
    """Lines about the rows to print before a run."""
    n_columns = training.shape[1]
    spread = np.std(training, axis=0, dtype=np.float64)
    varying = spread[spread > 0]
    n_train = len(training) if window is None else window.n_kept
    line = f"data: {n_train} training and {n_held} held-out rows of {n_columns} columns"
    if method == "none":
        line += f", used as they are (standardise=none; median distance {typical_distance(training):.3g})"
    else:
        line += (
            f"; standardise={method} (median distance 2): samples and figures have the units of the data, metrics and lengths "
            "those of the standardised rows"
        )
    lines = [line, *points.notes]
    if window is not None:
        lines.append(
            f"the file is larger than dataset.max_resident: {n_train} of its rows are in memory at a time, rows are checked for NaN "
            f"and infinity as they are read, and the standardisation is that of the first {len(training)}"
        )
    if points.classes is not None:
        lines.append(_class_note(points.classes.names, np.bincount(points.classes.labels)))
    if points.weights is not None:
        lines.append(_weight_note(points.weights))
    if (n_constant := n_columns - len(varying)) > 0:
        lines.append(f"{n_constant} of {n_columns} columns are constant")
    if (
        points.image is None
        and method in ("none", "scale")
        and len(varying)
        and varying.max() > _UNLIKE * varying.min()
    ):
        lines.append(
            f"the standard deviations of columns are from {varying.min():.2g} to {varying.max():.2g}: "
            "dataset.standardise=coordinates gives all columns the same weight"
        )
    return Remarks(tuple(lines))


def _class_note(names: tuple[str, ...], sizes: np.ndarray) -> str:
    listed = ", ".join(f"{name} ({size})" for name, size in zip(names[:5], sizes[:5], strict=True))
    return f"{len(names)} classes: {listed}{'' if len(names) <= 5 else ', ...'}"


def _weight_note(weights: np.ndarray) -> str:
    effective = weights.sum() ** 2 / np.sum(weights**2)
    return (
        f"rows are drawn by weight, for training, held-out points and floors (as if {effective:.0f} of {len(weights)} rows had "
        "equal weights)"
    )
