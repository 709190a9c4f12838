"""One run on disk; nothing here imports jax."""
