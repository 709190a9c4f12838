"""Rows as a table: a pandas DataFrame where pandas is installed, otherwise the rows themselves."""

from typing import Any


def as_table(rows: list[dict[str, Any]]) -> Any:
    """`pandas.DataFrame(rows)`, or the list of dicts `rows` where pandas is not installed."""
    try:
        import pandas  # pyright: ignore[reportMissingImports]
    except ImportError:
        return rows
    return pandas.DataFrame(rows)
