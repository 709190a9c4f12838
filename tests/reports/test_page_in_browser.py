"""The page in a real browser, without a display; skipped where there is no Chromium. `make test-browser` runs it."""

import json

import numpy as np
import pytest

from gmdwgf.report import main
from tests.reports.conftest import wait
from tests.runs.folders import make_run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Two drifts, two settings, two seeds and two datasets; mmd with bandwidth 2 diverged, one run failed."""
    folder = tmp_path_factory.mktemp("sweep")
    for dataset in ("eight_gaussians", "pinwheel"):
        for seed in (0, 1):
            for i, bandwidth in enumerate((0.3, 2.0)):
                where = {"dataset": dataset, "seed": seed, "drift__bandwidth": bandwidth}
                make_run(folder, mmd2=0.01 * (i + 1) * (seed + 1), drift="kl", **where)
                state = "diverged" if i else "failed" if seed and dataset == "pinwheel" else "done"
                make_run(folder, state, mmd2=-0.0005, drift="mmd", drift__kernel="gaussian", **where)
    assert main([str(folder)]) == 0
    return folder


@pytest.fixture
def page(browser, sweep):
    """The page, freshly opened; a message on the console fails the test."""
    browser.get("about:blank")
    browser.get((sweep / "report.html").as_uri())
    wait(browser, "return document.documentElement.dataset.ready === 'true'")
    yield browser
    assert browser.get_log("browser") == []


def all_of(page, selector, what="textContent"):
    return page.execute_script(f"return [...document.querySelectorAll({json.dumps(selector)})].map((e) => e.{what})")


def click(page, selector, nth=0):
    page.execute_script(f"document.querySelectorAll({json.dumps(selector)})[{nth}].click()")


def ink(page, selector):
    """How many pixels of a canvas are drawn, once it is in view."""
    page.execute_script(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{behavior: 'instant'}})")
    page.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(arguments[0], 60)))")
    return page.execute_script(
        f"const c = document.querySelector({json.dumps(selector + ' canvas')}), copy = new OffscreenCanvas(c.width, c.height);"
        "const context = copy.getContext('2d', {willReadFrequently: true}); context.drawImage(c, 0, 0);"
        "return context.getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 === 3 && v).length"
    )


def column(page, name):
    headings = [text.strip() for text in all_of(page, "#table th")]
    return all_of(page, f"#table tbody td:nth-child({headings.index(name) + 1})")


def test_every_cell_has_a_panel_in_the_row_of_its_drift(page):
    rows = page.execute_script(
        "return [...document.querySelectorAll('.panels')].map((p) => [p.dataset.set, p.dataset.drift, p.children.length])"
    )
    assert rows == [[d, drift, 2] for d in ("eight_gaussians", "pinwheel") for drift in ("kl", "mmd")]


def test_samples_are_drawn_and_the_panel_of_a_diverged_run_is_empty(page):
    mine = "[data-set=eight_gaussians][data-drift={}] .panel:nth-child({})"
    assert ink(page, mine.format("kl", 1)) > 100
    assert ink(page, mine.format("mmd", 2)) == 0
    assert all_of(page, mine.format("mmd", 2) + " .empty", "innerText") == ["diverged\nat step 100"]


def test_the_scrubber_moves_the_samples_and_before_it_diverged_a_run_is_seen(page):
    panel = "[data-set=eight_gaussians][data-drift=mmd] .panel:nth-child(2)"
    page.execute_script("const s = document.querySelector('#scrub'); s.value = 0; s.dispatchEvent(new Event('input'))")
    assert all_of(page, "#step") == ["step 0"]
    first = ink(page, panel)
    assert first > 100
    page.execute_script(
        "const s = document.querySelector('#scrub'); s.value = 0.5; s.dispatchEvent(new Event('input'))"
    )
    assert all_of(page, "#step") == ["step 50"]
    assert ink(page, panel) > 100
    picture = "return document.querySelector('[data-drift=kl] canvas').toDataURL()"
    before = page.execute_script(picture)
    click(page, "#play")
    wait(page, "return document.querySelector('#play').textContent === '▶'")
    assert all_of(page, "#step") == ["step 200"]
    ink(page, "[data-drift=kl]")
    assert page.execute_script(picture) != before


def test_samples_lie_where_they_were_quantised(page, sweep):
    """The centre of what is drawn, against samples.npz."""
    run = page.execute_script("return document.querySelector('[data-drift=kl] .panel').dataset.run")
    with np.load(next(sweep.glob(f"*-{run}")) / "samples.npz") as kept:
        x, y = kept["x"][-1], kept["y"]
    from gmdwgf.reports.samples import VISIBLE, window_of

    window = window_of(y)
    expected = (x[:, 0] - window.centre[0]) / window.half * VISIBLE
    script = f"const r = JSON.parse(document.getElementById('data').textContent).runs.find((r) => r.id === '{run}');"
    script += "const b = Uint8Array.from(atob(r.frames.x), (c) => c.charCodeAt(0));"
    script += "return [...new Int16Array(b.buffer)].slice(-2 * r.frames.n).filter((v, i) => i % 2 === 0)"
    np.testing.assert_allclose(page.execute_script(script), np.clip(expected, -32767, 32767), atol=0.51)


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_it_round(page):
    headings = [text.strip() for text in all_of(page, "#table th")]
    click(page, "#table th button", headings.index("bandwidth"))
    assert column(page, "bandwidth") == ["0.3"] * 8 + ["2"] * 8
    click(page, "#table th button", headings.index("bandwidth"))
    assert column(page, "bandwidth") == ["2"] * 8 + ["0.3"] * 8
    assert all_of(page, "#table th[aria-sort]", "ariaSort") == ["descending"]
    click(page, "#table th button", headings.index("time"))
    times = [float(text.split()[0]) for text in column(page, "time")]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("words", "n"),
    [("mmd", 8), ("kl pinwheel bandwidth=2", 2), ("diverged seed=1", 2), ("disk full", 1), ("nothing", 0)],
)
def test_filtering_by_words_keeps_the_runs_that_have_all_of_them(page, words, n):
    page.find_element("id", "filter").send_keys(words)
    assert len(all_of(page, "#table tbody tr")) == n
    assert all_of(page, "#shown") == [f"{n} of 16 runs"]


def test_filtering_by_state(page):
    states = [text.split()[0] for text in all_of(page, "#states button")]
    click(page, "#states button", states.index("diverged"))
    assert set(column(page, "state")) == {"diverged"}
    click(page, "#states button", states.index("failed"))
    assert sorted(set(column(page, "state"))) == ["diverged", "failed"]


def test_a_panel_opens_its_run_with_the_config_and_the_command(page):
    click(page, "[data-set=pinwheel][data-drift=kl] .panel", 1)
    wait(page, "return document.querySelector('#detail').open")
    (text,) = all_of(page, "#detail pre.command")
    for words in ("dataset=pinwheel", "drift=kl", "drift.bandwidth=2.0"):
        assert words in text
    (config,) = all_of(page, "#detail pre.config")
    assert "  bandwidth: 2.0\n" in config
    assert "root:" in config
    assert ink(page, "#detail .frame") > 100
    click(page, "#detail .close")
    assert not page.execute_script("return document.querySelector('#detail').open || location.hash !== ''")


def test_the_config_on_the_page_is_the_config_of_the_run(page, sweep):
    import yaml

    click(page, "[data-set=pinwheel][data-drift=mmd] .panel")
    wait(page, "return document.querySelector('#detail').open")
    (config,) = all_of(page, "#detail pre.config")
    run = page.execute_script("return location.hash").removeprefix("#run=")
    assert yaml.safe_load(config) == yaml.safe_load((next(sweep.glob(f"*-{run}")) / "config.yaml").read_text())


def test_the_overview_says_which_drift_comes_near_where(page):
    cells = all_of(page, "#matrix td .verdict")
    assert cells == ["far, 7.5× floor", "far, 7.5× floor", "at the floor", "at the floor"]
    findings = " ".join(all_of(page, "#findings li"))
    assert "far from the data on eight_gaussians" in findings
    assert "4 of 8 runs diverged (all with bandwidth=2). 1 of 8 runs failed." in findings


def test_values_below_zero_and_the_floor_are_inside_the_chart(page):
    inside = page.execute_script("""
        const svg = document.querySelector('[data-set=eight_gaussians] .strips svg'), box = svg.getBBox();
        const marks = [...svg.querySelectorAll('circle')].map((c) => Number(c.getAttribute('cy')));
        const low = Number(svg.querySelector('.axis').getAttribute('y1')), floor = svg.querySelector('.floor');
        const [top, height] = ['y', 'height'].map((name) => Number(floor.getAttribute(name)));
        return [Math.max(...marks) < low, Math.max(...marks) > top && Math.max(...marks) < top + height, top + height <= low];
    """)
    assert inside == [True, True, True]


def test_metric_and_seed_change_what_is_shown(page):
    page.execute_script(
        "const m = document.querySelector('#metric'); m.value = 'w2'; m.dispatchEvent(new Event('change'))"
    )
    assert all(text.startswith("W2 ") for text in all_of(page, ".curves h3"))
    before = all_of(page, ".panel", "dataset.run")
    page.execute_script(
        "const s = document.querySelector('#seed'); s.value = '1'; s.dispatchEvent(new Event('change'))"
    )
    after = all_of(page, ".panel", "dataset.run")
    assert len(after) == len(before)
    assert not set(after) & set(before)


def test_a_drift_has_one_colour_everywhere_in_light_and_in_dark(page):
    script = """
        const colour = (selector, name) => getComputedStyle(document.querySelector(selector)).getPropertyValue(name);
        return [colour('#detail, body', 'background-color'), colour('.curves .line:not(.other)', 'stroke'),
            colour('.strips circle', 'fill'), colour('.row .drift', '--c')];
    """
    seen = {}
    for _ in range(3):
        mode = all_of(page, "#theme")[0].split()[1]
        seen[mode] = page.execute_script(script)
        click(page, "#theme")
    assert set(seen) == {"auto", "light", "dark"}
    assert seen["light"][0] != seen["dark"][0]
    for values in seen.values():
        rgb = values[2].removeprefix("rgb(").removesuffix(")").split(", ")
        assert values[3].strip().lower() == "#" + "".join(f"{int(v):02x}" for v in rgb)


def test_the_page_is_no_wider_than_a_laptop(page):
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
