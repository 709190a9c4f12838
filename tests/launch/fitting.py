"""Sizes of the runs that are trained from Python in tests."""

TINY = {
    "training": {
        "n_steps": 8,
        "batch_size": 16,
        "eval_every": 4,
        "checkpoint_every": 4,
        "chunk_size": 4,
        "n_snapshot": 32,
    },
    "generator": {"width": 8, "depth": 1, "noise_dim": 2},
    "metrics": {"n_samples": 32, "n_assignment": 16, "n_projections": 4, "n_floor_draws": 2},
}
NUMBERS = {name: value for fields in TINY.values() for name, value in fields.items()}
OVERRIDES = [f"{group}.{name}={value}" for group, fields in TINY.items() for name, value in fields.items()]
