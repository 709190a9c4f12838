"""Convert rows to a pandas DataFrame if pandas is installed."""

from typing import Any


def as_table(rows: list[dict[str, Any]]) -> Any:
    """Return `pandas.DataFrame(rows)`, or the list of dicts `rows` if pandas is not installed."""
    try:
        import pandas  # pyright: ignore[reportMissingImports]
    except ImportError:
        return rows
    return pandas.DataFrame(rows)
