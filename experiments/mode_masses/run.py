"""Two modes with wrong masses: which drift moves mass, how fast, how far: `python experiments/mode_masses/run.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import record  # noqa: E402
from drifts import ENTRIES, FLOWS, NETWORKS  # noqa: E402
from flows import networks, particles  # noqa: E402
from speeds import RELEASED, STEPS, by_scalings, by_steps, speeds  # noqa: E402

DISTANCES = [2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0]
SHORT = [3.0, 6.0, 12.0]


def measure(experiment: record.Experiment) -> dict:
    """Every cell, by part and name."""
    quick = experiment.quick
    ask = {"distances": DISTANCES, "seeds": 8 if quick else 32}
    flow = {"distances": SHORT, "seeds": 3 if quick else 8, "n_steps": 200 if quick else 2000}
    train = {"distances": SHORT, "seeds": 3 if quick else 8, "n_steps": 400 if quick else 4000}
    train["width"] = 64 if quick else 256
    at_once = lambda drift, fields: experiment.cell(speeds, drift=drift, fields=fields, **ask)
    of = lambda kind, names, sizes: {
        name: experiment.cell(kind, drift=ENTRIES[name].config, fields=ENTRIES[name].fields, **sizes) for name in names
    }
    return {
        "speeds": {name: at_once(entry.config, entry.fields) for name, entry in ENTRIES.items()},
        "released": {name: at_once("deng_released", fields) for name, fields in RELEASED.items()},
        "particles": of(particles, FLOWS, flow),
        "networks": of(networks, NETWORKS, train),
        "steps": {n: at_once(*by_steps(n)) for n in STEPS},
        "scalings": {n: at_once(*by_scalings(n)) for n in STEPS[1:]},
    }


if __name__ == "__main__":
    measure(record.Experiment(__file__, __doc__))
