"""Write docs/drifts.md and the drift table of the README from docstrings, tags and YAML defaults.

python scripts/write_docs.py            # write
python scripts/write_docs.py --check    # exit 1 if they are not up to date
"""

import argparse
import dataclasses
import inspect
import json
import sys
import textwrap
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

import gmdwgf
from gmdwgf.config.build import config_dir, options
from gmdwgf.config.fields import units
from gmdwgf.drifts.base import AbstractDrift

ROOT = Path(__file__).resolve().parents[1]
PAGE, README = ROOT / "docs" / "drifts.md", ROOT / "README.md"
RESTS = ROOT / "experiments" / "fixed_point" / "results.json"
MEASURED = {
    **{name: name + " n=64 h=0.4" for name in ("deng", "kl_wgf", "sinkhorn_proxy")},
    "kl": "kl, {self_term} n=64 h=0.4",
    "sinkhorn": "sinkhorn, two_batch n=64 h=0.4",
    "mmd": "mmd, {kernel} n=64",
    "sliced_wasserstein": "sliced_wasserstein n=64",
}
"""The number of experiments/fixed_point for a drift with the defaults of its YAML, by its fields; of `sinkhorn` with two batches."""


def first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".")


def table() -> str:
    """One row a drift: what it is, what it is the flow of, and its tags, with the defaults of its YAML."""
    rows = [
        "| `drift=` | what it is | flow of | zero on identical clouds | rests on N(0, 1) at variance | reach |",
        "|---|---|---|---|--:|---|",
    ]
    classes: set[type] = set()
    for name in options("drift"):
        drift = gmdwgf.load_drift(name)
        tags, what = drift.tags(), first_sentence(inspect.getdoc(type(drift)) or "")
        what = remark(name) if type(drift) in classes else what
        classes.add(type(drift))
        zero = "yes" if tags.zero_at_equality else "no"
        cells = [f"`{name}`", what, tags.flow_of or drift.estimates or "nothing", zero, rest(name, drift), tags.reach]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def rest(name: str, drift: AbstractDrift) -> str:
    """The variance of the law that training on N(0, 1) with batches of 64 reaches, "-" where it was not measured."""
    if name not in MEASURED:
        return "-"
    fields = {field.name: getattr(drift, field.name) for field in dataclasses.fields(drift)}
    return f"{json.loads(RESTS.read_text())['gaussian ' + MEASURED[name].format(**fields)][0]:.2f}"


def remark(name: str) -> str:
    """The comment that a YAML file begins with: what tells it from another one of its class."""
    return (config_dir() / "drift" / f"{name}.yaml").read_text().splitlines()[0].removeprefix("#").strip().rstrip(".")


def entry(name: str) -> str:
    """Everything about one drift."""
    drift = gmdwgf.load_drift(name)
    tags, unit = drift.tags(), units(drift)
    yaml = OmegaConf.load(config_dir() / "drift" / f"{name}.yaml")
    assert isinstance(yaml, DictConfig)
    fields = [f.name for f in dataclasses.fields(drift) if f.name in yaml]
    lines = [
        f"## {name}",
        "",
        inspect.cleandoc(type(drift).__doc__ or ""),
        "",
        "| field | default | unit |",
        "|---|---|---|",
    ]
    lines += [f"| `{field}` | `{_short(yaml[field])}` | {unit.get(field, '')} |" for field in fields]
    facts = {
        "zero on identical clouds": tags.zero_at_equality,
        "curl-free": tags.curl_free,
        "permutation": tags.permutation,
        "translation": tags.translation,
        "rotation": tags.rotation,
    }
    told = ", ".join(f"{fact}: {'yes' if holds else 'no'}" for fact, holds in facts.items())
    flow = tags.flow_of or drift.estimates or "nothing"
    rounding = f"float32 exact to {tags.single_precision:g} of the speed"
    lines += ["", f"Tags with these defaults: flow of {flow}; reach {tags.reach}; {told}; {rounding}.", ""]
    return "\n".join(lines)


def _short(value) -> str:
    text = OmegaConf.to_yaml(value, resolve=True).strip() if OmegaConf.is_config(value) else str(value)
    return textwrap.shorten(text, 80, placeholder=" ...")


def page() -> str:
    """The whole of docs/drifts.md."""
    head = [
        "# The drifts",
        "",
        "Written by `python scripts/write_docs.py` from docstrings, tags and YAML files; edit those.",
        "The tags are held by the law tests (`gmdwgf.testing`) in double precision.",
        "Flow of F *estimated by* draws or batches: in the mean over these, or for many of them.",
        "Variance: reached with n = 64 and h = 0.4 in experiments/fixed_point, 1 would be right.",
        "",
        table(),
        "",
    ]
    return "\n".join(head + [entry(name) for name in options("drift")])


def readme() -> str:
    """The README with its table renewed."""
    text = README.read_text()
    begin, end = "<!-- drifts:begin -->\n", "<!-- drifts:end -->"
    before, rest = text.split(begin)
    return before + begin + table() + "\n" + end + rest.split(end)[1]


def main() -> int:
    """Write both files, or compare them with what they should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for path, text in ((PAGE, page()), (README, readme())):
        if check:
            stale += [path.name] if not path.is_file() or path.read_text() != text else []
        else:
            path.write_text(text)
    if stale:
        print(f"not up to date: {', '.join(stale)}; run python scripts/write_docs.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
