"""Run the pure training step: loop, executors, checkpoints, data streams, devices, processes and signals."""
