"""Run folders on disk; does not import JAX."""
