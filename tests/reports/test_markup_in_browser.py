"""Runs of a stranger in a real browser: whatever stands in their files is text on the page. `make test-browser` runs it."""

import re

import pytest

from gmdwgf.report import main
from tests.reports.conftest import wait
from tests.reports.planted import MARKUP, plant

pytestmark = pytest.mark.browser

NAME = "<img src=x onerror=ran(0)>"

ELEMENTS = set(
    "html head meta title link style body header h1 h2 h3 p b div nav button input output label select option main section table "
    "thead tbody tr th td a span small ul li br footer dialog script canvas dl dt dd pre svg line text tspan rect path g circle "
    "polyline".split()
)

LOOK = (
    f"const known = new Set({sorted(ELEMENTS)});"
    + """
const done = arguments[arguments.length - 1], seen = new Set(), bad = new Set();
const note = (text) => (text.match(/ran\\(\\d+/g) ?? []).forEach((found) => seen.add(found));
const look = () => {
  for (const node of document.querySelectorAll("*")) {
    if (!known.has(node.localName)) bad.add(`element ${node.localName}`);
    for (const {name, value} of node.attributes) {
      if (name.startsWith("on") || name.includes(":") || name === "src" || name === "srcdoc") bad.add(`${name}=${value}`);
      if (name === "href" && node.localName !== "link" && !/^(#|[.][.]?[/])/.test(value)) bad.add(`href=${value}`);
      note(value);
    }
  }
  document.querySelectorAll("header, nav, main, dialog, #tip").forEach((node) => note(node.textContent));
};
const report = (found) => { look(); done({seen: [...seen], bad: [...bad], ran: window.hasRun, ...found}); };
const failed = (error) => done({error: String(error) + error.stack});
"""
)
"""Looks for elements and attributes that the page does not make, and for what was planted."""

USE = """
(async () => {
  look();
  for (const id of ["#metric", "#seed"]) {
    const choice = document.querySelector(id);
    for (const {value} of [...choice.options]) {
      choice.value = value;
      choice.dispatchEvent(new Event("change", {bubbles: true}));
      await new Promise((go) => requestAnimationFrame(() => setTimeout(go)));
    }
  }
  for (let i = 0; i < document.querySelectorAll("#table th").length; i += 7) document.querySelectorAll("#table th button")[i].click();
  for (const node of document.querySelectorAll(".strips [data-tip], .curves svg")) {
    const {x, y, width, height} = node.getBoundingClientRect();
    node.dispatchEvent(new PointerEvent("pointermove", {bubbles: true, clientX: x + width / 2, clientY: y + height / 2}));
    note(document.querySelector("#tip").textContent);
  }
  report({ids: JSON.parse(document.getElementById("data").textContent).runs.map((run) => run.id)});
})().catch(failed);
"""
"""Moves every control, once."""

OPEN = """
(async () => {
  let opened = 0;
  for (const id of arguments[0]) {
    location.hash = `run=${encodeURIComponent(id)}`;
    await new Promise((go) => setTimeout(go));
    const dialog = document.querySelector("#detail");
    opened += dialog.open && dialog.querySelector(".frame").dataset.run === id;
    note(dialog.textContent);
  }
  report({opened});
})().catch(failed);
"""
"""Opens runs by their addresses."""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """The page of the planted runs, and the same page without its policy."""
    root = tmp_path_factory.mktemp("planted")
    n, root = plant(root / "runs"), (root / "runs").rename(root / NAME)
    note = " ".join(text.format(n=0) for text in MARKUP)
    assert main([str(root), "--note", note]) == 0
    page = (root / "report.html").read_text()
    bare, n_policies = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    assert n_policies == 1
    (root / "bare.html").write_text(bare)
    return root, n


def opened(browser, path):
    """The page with a function `ran` that markup calls if it is taken for such, and what the console said so far."""
    watch = "window.hasRun = []; window.ran = (n) => window.hasRun.push(n); window.alert = window.ran;"
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": watch})
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get(path.as_uri())
    wait(browser, "return document.documentElement.dataset.ready === 'true'")
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
    return browser


@pytest.mark.parametrize("name", ["report.html", "bare.html"])
def test_markup_in_any_file_of_any_run_is_text(browser, sweep, name):
    root, n = sweep
    page = opened(browser, root / name)
    page.set_script_timeout(100)
    answers = [page.execute_async_script(LOOK + USE)]
    ids = answers[0].get("ids", [])
    for start in range(0, len(ids), 32):
        answers.append(page.execute_async_script(LOOK + OPEN, ids[start : start + 32]))
    for answer in answers:
        assert "error" not in answer, answer
        assert (answer["bad"], answer["ran"]) == ([], [])
    assert (
        len(ids) == sum(answer.get("opened", 0) for answer in answers) == n + 3
    )  # and those that nothing was planted in
    seen = {found for answer in answers for found in answer["seen"]}
    assert len(seen) > 0.5 * n  # much of what was planted is on the page, as text
    assert page.title == NAME
    assert page.execute_script("return Object.keys(Object.prototype).length === 0")
    assert page.get_log("browser") == []


def test_the_watch_sees_what_runs_where_markup_is_taken_for_such(browser, sweep):
    page = opened(browser, sweep[0] / "bare.html")
    page.execute_script("document.body.insertAdjacentHTML('beforeend', '<img src=x: onerror=ran(7)>')")
    wait(page, "return window.hasRun.length > 0")


def test_the_policy_stops_markup_even_where_a_script_would_make_it(browser, sweep):
    page = opened(browser, sweep[0] / "report.html")
    stopped = page.execute_script("""
        const tries = [
            () => document.body.insertAdjacentHTML("beforeend", "<img src=x: onerror=ran(7)>"),
            () => (document.querySelector("#tip").innerHTML = "<b>"),
            () => (document.createElement("script").text = "ran(7)"),
        ];
        return tries.map((attempt) => { try { attempt(); return false; } catch { return true; } });
    """)
    assert stopped == [True, True, True]
    page.execute_async_script("""
        const link = document.createElement("a"), image = new Image();
        link.href = "javascript:ran(7)";
        document.body.append(link);
        link.click();
        image.onerror = image.onload = () => setTimeout(arguments[0], 50);
        image.src = "https://example.invalid/x.png";
    """)
    assert page.execute_script("return window.hasRun") == []
    assert any("Content Security Policy" in entry["message"] for entry in page.get_log("browser"))
