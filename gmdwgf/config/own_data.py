"""The resolver `${own_data:NUMBER,RULE}` of defaults that depend on whose data a run learns.

    bandwidth: ${own_data:0.3,{rule:nearest}}

is the number for the shipped targets, whose scale is known, and the rule (see `gmdwgf.launch.rules`) for data of the user: a
dataset read from a file, or given to `gmdwgf.fit` as an array or function. Saved configs contain the number or the rule itself.
With `features` it is the number, because the lengths of the drift are then those of the features.
"""

from omegaconf import DictConfig, Node, OmegaConf

from gmdwgf.mappings import Config


def is_own_data(root: Config) -> bool:
    """Whether the dataset of an unresolved config is read from a file, or is an object that no config can name."""
    dataset = root.get("dataset")
    return dataset.get("path") is not None if isinstance(dataset, dict) else isinstance(dataset, str)


def register() -> None:
    """Register the resolver; called once, when configs are first imported."""
    OmegaConf.register_new_resolver("own_data", _number_or_rule, replace=True)


def _number_or_rule(number: float, rule: DictConfig, *, _root_: Node) -> float | DictConfig:
    # Sections are read unresolved: a path from the environment would make this value look as if it came from there.
    raw = OmegaConf.to_container(_root_, resolve=False) if isinstance(_root_, DictConfig) else {}
    root: Config = raw if isinstance(raw, dict) else {}  # type: ignore[assignment]
    return rule if is_own_data(root) and not root.get("features") else number
