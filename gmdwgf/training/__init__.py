"""Training: a pure step (`step.py`), data (`state.py`) and a loop that does the input and output (`loop.py`)."""
