"""Runs as data: their identity, their folders, their tables."""
