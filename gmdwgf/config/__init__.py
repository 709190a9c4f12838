"""The ground: what a config builds, and the fields of hyperparameters."""
