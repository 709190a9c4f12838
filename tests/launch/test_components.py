"""What a config builds, and the key that is named where its parts do not go together."""

import pytest

from gmdwgf.config.build import ConfigError, errors_under
from gmdwgf.config.fields import FieldError
from gmdwgf.launch.components import Components, components_of, problem_of
from gmdwgf.launch.spec import make_spec
from tests.launch.test_environment import composed

CLASSES = ["condition=classes", "dataset=eight_gaussians", "condition.n_groups=4"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ([*CLASSES, "generator=particles"], "generator"),
        ([*CLASSES, "training.batching=sub_batches"], "training.batching"),
        ([*CLASSES, "condition.n_groups=9"], "condition.n_groups"),
        ([*CLASSES, "training.batch_size=255"], "condition.n_groups"),
        ([*CLASSES, "drift=critic"], "condition.n_groups"),
        (["dataset=image_latents", "generator=dit_tiny", "generator.shape=[4,4,5]"], "generator.shape"),
        (["training.batch_size=3", "training.batching=sub_batches"], "training.batch_size"),
    ],
)
def test_parts_that_do_not_go_together_are_named_by_the_full_key(overrides, key):
    with pytest.raises(ConfigError) as refused:
        components_of(make_spec(composed(*overrides), {}).config)
    assert refused.value.key == key


def test_a_field_error_keeps_its_own_section():
    for section, key in ((None, "drift.bandwidth"), ("training", "training.bandwidth"), ("", "bandwidth")):
        with pytest.raises(ConfigError) as refused, errors_under("drift"):
            raise FieldError("bandwidth", -1, "must be positive", section=section)
        assert (refused.value.key, refused.value.value) == (key, -1)


def test_the_components_are_typed_and_the_problem_alone_needs_no_metrics():
    config = make_spec(composed("drift=kl"), {}).config
    components = components_of(config)
    assert isinstance(components, Components)
    assert components.plan.batch_size == components.problem.batch_size
    without = {name: node for name, node in config.items() if name not in ("metrics", "tracking", "devices")}
    assert type(problem_of(without).drift) is type(components.drift.drift)
