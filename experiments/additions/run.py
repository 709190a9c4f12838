"""Additions of other authors, what these claim and what they do here: `python -m experiments.additions.run [--preset quick|full]`."""

from typing import Any

import numpy as np

from experiments.additions import fields, flows, online
from experiments.additions.variants import VARIANTS, has_own_field, has_particles
from experiments.common.record import Experiment, Number, mean_of_seeds, table

SEEDS = 8
BARYCENTRES = [(16, 0.5), (64, 0.5), (16, 1.0), (64, 1.0)]
"""Batch size and bandwidth of the bias of a barycentre."""
SIZES = [64, 256, 1024]
BATCH = 128
ONLINE = (1, 2, 4, 8)
"""Batches whose potentials are kept."""
BASE = {name: name.partition(",")[0] for name in VARIANTS}


def of_barycentres(experiment: Experiment) -> tuple[dict[str, Number], list[str]]:
    numbers, rows = dict[str, Number](), []
    for n, h in BARYCENTRES:
        options = {"n": n, "at": 1.0, "h": h, "n_batches": 50_000 if experiment.quick else 500_000}
        cells = experiment.cell(fields.barycentre_bias, **options, seeds=SEEDS)
        row: list[Any] = [f"n = {n}, h = {h}"]
        for index, name in enumerate(("none", "abc")):
            for what in ("bias", "sd"):
                number = mean_of_seeds([cell[what][index] for cell in cells])
                numbers[f"barycentre, n={n} h={h}, {name}: {what}"] = number
                row.append(str(number) if what == "bias" else f"{number.value:.3f}")
        rows.append(row)
    return numbers, table(["batch", "bias", "sd", "bias with abc", "sd"], rows)


def of_fields(experiment: Experiment) -> tuple[dict[str, Number], list[str]]:
    numbers, rows = dict[str, Number](), []
    for name in VARIANTS:
        if not has_own_field(VARIANTS[name]):
            continue
        options = {"name": name, "n": BATCH, "n_batches": 200 if experiment.quick else 3000}
        cells = np.array(experiment.cell(fields.at_equality, **options, seeds=SEEDS))
        mean, size = mean_of_seeds(cells[:, 0].tolist()), float(np.mean(cells[:, 1]))
        share = Number(*(number / size for number in mean))
        numbers[f"field at q = p, {name}: systematic share of E|v|^2"] = share
        rows.append([name, f"{np.sqrt(size):.4f}", f"{np.sqrt(max(mean.value, 0)):.4f}", str(share)])
    return numbers, table(["drift", "rms of v", "rms of its mean", "mean², share of E\\|v\\|²"], rows)


def of_flows(experiment: Experiment) -> tuple[dict[str, Number], list[str]]:
    quick = experiment.quick
    for_particles = {"n": 64, "n_steps": 300 if quick else 4000, "eta": 0.3, "seeds": SEEDS}
    for_networks = {"width": 64 if quick else 256, "batch": 64, "n_steps": 3000 if quick else 6000}
    numbers, rows = dict[str, Number](), []
    for name in VARIANTS:
        found = {"generator": experiment.cell(flows.generator, name=name, **for_networks, seeds=SEEDS)}
        if has_particles(VARIANTS[name]):
            found["particles"] = experiment.cell(flows.particles, name=name, **for_particles)
        for kind, values in found.items():
            diverged = int(np.sum(~np.isfinite(values)))
            numbers[f"{kind}, {name}: diverged seeds"] = Number(diverged, diverged, diverged)
            if diverged:
                continue
            numbers[f"{kind}, {name}: energy distance"] = mean_of_seeds(values)
            if BASE[name] != name:
                base = numbers[f"{kind}, {BASE[name]}: energy distance"].value
                numbers[f"{kind}, {name}: over {BASE[name]}"] = mean_of_seeds([value / base for value in values])
        row = [name]
        for kind in ("particles", "generator"):
            if kind not in found:
                row += ["", ""]
                continue
            lost = f"diverged, {numbers[f'{kind}, {name}: diverged seeds'].value:.0f} of {SEEDS}"
            row.append(str(numbers.get(f"{kind}, {name}: energy distance", lost)))
            ratio = numbers.get(f"{kind}, {name}: over {BASE[name]}")
            row.append("" if ratio is None else f"{ratio.value:.2f}")
        rows.append(row)
    return numbers, table(["drift", "particles", "over plain", "generator", "over plain"], rows)


def of_online_potentials(experiment: Experiment) -> tuple[dict[str, Number], list[str]]:
    numbers, rows = dict[str, Number](), []
    for k in ONLINE:
        options = {"n": 64, "n_repeats": 200 if experiment.quick else 2000}
        found = {"noise": experiment.cell(online.noise, n_batches=k, **options, seeds=SEEDS)}
        sizes = {"width": 64 if experiment.quick else 256, "batch": 64, "n_steps": 3000 if experiment.quick else 6000}
        found["generator"] = experiment.cell(online.generator, n_batches=k, **sizes, seeds=SEEDS)
        named = {f"potentials of {k} batches: {what}": mean_of_seeds(values) for what, values in found.items()}
        numbers |= named
        rows.append([k, *map(str, named.values())])
    return numbers, table(["batches", "rms of v at q = p", "energy distance of a generator"], rows)


def of_landmarks(experiment: Experiment) -> tuple[dict[str, Number], list[str]]:
    numbers, rows = dict[str, Number](), []
    n_data, seeds = (20_000, 8) if experiment.quick else (100_000, 16)
    for name, (drift, given) in fields.KERNELS.items():
        options = {"drift": drift, "fields": given, "sizes": SIZES, "n_data": n_data}
        cells = experiment.cell(fields.nystrom, **options, seeds=seeds)
        for index, k in enumerate(SIZES):
            row: list[Any] = [name, k]
            for what in ("nystrom", "minibatch"):
                errors = mean_of_seeds([cell[what][index] for cell in cells])
                seconds = min(cell[f"seconds {what}"][index] for cell in cells)
                numbers[f"error of {name}, {k} points: {what}"] = errors
                numbers[f"/time/ of {name}, {k} points: {what}, ms"] = Number(1e3 * seconds, 0.0, np.inf)
                row += [f"{errors.value:.5f}", f"{1e3 * seconds:.2f}"]
            at_equal_time = float(row[4]) / np.sqrt(float(row[3]) / float(row[5]))
            row += [f"{at_equal_time:.5f}", f"{k * (float(row[4]) / float(row[2])) ** 2:,.0f}"]
            rows.append(row)
    head = [
        "field",
        "points",
        "landmarks",
        "ms",
        "minibatch",
        "ms",
        "minibatch of equal time",
        "minibatch of equal error",
    ]
    return numbers, table(head, rows)


def main() -> None:
    experiment = Experiment(__file__, __doc__)
    numbers, lines = dict[str, Number](), []
    for title, part in (
        ("Bias of a barycentre: mean error over batches, by abc", of_barycentres),
        (f"Field at q = p, batches of {BATCH}", of_fields),
        ("Squared energy distance from the law, at the end", of_flows),
        ("Sinkhorn drift with the potentials of the last batches, evaluated out of sample", of_online_potentials),
        (
            "Error of the velocity due to landmarks, or to a minibatch of as many targets (rms, data units)",
            of_landmarks,
        ),
    ):
        found, rows = part(experiment)
        numbers |= found
        lines += [f"{title}:", "", *rows, ""]
    experiment.write(numbers, lines[:-1])


if __name__ == "__main__":
    main()
