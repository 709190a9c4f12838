"""Sums over pairs of points: kernels, streamed reductions, slices, and how rows are placed on devices."""
