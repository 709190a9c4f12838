"""Where training comes to rest, against where it should: Gaussian laws, a mixture on the line, generators and flows."""

from typing import Any

from experiments.common.record import Experiment, Number, exact, mean_of_seeds, table
from experiments.fixed_point.figures import deviations, gaussian, laws
from experiments.fixed_point.theory import mmd_energy, mmd_gaussian, wasserstein
from experiments.fixed_point.training import gaussian_variance, mixture_law, sampling_floor

BANDWIDTHS = (0.1, 0.2, 0.4, 0.8, 1.6)
SIZES = (16, 64, 256)
SELF_TERMS = ("keep", "leave_one_out", "two_batch")
BY_BANDWIDTH: dict[str, tuple[str, Any]] = {
    **{f"kl, {term}": ("kl", lambda h, term=term: {"bandwidth": h, "self_term": term}) for term in SELF_TERMS},
    "kl_wgf": ("kl_wgf", lambda h: {"bandwidth": h, "n_perturbations": 2}),
    "sinkhorn_proxy": ("sinkhorn_proxy", lambda h: {"bandwidth": h}),
    "deng": ("deng", lambda h: {"temperature": h}),
    "mmd, Gaussian": ("mmd", lambda h: {"kernel": "gaussian", "bandwidth": h}),
    "sinkhorn, same_batch": ("sinkhorn", lambda h: {"epsilon": h**2, "self_term": "same_batch"}),
    "sinkhorn, two_batch": ("sinkhorn", lambda h: {"epsilon": h**2, "self_term": "two_batch"}),
}
WITHOUT: dict[str, tuple[str, Any]] = {
    "mmd, energy": ("mmd", lambda h: {}),
    "mmd, energy, u": ("mmd", lambda h: {"estimator": "u"}),
    "sliced_wasserstein": ("sliced_wasserstein", lambda h: {"n_projections": 1, "directions": "independent"}),
}
ALL = BY_BANDWIDTH | WITHOUT
BY_SIZE = {"kl, keep": 0.2, "mmd, energy": None, "sliced_wasserstein": None}
THREE = {
    "generator, kl": ("mlp", "kl"),
    "generator, kl_wgf": ("mlp", "kl_wgf"),
    "flow, kl": ("particles", "kl"),
    "flow, kl_wgf": ("particles", "kl_wgf"),
}
LENGTHS = (0.05, 0.1, 0.2, 0.4, 0.8)
MEASURES = ("w1", "w2", "variance", "within", "left")


def theory(name: str, n: int, h: float | None) -> float:
    """The closed form of `theory`, where there is one; NaN elsewhere."""
    if name == "mmd, Gaussian" and h is not None:
        return mmd_gaussian(n, h)
    return {"mmd, energy": mmd_energy, "sliced_wasserstein": wasserstein}.get(name, lambda n: float("nan"))(n)


def gaussians(experiment: Experiment, sizes: dict[str, int]) -> dict[str, Number]:
    """(a) The variance reached on N(0, 1), by drift and bandwidth at one batch, and by batch for a few."""
    numbers: dict[str, Number] = {}

    def measure(name: str, n: int, h: float | None) -> None:
        drift, fields = ALL[name]
        steps = sizes["slow_steps"] if drift == "sinkhorn" else sizes["line_steps"]
        found = experiment.cell(
            gaussian_variance, drift=drift, fields=fields(h), n=n, n_steps=steps, n_seeds=sizes["n_seeds"]
        )
        key = f"gaussian {name} n={n}" + ("" if h is None else f" h={h:g}")
        numbers[key] = mean_of_seeds(found)
        expected = theory(name, n, h)
        if expected == expected:
            numbers[f"{key} theory"] = exact(expected)

    for name in BY_BANDWIDTH:
        for h in BANDWIDTHS:
            measure(name, 64, h)
    for name in WITHOUT:
        measure(name, 64, None)
    for name, h in BY_SIZE.items():
        for n in SIZES:
            measure(name, n, h)
    return numbers


def mixtures(experiment: Experiment, sizes: dict[str, int]) -> tuple[dict[str, Number], dict[str, Any]]:
    """(b) and (c): the law reached on the mixture by drifts at one setting, and by generators and flows over bandwidths."""
    numbers: dict[str, Number] = {}
    drawn: dict[str, Any] = {}

    def keep(key: str, found: list[dict[str, Any]]) -> None:
        numbers.update({f"{key} {m}": mean_of_seeds([one[m] for one in found]) for m in MEASURES})
        drawn[key] = [one["quantiles"] for one in found]

    shared = {"n": 128}
    for name, (drift, fields) in ALL.items():
        if name in ("kl_wgf", "kl, keep", "kl, two_batch", "mmd, Gaussian", "mmd, energy, u"):
            continue
        given = fields(0.2)
        steps = sizes["slow_steps"] * 2 if drift == "sinkhorn" else sizes["n_steps"]
        wide = "bandwidth" in given
        found = experiment.cell(
            mixture_law,
            generator="mlp",
            drift=drift,
            fields=given,
            n_steps=steps,
            n_seeds=sizes["n_seeds"],
            eta=1.0,
            wide=wide,
            **shared,
        )
        keep(f"mixture {name}", found)
    for name, (generator, drift) in THREE.items():
        for h in LENGTHS:
            given = {"bandwidth": h} | ({"n_perturbations": 2} if drift == "kl_wgf" else {})
            # A step of kl_wgf times h^2 is a step of kl.
            eta = h**2 if drift == "kl_wgf" and generator == "particles" else 1.0
            found = experiment.cell(
                mixture_law,
                generator=generator,
                drift=drift,
                fields=given,
                n_steps=sizes["n_steps"],
                n_seeds=sizes["law_seeds"],
                eta=eta,
                wide=True,
                **shared,
            )
            keep(f"{name} h={h:g}", found)
    for n in (128, 40_000):
        keep(f"draws n={n}", experiment.cell(sampling_floor, n=n, seeds=2 * sizes["n_seeds"]))
    return numbers, drawn


def lines_of(numbers: dict[str, Number]) -> list[str]:
    """The tables of the page."""
    cell = lambda key: str(numbers[key]) if key in numbers else "-"
    rows = [[f"`{name}`", *(cell(f"gaussian {name} n=64 h={h:g}") for h in BANDWIDTHS)] for name in BY_BANDWIDTH]
    rows.append(["`mmd, Gaussian`, theory", *(f"{mmd_gaussian(64, h):.3g}" for h in BANDWIDTHS)])
    lines = ["Variance reached on N(0, 1), n = m = 64 (ε = h²); 95 % intervals over seeds:", ""]
    lines += [*table(("drift", *(f"h = {h:g}" for h in BANDWIDTHS)), rows), "", "By batch:", ""]
    rows = []
    for name, h in BY_SIZE.items():
        tail = "" if h is None else f" h={h:g}"
        rows.append(
            [f"`{name}`" + tail.replace(" h=", ", h = "), *(cell(f"gaussian {name} n={n}{tail}") for n in SIZES)]
        )
        if h is None:
            rows.append([f"`{name}`, theory", *(f"{theory(name, n, None):.3g}" for n in SIZES)])
    rows.append(["`mmd, energy, u`", "-", cell("gaussian mmd, energy, u n=64"), "-"])
    lines += [
        *table(("drift", *(f"n = {n}" for n in SIZES)), rows),
        "",
        "The mixture, generator `mlp`, n = m = 128:",
        "",
    ]
    named = [key[: -len(" w1")] for key in numbers if key.endswith(" w1")]
    described = (
        "law",
        "W1",
        "W2",
        "variance / target's",
        "variance within the left mode",
        "mass of the left mode (0.65)",
    )
    each = lambda keys: [[f"`{key}`", *(cell(f"{key} {m}") for m in MEASURES)] for key in keys]
    lines += table(described, each([k for k in named if k.startswith(("mixture", "draws"))]))
    lines += ["", "Generators and flows over bandwidths:", ""]
    return lines + table(described, each([k for k in named if not k.startswith(("mixture", "draws"))]))


def main() -> None:
    experiment = Experiment(__file__, __doc__)
    quick = {"n_seeds": 3, "law_seeds": 5, "line_steps": 3000, "slow_steps": 600, "n_steps": 3000}
    sizes = (
        quick
        if experiment.quick
        else {"n_seeds": 8, "law_seeds": 8, "line_steps": 20_000, "slow_steps": 6000, "n_steps": 20_000}
    )
    numbers = gaussians(experiment, sizes)
    more, drawn = mixtures(experiment, sizes)
    numbers |= more
    experiment.figure("gaussian", gaussian(numbers, BY_BANDWIDTH, BANDWIDTHS))
    experiment.figure("deviations", deviations(numbers, THREE, LENGTHS))
    experiment.figure("laws", laws(drawn, THREE, LENGTHS))
    experiment.write(numbers, lines_of(numbers))


if __name__ == "__main__":
    main()
