"""Run all benchmarks, one after the other, and renew docs/benchmarks.md and the short table of the README.

python scripts/benchmarks/all.py            # everything
python scripts/benchmarks/all.py --short    # the README's table alone, from what the page says
"""

import subprocess
import sys
from pathlib import Path

from common import PAGE, ROOT, replace_between

HERE = Path(__file__).parent
SCRIPTS = ("drifts.py", "sliced.py", "step.py", "startup.py", "sinkhorn.py")
SHORT = ("kl", "torch")
"""The sections that the README shows."""


def section(name: str) -> list[str]:
    """The lines of a section of the page up to its first empty line, and its last, which says where it comes from."""
    text = PAGE.read_text().split(f"<!-- {name}:begin -->\n")[1].split(f"<!-- {name}:end -->")[0]
    lines = text.strip().splitlines()
    return [*lines[: lines.index("")], "", lines[-1], ""] if "" in lines else lines


def main() -> None:
    """Run what is there and write."""
    if "--short" not in sys.argv[1:]:
        for script in SCRIPTS:
            if (HERE / script).is_file():
                subprocess.run([sys.executable, str(HERE / script)], check=True)
    readme = ROOT / "README.md"
    if "<!-- benchmarks:begin -->" in readme.read_text():
        replace_between(readme, "benchmarks", [line for name in SHORT for line in section(name)])


if __name__ == "__main__":
    main()
