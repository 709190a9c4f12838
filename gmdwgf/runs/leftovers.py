"""Temporary files left by killed processes in a run folder, with the naming of this and earlier versions."""

import re
from pathlib import Path

from gmdwgf.files import writer_of

_TYPES = (".json", ".jsonl", ".yaml", ".npz", ".png", ".pdf", ".svg")
_EARLIER = re.compile(
    r"\.samples\.npz\.tmp\.npz|metrics\.jsonl\.tmp|\.probe-\d+|\.\d+\.[\w-]+\.(png|pdf|svg)", re.ASCII
)


def is_leftover(name: str) -> bool:
    """Whether a file name is that of a temporary file of gmdwgf."""
    if writer_of(name) is None:
        return _EARLIER.fullmatch(name) is not None
    words = re.sub(r"\.\d+\.tmp", "", name)  # .DONE.7.tmp.json is for DONE.json, and so was .DONE.json.7.tmp
    return words.endswith(_TYPES)


def sweep_up(folder: Path) -> None:
    """Delete temporary files at the top of a run folder and among its figures.

    The run's lock must be held, which implies that the processes that created them have ended.
    """
    for place in (folder, folder / "figures"):
        if place.is_symlink() or not place.is_dir():
            continue
        for path in place.iterdir():
            if is_leftover(path.name) and path.is_file() and not path.is_symlink():
                path.unlink(missing_ok=True)
