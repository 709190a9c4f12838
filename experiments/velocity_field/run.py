"""Velocity of KL(q || p) between two known laws, and what every drift makes of it from samples."""

from experiments.common.record import Experiment, Number, mean_of_seeds, table
from experiments.velocity_field.fields import DRIFTS, WITH_BANDWIDTH, H, compare
from experiments.velocity_field.figures import by_bandwidth, figure_one

BANDWIDTHS = (0.1, 0.2, 0.3, 0.5, 0.8, 1.2)
MEASURES = ("kl_cosine", "kl_angle", "law_cosine", "law_angle", "own_cosine", "own_angle")


def over_seeds(experiment: Experiment, drift: str, h: float, n_seeds: int, n: int) -> dict[str, Number]:
    """Every measure of a drift at a bandwidth, over independent pairs of clouds."""
    found = [experiment.cell(compare, drift=drift, h=h, seed=seed, n=n) for seed in range(n_seeds)]
    return {measure: mean_of_seeds([one[measure] for one in found]) for measure in MEASURES if measure in found[0]}


def main() -> None:
    experiment = Experiment(__file__, __doc__)
    n_seeds, n = (5, 512) if experiment.quick else (10, 2048)
    numbers: dict[str, Number] = {}
    for name in DRIFTS:
        for measure, number in over_seeds(experiment, name, H, n_seeds, n).items():
            numbers[f"{name} {measure}"] = number
        for h in BANDWIDTHS if name in WITH_BANDWIDTH else ():
            for measure, number in over_seeds(experiment, name, h, n_seeds, n).items():
                numbers[f"{name} h={h:g} {measure}"] = number
    shown = lambda name, measure: str(numbers.get(f"{name} {measure}", "exact" if "law" in measure else "-"))
    rows = [
        [f"`{name}`", *(shown(name, m) for m in MEASURES if m != "law_angle" and m != "own_angle")] for name in DRIFTS
    ]
    head = ("drift", "samples, KL: cosine", "angle, degrees", "laws, KL: cosine", "samples, own laws: cosine")
    best = []
    for name in WITH_BANDWIDTH:
        h = max(BANDWIDTHS, key=lambda h, name=name: numbers[f"{name} h={h:g} kl_cosine"].value)
        found = [numbers[f"{name} h={h:g} {measure}"] for measure in ("kl_cosine", "kl_angle", "law_cosine")]
        best.append([f"`{name}`", f"{h:g}", *map(str, found)])
    lines = [
        f"At h = {H} (ε = h²), n = m = {n}, {n_seeds} seeds; in brackets 95 % intervals.",
        "",
        *table(head, rows),
        "",
    ]
    lines += ["The best bandwidth of each:", ""]
    lines += table(("drift", "h", "samples, KL: cosine", "angle, degrees", "laws, KL: cosine"), best)
    experiment.figure("velocity_field", figure_one(numbers, n))
    experiment.figure("bandwidths", by_bandwidth(numbers, BANDWIDTHS))
    experiment.write(numbers, lines)


if __name__ == "__main__":
    main()
