"""What the page may do in a browser, read off the page itself; `test_markup_in_browser.py` tries it."""

import base64
import hashlib
import re

import pytest

from gmdwgf.reports.page import SCRIPTS, render
from tests.conftest import ROOT

DATA = {"title": "<b>&\"'", "note": "__SCRIPT__ __POLICY__ </script>", "runs": []}


def hash_of(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_this_script_and_this_style_alone():
    page = render(DATA)
    rules = dict(
        rule.split(" ", 1) for rule in re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].split("; ")
    )
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == hash_of(script)
    assert rules["style-src"] == hash_of(style)
    assert rules["img-src"] == "data:"
    assert rules["require-trusted-types-for"] == "'script'"
    assert "connect-src" not in rules
    assert not re.search("unsafe|https?:|[*]", str(rules))
    assert page.index("Content-Security-Policy") < page.index("<title>")


SINKS = (
    r"innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|document\.write|setHTML|srcdoc",
    r"\beval\b|new Function|\bimport\(|set(Timeout|Interval)\(\s*[\"'`]",
    r"cssText|\.href\s*=|location\s*=|\bopen\(",
    r"[\"'`]\s*<[a-z/!]",
)
"""By what a text could become markup, a script or an address in the scripts of the page; the last is markup in a string."""


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_of_the_page_makes_markup_of_a_text(name):
    text = (ROOT / "gmdwgf" / "reports" / name).read_text()
    for sink in SINKS:
        assert not re.search(sink, text), sink
    uses = len(re.findall(r"setAttribute\(", text)) - len(re.findall(r"setAttribute\(\"aria-", text))
    assert uses == (2 if name == "core.js" else 0)  # attributes are set in one place
    assert len(re.findall(r"createElement", text)) == (2 if name == "core.js" else 0)


def test_the_template_has_no_handler_and_no_style_of_an_element():
    text = (ROOT / "gmdwgf" / "reports" / "page.html").read_text()
    assert not re.search(r"\son\w+=|\sstyle=|javascript:|\ssrc=", text)


def test_the_title_is_text_and_what_stands_in_the_data_is_no_part_of_the_template():
    page = render(DATA)
    assert "<title>&lt;b&gt;&amp;&quot;&#x27;</title>" in page
    assert "__SCRIPT__ __POLICY__ \\u003c/script>" in page
