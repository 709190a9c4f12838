"""Parse JSON and YAML of unknown origin: sizes and depths are bounded, and every problem raises the same error."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from gmdwgf.files import DamagedFile
from gmdwgf.mappings import Facts

MAX_BYTES = 16 << 20
"""Maximum size of a file in bytes; configs and manifests have a few thousand."""

MAX_DEPTH = 50


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):
    """YAML loader for plain values; dates are strings, as in configs."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if tag != "tag:yaml.org,2002:timestamp"]
    for first, pairs in _Loader.yaml_implicit_resolvers.items()
}


def parse_json(text: str) -> Any:
    """Parse JSON. Raises ValueError for any problem."""
    try:
        return _plain(json.loads(text))
    except RecursionError:
        raise ValueError("is nested too deep") from None


def parse_yaml(text: str) -> Any:
    """Parse YAML without aliases, a few of which can expand beyond the memory. Raises ValueError for any problem."""
    try:
        if re.search(r"[&*]", text):
            for event in yaml.parse(text, _Loader):
                if isinstance(event, yaml.AliasEvent):
                    raise ValueError("holds aliases")
        return _plain(yaml.load(text, _Loader))
    except RecursionError:
        raise ValueError("is nested too deep") from None
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
    ) as error:  # raised by PyYAML for values with unusual tags
        raise ValueError(str(error)) from error


def read_mapping(path: Path, parse: Callable[[str], object], fix: str) -> Facts:
    """Read a file that contains a mapping. Raises DamagedFile if it does not, and OSError if it cannot be opened."""
    try:
        found = parse(read_text(path))
    except ValueError as error:
        raise DamagedFile(path, f"cannot be read ({one_line(str(error))})", fix) from error
    if not isinstance(found, dict):
        raise DamagedFile(path, "holds no mapping", fix)
    return found


def read_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """Read a text file. Raises ValueError if it is empty, too large or not text."""
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if not content.strip():
        raise ValueError("is empty")
    if len(content) > max_bytes:
        raise ValueError(f"has more than {max_bytes:,} bytes")
    if b"\x00" in content:
        raise ValueError("holds NUL bytes")
    return content.decode("utf-8")


def one_line(text: str, n_most: int = 200) -> str:
    """Escape line breaks and control characters in text from a file, for use in a message of at most `n_most` characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:n_most]


def shown(text: str) -> str:
    """Escape undecodable bytes of file names and lone surrogates, e.g. as `\\udcff`, so that the text can be encoded."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def _plain(value: object, depth: int = 0) -> object:
    """Check that values are valid in JSON, YAML and tables: string keys, encodable strings, and 64-bit numbers."""
    if depth > MAX_DEPTH:
        raise ValueError("is nested too deep")
    if isinstance(value, dict):
        return {shown(str(name)): _plain(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) < 2**63 else float("inf") if value > 0 else -float("inf")
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return shown(value)
    raise ValueError(f"holds a {type(value).__name__}")
