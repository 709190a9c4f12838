"""From cells to the numbers of results.json and the tables of the README."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.common import record
from experiments.mode_masses.drifts import ENTRIES, FLOWS, NETWORKS, SIGMA
from experiments.mode_masses.speeds import TRANSPORT

FAR = {"local": 8 * SIGMA, "steps": 16 * SIGMA, "speed": 8 * SIGMA, "long": 8 * SIGMA}
"""Distance from which modes are far; 10 or 20 corrections of a plan reach beyond the kernel."""


def kinds(speeds: dict[str, Any], distances: list[float]) -> tuple[dict[str, record.Number], list[str]]:
    """Speeds of all drifts at three distances, and the fastest beyond `FAR` between mirrored clouds."""
    found, rows = {}, []
    for name, entry in ENTRIES.items():
        numbers = {
            L: record.mean_of_seeds(row) for L, row in zip(distances, speeds[name]["plain"]["speed"], strict=True)
        }
        found |= {f"speed, {name}, L = {L / SIGMA:g} sigma": number for L, number in numbers.items()}
        pairs = zip(distances, speeds[name]["mirrored"]["speed"], strict=True)
        far = [(L, record.mean_of_seeds(row)) for L, row in pairs if L >= FAR[entry.reach]]
        fastest = max((number for _, number in far), key=lambda number: number.value)
        found[f"mirrored, {name}, fastest when far"] = fastest
        off = max(abs(number.value / (TRANSPORT * L) - 1) for L, number in far)
        expected = {"local": fastest.value < 0.02, "steps": fastest.value < 0.02, "speed": 0.2 < fastest.value < 0.4}
        expected["long"] = off < 0.1
        shown = [str(numbers[L]) for L in (2.0, 4.0, 16.0)]
        says = f"{off:.0%} off transport" if entry.reach == "long" else f"{fastest.value:.2g}"
        rows.append([f"`{name}`", *shown, says, entry.reach, "yes" if expected[entry.reach] else "**no**"])
    head = ["drift", "speed, L = 4 σ", "8 σ", "32 σ", "far, mirrored", "expected", "as expected"]
    return found, record.table(head, rows)


def steps(cells: dict[int, Any], distances: list[float]) -> tuple[dict[str, record.Number], list[str]]:
    """Share of exact transport by number of corrections."""
    share = {
        n: np.array(cell["plain"]["speed"]) / (TRANSPORT * np.array(distances)[:, None]) for n, cell in cells.items()
    }
    found = {
        f"share of transport, K = {n}, L = {L / SIGMA:g} sigma": record.mean_of_seeds(row)
        for n, rows in share.items()
        for L, row in zip(distances, rows, strict=True)
    }
    rows = [[n, *(f"{row.mean():.3f}" for row in rows)] for n, rows in share.items()]
    return found, record.table(["K", *(f"L = {L / SIGMA:g} σ" for L in distances)], rows)


def released(cells: dict[str, Any], distances: list[float]) -> tuple[dict[str, record.Number], list[str]]:
    """The over-full mode's speed in RMS drifts and in data units."""
    found, rows = {}, []
    for name, cell in cells.items():
        speed, rms = (np.array(cell["plain"][key]) for key in ("speed", "rms"))
        relative = {L: record.mean_of_seeds(row) for L, row in zip(distances, speed / rms, strict=True)}
        found |= {f"released, {name}, speed in RMS, L = {L / SIGMA:g} sigma": number for L, number in relative.items()}
        shown = [str(relative[L]) for L in (4.0, 8.0, 16.0)]
        rows.append([name, *shown, *(f"{speed[distances.index(L)].mean():.2g}" for L in (4.0, 16.0))])
    head = ["switches", "RMS units, L = 8 σ", "16 σ", "32 σ", "data units, 8 σ", "32 σ"]
    return found, record.table(head, rows)


def after(cells: dict[str, Any], kind: str, names: Sequence[str], distances: list[float]) -> tuple[dict, list[str]]:
    """Mass errors at the end, of particles or networks, and of the samples of networks that were let go as particles."""
    found, rows = {}, []
    heads = {"right": "mass error", "near": "near"} | ({"freed": "samples let go"} if kind == "network" else {})
    for name in names:
        row: list[Any] = [f"`{name}`"]
        for key, words in heads.items():
            ends = np.array(cells[name][key])[:, :, -1]
            numbers = [record.mean_of_seeds(seeds if key == "near" else np.abs(seeds - 0.5)) for seeds in ends]
            found |= {
                f"{kind}, {name}, {words}, L = {L / SIGMA:g} sigma": number
                for L, number in zip(distances, numbers, strict=True)
            }
            row += [f"{number.value:.2f}" if key == "near" else str(number) for number in numbers]
        rows.append(row)
    head = [kind, *(f"{words}, {L / SIGMA:g} σ" for words in heads.values() for L in distances)]
    return found, record.table(head, rows)


def pages(
    cells: dict[str, Any], distances: list[float], short: list[float]
) -> tuple[dict[str, record.Number], list[str]]:
    """All numbers, and the tables one after another."""
    parts = {
        "Speed of the over-full mode at one instant, data units a step of η = 1 (exact transport: 0.375 L):": kinds(
            cells["speeds"], distances
        ),
        "K corrections of the Sinkhorn plans: speed over that of exact transport:": steps(cells["steps"], distances),
        "The released loss: speed of the over-full mode:": released(cells["released"], distances),
        "Particles after the flow (0.3 at the start):": after(cells["particles"], "flow", FLOWS, short),
        "Networks after training (0.3 at the start):": after(cells["networks"], "network", NETWORKS, short),
    }
    before = [record.mean_of_seeds(seeds) for seeds in np.array(cells["networks"][NETWORKS[0]]["near"])[:, :, 0]]
    numbers = {f"network, near before, L = {L / SIGMA:g} sigma": n for L, n in zip(short, before, strict=True)}
    lines: list[str] = []
    for title, (found, rows) in parts.items():
        numbers |= found
        lines += [title, "", *rows, ""]
    where = ", ".join(f"{number} at {L / SIGMA:g} σ" for L, number in zip(short, before, strict=True))
    return numbers, [*lines, f"Before this training a share of the networks' samples lies on a mode of {where}."]
