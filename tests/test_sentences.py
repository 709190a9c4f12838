"""Comparative sentences of the pages against the numbers of the experiments."""

import json

import pytest

from experiments import sentences
from tests.conftest import ROOT

PAGES = sorted(path for pattern in sentences.PAGES for path in ROOT.glob(pattern))
NUMBERS = {"a": [1.0, 0.9, 1.1], "b": [2.0, 1.8, 2.2], "c": [2.1, 1.9, 2.3]}


def judged(tmp_path, text: str, name: str = "experiments/toy/README.md") -> tuple[int, list[str]]:
    """The verdict on a page beside the numbers above."""
    page = tmp_path / name
    page.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "experiments" / "toy").mkdir(parents=True, exist_ok=True)
    (tmp_path / "experiments" / "toy" / "results.json").write_text(json.dumps(NUMBERS))
    page.write_text(text)
    return sentences.judged(page, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_sentence_is_contradicted_or_compares_without_a_check(page):
    _, wrong = sentences.judged(page, ROOT)
    assert not wrong, "\n".join(wrong)


def test_the_pages_with_findings_have_checks():
    n_true = {path.parent.name: sentences.judged(path, ROOT)[0] for path in PAGES if path.name == "README.md"}
    assert all(n_true[name] >= 5 for name in ("compare", "consistency", "fixed_point", "mode_masses", "toys"))


def test_a_true_sentence_passes_and_a_contradicted_one_is_told_with_its_numbers(tmp_path):
    right = 'First this.\n\n- `a` is lower than b, b as near as c. <!-- check: below("a", "b") and overlap("b", "c") --> And more.\n'
    assert judged(tmp_path, right) == (1, [])
    n_true, (wrong,) = judged(
        tmp_path, 'First this.\n\nb is lower than a. <!-- check:\nbelow("b", "a") --> And more.\n'
    )
    assert n_true == 0
    assert wrong.startswith("experiments/toy/README.md:3: FALSE: b is lower than a.")
    assert "b = 2 (1.8 to 2.2)" in wrong
    assert "a = 1 (0.9 to 1.1)" in wrong


def test_a_comparison_without_a_check_is_told_and_belongs_to_one_sentence(tmp_path):
    _, (wrong,) = judged(tmp_path, 'By 0.1 b is the best, e.g. a et al. 2026. It is 2. <!-- check: v("b") == 2 -->\n')
    assert "no check of 'best': By 0.1 b is the best, e.g. a et al. 2026." in wrong
    assert judged(
        tmp_path, "The best of worlds. <!-- not a result --> And `the best` is [code](to/the/best.md).\n"
    ) == (0, [])


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ('v("bb") > 1', "toy has no number 'bb'; is it 'b'?"),
        ('v("b", of="other") > 1', "no results.json of 'other'"),
        ('all(v(n) > 1 for n in names("d*"))', "toy has no number like 'd*'"),
        ('v("b")', "it is neither true nor false"),
        ('v("b") > ', "invalid syntax"),
        ("().__class__ == 1", "it may not use attributes"),
        ("open == 1", "name 'open' is not defined"),
    ],
)
def test_an_expression_that_says_nothing_is_an_error(check, said, tmp_path):
    n_true, (wrong,) = judged(tmp_path, f"b is large. <!-- check: {check} -->\n")
    assert n_true == 0
    assert said in wrong


def test_what_is_no_finding_is_left_out(tmp_path):
    text = """# The best title

**Question.** Which is the best?

- *one*: the worst

**Expected.** b is the larger.

![the largest](figure.png)

*The highest.*

<!-- numbers: written by run.py -->

a is the smallest.

<!-- end of numbers -->

**What came out.** All is well.

| the best | the worst |
| --- | --: |

```
the best
```
"""
    assert judged(tmp_path, text) == (0, [])
    assert "'larger'" in judged(tmp_path, text + "\nBut b is the larger.\n")[1][0]


def test_a_section_of_the_gallery_is_held_by_the_experiment_it_names(tmp_path):
    head = "<!-- of toy -->\n<h3>The best</h3>\n[[figure toy/one|The largest, [[toy|a|.2g]].]]\n<p>"
    name = "experiments/gallery/sections/10_toy.html"
    right = '<i>a</i> is the lowest,\n[[toy|the lowest|.2g]]. <!-- check: v("a") < 1.5 --></p>'
    assert judged(tmp_path, head + right, name) == (1, [])
    _, (wrong,) = judged(tmp_path, head + "So. [[toy|a|.2g]] is the\nlowest.</p>", name)
    assert wrong == f"{name}:4: no check of 'lowest': 0 is the lowest."


def test_a_comment_that_would_end_a_paragraph_is_told(tmp_path):
    for text in (
        'b is 2.\n<!-- check: v("b") > 1 --> And so.\n',
        'One.\nb is 2. <!-- check: v("b")\n> 1 --> And so.\n',
    ):
        _, (wrong,) = judged(tmp_path, text)
        assert wrong.startswith("experiments/toy/README.md:2: a line that begins with the comment")


def test_a_check_that_is_not_read_is_told(tmp_path):
    _, (wrong,) = judged(tmp_path, '**Expected.** b is larger. <!-- check: v("b") < 1 -->\n')
    assert wrong.startswith("experiments/toy/README.md: a check is not read")
