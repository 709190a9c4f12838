"""Numbers with bounds from the answers of the cells: what `results.json` holds, and all that the page and its claims read."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from experiments.common.record import Number, exact, mean_of_seeds
from experiments.minimiser.cells import BATCHES, SMALL, Cell
from experiments.minimiser.finite_batches import SELF_TERMS, SIZES, exponents
from experiments.minimiser.limits import ETAS, WIDTHS, order
from experiments.minimiser.training import extrapolated

Found = list[tuple[Cell, Any]]
SHOWN = ("line", "banana", "ring", "eight")
LEAST = 1e-9
"""Distances below it are rounding of the square root of a difference of covariances."""
SEEN = 3e-6
"""Deviations from 1 below it are errors of the quadrature at finite batches."""


def of(found: Found, compute: str, **fields: Any) -> list[tuple[Cell, Any]]:
    """The cells of one kind whose fields have these values."""
    return [one for one in found if one[0]["compute"] == compute and all(one[0].get(k) == v for k, v in fields.items())]


def numbers_of(found: Found) -> dict[str, Number]:
    """All numbers, in the digits in which they are kept, so that the page says the same when it is written from the file."""
    numbers: dict[str, Number] = {}
    for part in (_rests(found), _trained(found), _batches(found), _lengths(found), _residuals(found)):
        numbers |= part
    return {name: Number(*(float(f"{x:.6g}") for x in number)) for name, number in numbers.items()}


def nearest(answer: dict[str, Any]) -> dict[str, Any] | None:
    """Of the stable rests the one nearest to the argmin; None where none is stable."""
    stable = [one for one in answer["rests"] if one["rate"] < 0]
    return min(stable, key=lambda one: one["distance"], default=None)


def _rests(found: Found) -> dict[str, Number]:
    """By setting, drift and bandwidth: distance of the nearest stable rest from the argmin, and how many rests there are."""
    numbers: dict[str, Number] = {}
    for cell, answer in of(found, "population") + of(found, "transport"):
        name, h = cell["name"], cell["h"]
        drift = cell.get("drift", "sinkhorn")
        key, rest = f"{name} {drift} h={h:g}", nearest(answer)
        tolerance = 0.05 if name == "eight" else 2e-3
        numbers[f"{key} stable rests"] = exact(sum(one["rate"] < 0 for one in answer["rests"]), 0)
        numbers[f"{key} unstable rests"] = exact(sum(one["rate"] >= 0 for one in answer["rests"]), 0)
        if rest is not None:
            far = max(rest["distance"], LEAST)
            numbers[f"{key} distance"] = Number(far, 0, 1e-2) if far < 5e-3 and drift != "kl" else exact(far, 0.1)
        if name == "line":
            for what, there in (("argmin", answer["argmin"]), ("rest", rest)):
                if there is not None:
                    numbers[f"{key} {what} c"] = exact(there["moments"][0], tolerance)
                    numbers[f"{key} {what} variance"] = exact(there["moments"][1], tolerance)
                    if drift in ("kl", "kl_wgf"):
                        numbers[f"{key} {what} KL"] = exact(there["value"], tolerance)
    return numbers


def predicted(found: Found, cell: Cell) -> list[float] | None:
    """The stable rest nearest to where a training started, or to the argmin, from the computation without batches."""
    kind = "transport" if cell["drift"] == "sinkhorn" else "population"
    fields = {"name": cell["name"], "h": cell["h"]} | ({} if kind == "transport" else {"drift": cell["drift"]})
    answers = of(found, kind, **fields)
    if not answers:
        return None
    answer, start = answers[0][1], cell["start"]
    stable = [one for one in answer["rests"] if one["rate"] < 0]
    if start is None:
        best = nearest(answer)
        return None if best is None else best["moments"]
    return min(stable, key=lambda one: abs(one["moments"][0] - start[0]))["moments"]


def split(found: Found) -> list[tuple[Cell, Any]]:
    """The training in d = 8 whose seeds start apart and end apart."""
    return of(found, "trained", name="eight", start=None)


def pairs(found: Found) -> Iterable[tuple[str, Cell, np.ndarray, np.ndarray]]:
    """The trainings on targets outside of the family: a name, the smaller cell, and moments `[seeds k]` at n and at 2n."""
    trained = [one for one in of(found, "trained") if one[0]["name"] != "normal" and one not in split(found)]
    for (cell, small), (_, large) in zip(trained[::2], trained[1::2], strict=True):
        start = "" if cell["start"] is None else f" from c={cell['start'][0]:g}"
        yield f"trained {cell['name']} {cell['drift']} h={cell['h']:g}{start}", cell, np.array(small), np.array(large)


def _trained(found: Found) -> dict[str, Number]:
    numbers: dict[str, Number] = {}
    for key, cell, small, large in pairs(found):
        expected = predicted(found, cell)
        dim = {"line": 1, "banana": 2, "ring": 2, "eight": 8}[cell["name"]]
        spread = lambda rows, dim=dim, name=cell["name"]: _total(rows, dim, name)
        for what, measure in (("c", lambda rows: rows[:, 0]), ("variance", spread)):
            for at, rows in ((cell["n"], small), (2 * cell["n"], large), ("infinity", extrapolated(small, large))):
                numbers[f"{key} {what} n={at}"] = mean_of_seeds(measure(rows).tolist())
            if expected is not None:
                numbers[f"{key} {what} expected"] = exact(measure(np.array([expected]))[0], 0.05 if dim == 8 else 2e-3)
    for cell, answer in split(found):
        ((_, known),) = of(found, "population", name="eight", drift="kl", h=cell["h"])
        stable = [one["moments"] for one in known["rests"] if one["rate"] < 0]
        apart = np.array([[_apart(seed, rest) for rest in stable] for seed in answer])
        far = [_apart(seed, known["argmin"]["moments"]) for seed in answer]
        key = f"eight kl h={cell['h']:g}"
        numbers[f"{key} places where seeds end"] = exact(len(set(apart.argmin(axis=1).tolist())), 0)
        numbers[f"{key} largest distance of a seed from a stable rest"] = exact(apart.min(axis=1).max(), 0.5)
        numbers[f"{key} least distance of a seed from the argmin"] = exact(min(far), 0.2)
    return numbers


def _apart(a: list[float], b: list[float]) -> float:
    """W2 of two members of a diagonal family by their moments, over the width of b."""
    a_c, a_v, b_c, b_v = (part for one in (a, b) for part in np.split(np.array(one), 2))
    squared = np.sum((a_c - b_c) ** 2) + np.sum((np.sqrt(a_v) - np.sqrt(b_v)) ** 2)
    return float(np.sqrt(squared / np.sum(b_v)))


def _total(rows: np.ndarray, dim: int, name: str) -> np.ndarray:
    """Trace of the covariance, from moments."""
    covariance = rows[:, dim:]
    return covariance.sum(axis=1) if name == "eight" or dim == 1 else covariance[:, [0, 2]].sum(axis=1)


def _batches(found: Found) -> dict[str, Number]:
    """Variances at finite batches, their exponents in n, and those of trainings."""
    numbers: dict[str, Number] = {}
    for cell, answer in of(found, "exact_rests"):
        key = f"d={cell['d']} h={cell['h']:g}"
        for term in SELF_TERMS:
            found_at, slopes = np.array(answer[term]), exponents(SIZES, answer[term])
            for n in (16, 64, 256):
                value = found_at[SIZES.index(n)]
                if np.isfinite(value):
                    numbers[f"{key} {term} n={n} variance"] = exact(value, 2e-3)
            clear = [i for i in range(len(slopes)) if np.min(np.abs(found_at[i : i + 2] - 1)) > SEEN]
            for what, i in (("first exponent", clear[0]), ("last exponent", clear[-1])):
                numbers[f"{key} {term} {what}"] = exact(slopes[i], 0.02)
            numbers[f"{key} {term} last log2 n"] = exact(np.log2(SIZES[clear[-1] + 1]), 0)
    fitted = lambda rows: np.polyfit(np.log(BATCHES), np.log(np.abs(rows - 1)).T, 1)[0]
    exactly = {term: of(found, "exact_rests", d=1, h=0.2)[0][1][term] for term in SELF_TERMS}
    for term, drift in (("keep", "kl, keep"), ("leave_one_out", "kl"), ("two_batch", "kl, two_batch")):
        cells = of(found, "trained", name="normal", drift=drift)
        variances = np.array([[row[1] for row in answer] for _, answer in cells]).T  # [seeds, sizes]
        for n, column in zip(BATCHES, variances.T, strict=True):
            numbers[f"trained {term} h=0.2 n={n} variance"] = mean_of_seeds(column.tolist())
        if term != "leave_one_out":
            numbers[f"trained {term} h=0.2 exponent"] = mean_of_seeds(fitted(variances).tolist())
            there = np.array([[exactly[term][SIZES.index(n)] for n in BATCHES]])
            numbers[f"exact {term} h=0.2 exponent"] = exact(float(fitted(there)[0]), 0.01)
    return numbers


def _lengths(found: Found) -> dict[str, Number]:
    """Orders in eta and in h."""
    numbers: dict[str, Number] = {}
    for cell, answer in of(found, "euler"):
        key, errors = f"euler {cell['drift']} d={cell['d']}", np.array(answer["errors"])
        numbers[f"{key} order"] = exact(order(np.array(ETAS), errors), 0.01)
        limit = 2 * errors[-1] / ETAS[-1] - errors[-2] / ETAS[-2]  # the error's second order cancels
        numbers[f"{key} constant"] = exact(limit, 0.01)
        numbers[f"{key} constant expected"] = exact(answer["constant"], 0.01)
        numbers[f"{key} moved"] = exact(answer["moved"], 0.01)
    for cell, answer in of(found, "round_on_gaussian"):
        for drift, values in answer.items():
            key, errors = f"round {drift} d={cell['d']}", np.abs(np.array(values[:-1]) - values[-1])
            numbers[f"{key} order"] = exact(order(np.array(WIDTHS), errors), 0.01)
            numbers[f"{key} constant"] = exact(errors[-1] / WIDTHS[-1] ** 2, 0.01)
    at = {h: of(found, "population", name="line", drift="kl", h=h)[0][1] for h in (*SMALL, 0.05)}
    gap = {h: (nearest(answer) or {})["distance"] for h, answer in at.items()}
    numbers["line kl order of the distance"] = exact(np.log2(gap[0.025] / gap[0.0125]), 0.05)
    for what in ("argmin", "rest"):
        place = [
            np.array((answer["argmin"] if what == "argmin" else nearest(answer) or {})["moments"])
            for answer in at.values()
        ]
        change = [np.linalg.norm(b - a) for a, b in zip(place[:-1], place[1:], strict=True)]
        numbers[f"line {what} order"] = exact(np.log2(change[1] / change[0]), 0.05)
    return numbers


def _residuals(found: Found) -> dict[str, Number]:
    """Rests of the four conditions, and each residual at the others' rest."""
    numbers: dict[str, Number] = {}
    for cell, answer in of(found, "rest"):
        key = f"rest of {cell['drift']} h={cell['h']:g}"
        numbers[f"{key} c"] = exact(answer["moments"][0], 2e-3)
        numbers[f"{key} variance"] = exact(answer["moments"][1], 2e-3)
        numbers[f"{key} rate"] = exact(answer["rate"], 0.02)
    for cell, answer in of(found, "residuals"):
        for drift, row in answer.items():
            for at, value in row.items():
                number = Number(value, 0, 1e-6) if value < 1e-6 else exact(value, 0.05)
                numbers[f"residual of {drift} at {at} h={cell['h']:g}"] = number
    return numbers
