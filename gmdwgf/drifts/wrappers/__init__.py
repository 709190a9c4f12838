"""Drifts made of other drifts."""
