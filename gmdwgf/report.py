"""`python -m gmdwgf.report DIR`: write a self-contained HTML page about the runs in a folder, and optionally figures for a paper."""

import argparse
import sys
from pathlib import Path

from gmdwgf.config.build import ConfigError
from gmdwgf.files import escape_what_cannot_be_shown, write_atomically
from gmdwgf.runs.records import read_all


def parser() -> argparse.ArgumentParser:
    """Parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m gmdwgf.report", description=__doc__, allow_abbrev=False)
    top.add_argument("dir", type=Path, metavar="DIR", help="a folder of runs, at any depth")
    top.add_argument("--out", type=Path, metavar="FILE.html", help="default: DIR/report.html")
    top.add_argument(
        "--figures", action="store_true", help="also every figure as PDF, SVG and PNG, in figures/ beside the page"
    )
    top.add_argument("--note", default="", help="a sentence at the top of the page, e.g. which choices are yours")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Write the page and return the exit code."""
    escape_what_cannot_be_shown()
    asked = parser().parse_args(arguments)
    page = asked.out or asked.dir / "report.html"
    try:
        if page.suffix not in (".html", ".htm"):
            raise ConfigError("--out", page, "must end in .html, so that no other file is overwritten")
        runs = read_all(asked.dir)
        from gmdwgf.reports import contents, page as pages

        write_atomically(page, pages.render(contents.contents(runs, asked.dir, page, asked.note)))
        print(f"{len(runs)} runs: {page} ({page.stat().st_size / 1e6:.1f} MB)")  # noqa: T201
        if asked.figures:
            from gmdwgf.reports.figures import draw_figures

            for path in draw_figures(runs, page.parent / "figures"):
                print(path)  # noqa: T201
    except (ConfigError, OSError) as error:
        print(f"gmdwgf: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
