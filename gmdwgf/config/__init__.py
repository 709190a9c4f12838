"""Compose configs and build objects from them; typed fields for hyperparameters."""
