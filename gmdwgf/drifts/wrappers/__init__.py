"""Drifts that wrap or combine other drifts."""
