"""JSON and YAML that may be damaged or made to do harm: sizes and depths are bounded, and every fault is one error."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from gmdwgf.files import DamagedFile

MAX_BYTES = 16 << 20
"""Of a file that is read whole: a config or a manifest has some thousand."""

MAX_DEPTH = 50


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):
    """Plain values only; a date is text, as it is in a config."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if tag != "tag:yaml.org,2002:timestamp"]
    for first, pairs in _Loader.yaml_implicit_resolvers.items()
}


def parse_json(text: str) -> Any:
    """The value of a JSON text; ValueError for whatever is wrong with it."""
    try:
        return _plain(json.loads(text))
    except RecursionError:
        raise ValueError("is nested too deep") from None


def parse_yaml(text: str) -> Any:
    """The value of a YAML text without aliases, of which a few can stand for more than fits in memory; ValueError otherwise."""
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
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:  # PyYAML, of values with odd tags
        raise ValueError(str(error)) from error


def read_mapping(path: Path, parse: Callable[[str], Any], fix: str) -> dict[str, Any]:
    """The mapping that a file holds. Raises DamagedFile for one that holds none, and OSError where it cannot be opened."""
    try:
        found = parse(read_text(path))
    except ValueError as error:
        raise DamagedFile(path, f"cannot be read ({one_line(str(error))})", fix) from error
    if not isinstance(found, dict):
        raise DamagedFile(path, "holds no mapping", fix)
    return found


def read_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """The text of a file; ValueError where it is empty, too large or no text."""
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if not content.strip():
        raise ValueError("is empty")
    if len(content) > max_bytes:
        raise ValueError(f"has more than {max_bytes:,} bytes")
    if b"\x00" in content:
        raise ValueError("holds NUL bytes")
    return content.decode("utf-8")


def one_line(text: str) -> str:
    """Text from a file as part of a line for a person: nothing in it moves the cursor."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]


def shown(text: str) -> str:
    """Text that can be encoded: the bytes of a file name that are no letters, and half characters, as `\\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def _plain(value: Any, depth: int = 0) -> Any:
    """Values that json, yaml and a table can hold: text keys, text that can be encoded, numbers that fit in 64 bits."""
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
