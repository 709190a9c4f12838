"""Names for the mappings that everything here passes around, as YAML and JSON hold them."""

from typing import Any

Config = dict[str, Any]
"""A resolved config, or one section of it."""

Record = dict[str, Any]
"""What one evaluation measured: step, seconds, metrics and the logs of the last step."""

Facts = dict[str, Any]
"""What a file of a run says: a manifest, an ending, the notes of a checkpoint; or a summary."""
