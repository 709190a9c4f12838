"""The story of the experiments as one page: `python -m experiments.gallery.build`, or `make gallery`.

The text is in `sections/`, in which stand no results: `[[experiment|name]]` is a number of that experiment's results.json,
with a link to its line in the table at the end (value, bounds, command); `[[experiment|name|.2g]]` says how it is written,
`[[experiment|name|.0%]]` as a share; `[[figure experiment/name|caption]]` is a picture. A name that is not there is an error;
only a section that belongs to an experiment without results is left out, and that is said.
"""

import argparse
import base64
import hashlib
import html
import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from experiments.sentences import MARK

HERE = Path(__file__).resolve().parent
EXPERIMENTS = HERE.parent
SHOWN = 135
"""Dots of the screen for an inch of a printed figure."""
NUMBER = re.compile(r"\[\[(?!figure )([^\[\]|]+)\|([^\[\]]+?)(?:\|(\.\d[a-z%]))?\]\]")
FIGURE = re.compile(r"\[\[figure ([^\[\]|]+)\|([^\[\]]+)\]\]")


class Missing(Exception):
    """A number or a figure that the text asks for and no experiment has."""


class Cited(NamedTuple):
    """A number that stands in the text."""

    experiment: str
    name: str
    value: float
    low: float
    high: float


class Page:
    """Fills the places of the text, and keeps what was cited in the order of its first mention."""

    def __init__(self, experiments: Path):
        self.experiments = experiments
        self.results: dict[str, dict[str, list[float]]] = {}
        self.cited: dict[tuple[str, str], int] = {}
        self.numbers: list[Cited] = []

    def filled(self, text: str) -> str:
        """Numbers first, since they may stand in a caption."""
        text = NUMBER.sub(lambda found: self._number(*found.groups()), text)
        return FIGURE.sub(lambda found: self._figure(*found.groups()), text)

    def _number(self, experiment: str, name: str, form: str | None) -> str:
        path, name = self.experiments / experiment / "results.json", " ".join(name.split())
        if experiment not in self.results:
            if not path.is_file():
                raise Missing(f"{experiment} has no results.json; python -m experiments.{experiment}.run makes it")
            self.results[experiment] = json.loads(path.read_text())
        if name not in self.results[experiment]:
            raise Missing(f"{path} has no number {name!r}")
        place = self.cited.setdefault((experiment, name), len(self.cited) + 1)
        if place > len(self.numbers):
            self.numbers.append(Cited(experiment, name, *self.results[experiment][name]))
        shown = written(self.numbers[place - 1].value, form or ".3g")
        return f'<span class="n">{shown}</span><sup><a href="#n{place}">({place})</a></sup>'

    def _figure(self, where: str, caption: str) -> str:
        experiment, _, name = where.strip().partition("/")
        path = self.experiments / experiment / "figures" / f"{name}.png"
        if not path.is_file():
            raise Missing(f"there is no figure {path}")
        picture = base64.b64encode(path.read_bytes()).decode()
        with Image.open(path) as image:
            width = round(SHOWN * image.width / image.info.get("dpi", (300, 300))[0])
        alt = html.escape(html.unescape(re.sub(r"<sup>.*?</sup>|<[^>]+>", "", caption)), quote=True)
        image = f'<img alt="{alt}" width="{width}" src="data:image/png;base64,{picture}">'
        source = f"<code>experiments/{html.escape(experiment)}</code>"
        return f"<figure>{image}<figcaption>{caption} {source}</figcaption></figure>"

    def table(self) -> str:
        """Every number of the text: its name, value, bounds, and the command that makes it."""
        rows = []
        for place, (experiment, name, *number) in enumerate(self.numbers, start=1):
            value, low, high = (written(x, ".3g") for x in number)
            command = html.escape(f"python -m experiments.{experiment}.run")
            rows.append(
                f'<tr id="n{place}"><td>{place}</td><td>{html.escape(name)}</td><td>{value}</td>'
                f"<td>{low} to {high}</td><td><code>{command}</code></td></tr>"
            )
        head = "<tr><th></th><th>number</th><th>value</th><th>bounds</th><th>command</th></tr>"
        return f'<div class="wide"><table>{head}{"".join(rows)}</table></div>'


def written(value: float, form: str) -> str:
    """A number as text: a true minus, powers of ten as such, and ∞."""
    if value == 0:
        return "0%" if form.endswith("%") else "0"
    text = format(value, form)
    mantissa, e, power = text.partition("e")
    text = f"{mantissa} · 10<sup>{int(power)}</sup>" if e else text
    return text.replace("-", "−").replace("inf", "∞")


def told(experiments: Path) -> list[str]:
    """The sections, in the order of their names; one whose experiment (`<!-- of NAME -->`) was never run is left out."""
    texts = []
    for path in sorted((HERE / "sections").glob("*.html")):
        text = MARK.sub("", path.read_text())
        owner = re.match(r"<!-- of (\w+) -->", text)
        if owner and not (experiments / owner[1] / "results.json").is_file():
            print(f"{path.name} is left out: python -m experiments.{owner[1]}.run was not run", file=sys.stderr)
        else:
            texts.append(text)
    return texts


def build(experiments: Path) -> str:
    """The page; raises Missing."""
    page = Page(experiments)
    sections = [page.filled(text) for text in told(experiments)]
    frame = (HERE / "page.html").read_text()
    (style,) = re.findall(r"<style>(.*?)</style>", frame, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    frame = frame.replace("{{style}}", f"sha256-{digest}")  # the page has no script, and may run none
    return frame.replace("{{story}}", "\n".join(sections)).replace("{{numbers}}", page.table())


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m experiments.gallery.build", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=HERE / "gallery.html")
    arguments = parser.parse_args()
    try:
        text = build(EXPERIMENTS)
    except Missing as error:
        print(f"gallery: {error}", file=sys.stderr)
        return 1
    arguments.out.write_text(text)
    print(f"{arguments.out} ({len(text) / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
