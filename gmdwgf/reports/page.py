"""The page: a template, a style sheet and scripts of this folder, with the data, in one file that asks nothing of a network."""

import html
from importlib import resources
from typing import Any

from gmdwgf.reports.contents import as_json

SCRIPTS = ("core.js", "charts.js", "panels.js", "table.js", "detail.js", "main.js")


def render(data: dict[str, Any]) -> str:
    """The whole HTML file."""
    parts = {
        "__TITLE__": html.escape(data["title"]),
        "__STYLE__": _text("page.css"),
        "__SCRIPT__": "\n".join(_text(name) for name in SCRIPTS),
        "__DATA__": as_json(data),  # last: what stands in the data is never taken for a part
    }
    page = _text("page.html")
    for name, text in parts.items():
        page = page.replace(name, text, 1)
    return page


def _text(name: str) -> str:
    return (resources.files(__package__ or "gmdwgf.reports") / name).read_text(encoding="utf-8")
