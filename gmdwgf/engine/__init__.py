"""What runs the pure training step: loop, executors, checkpoints, streams, devices, processes, signals."""
