import numpy as np
import pytest

from gmdwgf.view import left_since, view_of


@pytest.fixture
def y():
    """Targets on a ring of radius 2, whose middle is empty."""
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    return 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


INSIDE = np.random.default_rng(0).normal(scale=0.1, size=(50, 2))
FAR = INSIDE + [7.0, -4.0]
STEPS = [0, 10, 20, 30]


def test_a_view_holds_what_is_within_its_limits(y):
    edge = 2 + 0.15 * 4  # the margin is a share of the extent
    found = view_of(y).holds(np.array([[0, 0], [edge - 0.05, 0], [edge + 0.05, 0], [np.nan, 0], [1e300, -1e300]]))
    assert found.tolist() == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("clouds", "since"),
    [
        ([INSIDE, INSIDE, FAR, FAR], 20),
        ([INSIDE, FAR, INSIDE, FAR], 30),
        ([INSIDE, FAR, FAR, INSIDE], None),
        ([FAR, 1.1 * FAR, 1.2 * FAR, 1.3 * FAR], 10),
        ([1.3 * FAR, 1.2 * FAR, 1.1 * FAR, FAR], None),
        ([FAR, FAR, FAR, FAR], None),
        ([INSIDE, INSIDE, FAR, FAR * np.nan], 20),
    ],
    ids=["left", "came back once", "came back", "started outside", "approaches", "rests outside", "not finite"],
)
def test_samples_have_left_the_data_if_all_are_outside_and_farther_than_at_the_start(clouds, since, y):
    assert left_since(STEPS, clouds, y) == since
    shifted = [3e-3 * (cloud + 1e3) for cloud in clouds]
    assert left_since(STEPS, shifted, 3e-3 * (y + 1e3)) == since


def test_one_sample_within_the_view_is_enough_not_to_have_left(y):
    almost = np.concatenate([FAR, [[0.0, 0.0]]])
    assert left_since([0, 10], [INSIDE, almost], y) is None


def test_a_view_of_many_coordinates_is_that_of_the_panels(y):
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0][:2]
    assert left_since([0, 10], [INSIDE @ turn, FAR @ turn], y @ turn) == 10


def test_samples_in_one_dimension_can_leave():
    y = np.linspace(-1, 1, 50)
    assert left_since([0, 5], [0 * y, y + 9], y) == 5
    assert left_since([0, 5], [0 * y, y], y) is None
