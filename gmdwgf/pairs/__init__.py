"""Sums over pairs of points: kernels, streamed reductions, slicing, and sharding of rows over devices."""
