"""Type aliases of mappings, as stored in YAML and JSON."""

from typing import Any

Config = dict[str, Any]
"""A resolved config, or one section of it."""

Record = dict[str, Any]
"""Record of one evaluation: step, seconds, metrics and the logs of the last step."""

Facts = dict[str, Any]
"""Contents of a file of a run: a manifest, an ending, the notes of a checkpoint; or a summary."""
