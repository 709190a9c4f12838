"""The sources of a drift, as BibTeX entries."""

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

from gmdwgf.bibliography import sources
from gmdwgf.config.build import ConfigError, build, load_node
from gmdwgf.drifts.base import AbstractDrift


def cite(drift: str | type[AbstractDrift] | AbstractDrift) -> str:
    """BibTeX entries of the sources of a drift, given by its name (or YAML file), its class, or as an object.

        print(gmdwgf.cite("sinkhorn"))

    These are the sources in the paragraph `Source:` of its docstring, and of its parts if it is made of drifts, looked up in
    `gmdwgf/references.bib`. A line with `%`, which BibTeX skips, says which source has no entry there, and which drift names none.
    """
    named: Any = build(load_node("drift", drift, {}), "drift") if isinstance(drift, str) else drift
    if not issubclass(named if isinstance(named, type) else type(named), AbstractDrift):
        raise ConfigError("drift", drift, "must be a name of configs/drift/, a YAML file, a class of drifts or a drift")
    return "\n\n".join(dict.fromkeys(_of(named))) + "\n"


def _of(drift: AbstractDrift | type[AbstractDrift]) -> Iterator[str]:
    kind = drift if isinstance(drift, type) else type(drift)
    found, parts = sources(inspect.getdoc(kind)), _parts(drift)
    for citation in found:
        yield citation.entry.text if citation.entry else f"% {kind.__name__} cites {citation.words}: no entry"
    if not found and not parts:
        yield f"% {kind.__name__} names no source (a paragraph `Source:` in its docstring)"
    for part in parts:
        yield from _of(part)


def _parts(drift: AbstractDrift | type[AbstractDrift]) -> list[AbstractDrift]:
    """Drifts among the fields of a drift; a class has none."""
    if isinstance(drift, type):
        return []
    values = [getattr(drift, field.name) for field in dataclasses.fields(drift)]
    members = [member for value in values for member in (value if isinstance(value, tuple) else (value,))]
    return [member for member in members if isinstance(member, AbstractDrift)]
