"""Pure training step: the problem, its state, batches, averages and the step itself. `gmdwgf.engine` runs the loop."""
