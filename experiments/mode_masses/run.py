"""Two modes with wrong masses: which drift moves mass, how fast, how far: `python -m experiments.mode_masses.run`."""

from experiments.common import record
from experiments.mode_masses import figures
from experiments.mode_masses.drifts import ENTRIES, EVERY, FLOWS, NETWORKS, RELEASED
from experiments.mode_masses.flows import ETA, networks, particles
from experiments.mode_masses.speeds import by_scalings, by_steps, speeds
from experiments.mode_masses.tables import pages

DISTANCES = [2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0]
SHORT = [3.0, 6.0, 12.0]
CORRECTIONS = [0, 1, 3, 10, 30, 100, 300]
"""Corrections of the Sinkhorn plans; 0 is the score difference."""


def sizes(quick: bool) -> dict[str, dict]:
    """Sizes of the parts."""
    seeds = {"distances": SHORT, "seeds": 3 if quick else 8}
    network = (400, 200, 64) if quick else (4000, 2000, 256)
    return {
        "speeds": {"distances": DISTANCES, "seeds": 8 if quick else 32},
        "plans": {"distances": DISTANCES, "seeds": 3 if quick else 16},
        "particles": seeds | {"n_steps": 200 if quick else 2000},
        "networks": seeds | dict(zip(("n_steps", "flow_steps", "width"), network, strict=True)),
    }


def measure(experiment: record.Experiment) -> dict:
    """Every cell, by part and name."""
    size = sizes(experiment.quick)
    at_once = lambda drift, fields, of="speeds": experiment.cell(speeds, drift=drift, fields=fields, **size[of])
    counts = CORRECTIONS if experiment.quick else [*CORRECTIONS, 1000, 3000]
    of = lambda kind, names: {
        name: experiment.cell(kind, drift=EVERY[name].config, fields=EVERY[name].of_flow(), **size[kind.__name__])
        for name in names
    }
    return {
        "speeds": {name: at_once(entry.config, entry.fields) for name, entry in ENTRIES.items()},
        "released": {name: at_once(entry.config, entry.fields) for name, entry in RELEASED.items()},
        "particles": of(particles, FLOWS),
        "networks": of(networks, NETWORKS),
        "steps": {n: at_once(*by_steps(n), "plans") for n in counts},
        "scalings": {n: at_once(*by_scalings(n), "plans") for n in counts[1:]},
    }


def main() -> None:
    experiment = record.Experiment(__file__, __doc__)
    cells = measure(experiment)
    time = ETA * sizes(experiment.quick)["particles"]["n_steps"]
    experiment.figure("speeds", figures.speeds(cells["speeds"], DISTANCES))
    experiment.figure("plans", figures.plans(cells["steps"], cells["scalings"], DISTANCES))
    experiment.figure("released", figures.released(cells["released"], DISTANCES))
    experiment.figure("masses", figures.after_training(cells["particles"], cells["networks"], SHORT, time))
    experiment.write(*pages(cells, DISTANCES, SHORT))


if __name__ == "__main__":
    main()
