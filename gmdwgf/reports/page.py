"""Render the page from the template, style sheet and scripts of this folder and the data, as one file without external resources."""

import base64
import hashlib
import html
import re
from importlib import resources
from typing import Any

from gmdwgf.reports.contents import as_json

SCRIPTS = ("core.js", "charts.js", "panels.js", "table.js", "detail.js", "main.js")


def render(data: dict[str, Any]) -> str:
    """Render the HTML file."""
    style = _text("page.css")
    script = "\n".join(['"use strict";', "(() => {", *map(_text, SCRIPTS), "})();"])
    parts = {
        "__POLICY__": policy(script, style),
        "__TITLE__": html.escape(data["title"]),
        "__STYLE__": style,
        "__SCRIPT__": script,
        "__DATA__": as_json(data),
    }
    # Substitute in one pass, so that placeholders inside the data or title are not replaced.
    return re.sub("|".join(parts), lambda found: parts[found[0]], _text("page.html"))


def policy(script: str, style: str) -> str:
    """Content-Security-Policy of the page: allows this script, this style and embedded images, and nothing else.

    There are no requests, forms or frames, and scripts cannot turn strings into markup (trusted types).
    """
    rules = {
        "default-src": "'none'",
        "script-src": _hash(script),
        "style-src": _hash(style),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    return (resources.files(__package__ or "gmdwgf.reports") / name).read_text(encoding="utf-8")
