"""Which columns become points, classes and weights, and every way to ask for what is not there."""

import numpy as np
import pyarrow as pa
import pytest

from gmdwgf.config.fields import FieldError
from gmdwgf.data.points import Options, read_points

N = 12
X = np.random.default_rng(0).normal(size=(N, 3))
KINDS = ["v", "u", "w"] * 4


def table(**more):
    columns = {"id": range(1, N + 1), "a": X[:, 0], "b": X[:, 1], "kind": KINDS, "flag": [True, False] * 6, **more}
    return pa.table({name: pa.array(values) for name, values in columns.items() if values is not None})


def points(source=None, **options):
    return read_points(table() if source is None else source, Options(**options))


def test_all_columns_of_numbers_are_points_and_the_others_are_told():
    found = points()
    assert found.names == ("id", "a", "b")
    np.testing.assert_array_equal(found.rows, np.c_[np.arange(1, N + 1), X[:, :2]])
    assert found.notes == (
        "column kind holds text: left out; dataset.labels=kind makes it the class",
        "column flag holds true or false: left out",
        "column id numbers the rows and is learned as a coordinate; 'dataset.columns=[a,b]' leaves it out",
    )


def test_columns_are_chosen_by_name_or_number_in_the_order_given():
    for columns in (["b", "a"], ["b", 1], [2, 1]):
        found = points(columns=columns)
        assert (found.names, found.notes) == (("b", "a"), ())
        np.testing.assert_array_equal(found.rows, X[:, [1, 0]])
    np.testing.assert_array_equal(points(columns="a").rows, X[:, :1])
    np.testing.assert_array_equal(points(columns=["a", "flag"]).rows[:, 1], [1, 0] * 6)


def test_a_name_that_is_a_number_comes_before_the_number():
    found = points(pa.table({"1": X[:, 0], "0": X[:, 1]}), columns=[1])
    np.testing.assert_array_equal(found.rows[:, 0], X[:, 0])


@pytest.mark.parametrize(
    ("label", "names", "labels"),
    [
        ("kind", ("u", "v", "w"), [1, 0, 2] * 4),
        ("flag", ("False", "True"), [1, 0] * 6),
        ("year", ("2019", "2021"), [0, 1, 1] * 4),
        ("whole", ("-1", "3"), [1, 0] * 6),
    ],
)
def test_labels_of_every_type_become_classes_in_sorted_order(label, names, labels):
    found = points(table(year=[2019, 2021, 2021] * 4, whole=[3.0, -1.0] * 6), labels=label)
    assert found.classes.names == names
    np.testing.assert_array_equal(found.classes.labels, labels)
    assert label not in found.names


def test_weights_are_no_points_and_rows_of_weight_zero_are_left_out():
    found = points(table(w=[0, 1, 2] * 4), weights="w", columns=["a"])
    np.testing.assert_array_equal(found.weights, [1, 2] * 4)
    np.testing.assert_array_equal(found.rows[:, 0], X[[k for k in range(N) if k % 3], 0])
    assert "w" not in points(table(w=[0, 1, 2] * 4), weights="w").names
    assert "4 of 12 rows have weight 0: left out" in found.notes


def with_holes():
    a, kinds, w = X[:, 0].tolist(), list(KINDS), [1.0] * N
    a[3], kinds[5], w[7] = None, None, None
    return table(a=a, kind=kinds, w=w, z=[None] + [1] * (N - 1))


@pytest.mark.parametrize(
    ("options", "row", "column"),
    [
        ({"columns": ["a"]}, 3, "a"),
        ({"columns": ["b"], "labels": "kind"}, 5, "'kind'"),
        ({"columns": ["b"], "weights": "w"}, 7, "'w'"),
    ],
)
def test_empty_cells_in_used_columns_are_refused_by_row_and_column_or_dropped(options, row, column):
    with pytest.raises(FieldError) as refused:
        points(with_holes(), **options)
    assert "1 of 12 rows" in refused.value.fix
    assert f"(the first: row {row}, column {column}" in refused.value.fix
    assert "set dataset.missing=drop" in refused.value.fix
    found = points(with_holes(), missing="drop", **options)
    rest = [k for k in range(N) if k != row]
    np.testing.assert_array_equal(found.rows[:, 0], X[rest, 0 if "a" in options["columns"] else 1])
    assert found.classes is None or found.classes.labels.tolist() == [[1, 0, 2][k % 3] for k in rest]
    assert "1 of 12 rows have empty cells or NaN: dropped (dataset.missing=drop)" in found.notes


def test_holes_in_columns_that_are_not_used_do_not_matter():
    assert len(points(with_holes(), columns=["b"]).rows) == N


def test_columns_of_an_array_go_by_number(tmp_path):
    array = np.c_[X, np.arange(N) % 2]
    np.save(tmp_path / "points.npy", array)
    found = points(str(tmp_path / "points.npy"), labels=3)
    np.testing.assert_array_equal(found.rows, X)
    assert (found.names, found.classes.labels.tolist()) == (("0", "1", "2"), [0, 1] * 6)
    np.testing.assert_array_equal(points(array, columns=[2, 0]).rows, X[:, [2, 0]])


def test_labels_and_weights_of_an_npz_file_are_its_arrays(tmp_path):
    np.savez(tmp_path / "points.npz", x=X, y=np.array(KINDS), w=np.arange(N) + 1.0)
    found = points(str(tmp_path / "points.npz"), labels="y", weights="w")
    np.testing.assert_array_equal(found.rows, X)
    assert found.classes.names == ("u", "v", "w")
    np.testing.assert_array_equal(found.weights, np.arange(N) + 1.0)


def spoilt():
    return table(c=[*map(str, range(N - 1)), "oops"])


WRONG = {
    "no_column": (None, {"columns": ["c"]}, "columns", "is no column of table; its columns: id, a, b, kind, flag"),
    "far_column": (None, {"columns": [9]}, "columns", "is no column"),
    "twice": (None, {"columns": ["a", 1]}, "columns", "names 'a' twice"),
    "no_columns": (None, {"columns": []}, "columns", "must be null or a list"),
    "text_column": (None, {"columns": ["kind"]}, "columns", "or set dataset.labels=kind"),
    "only_text": (pa.table({"t": KINDS}), {}, "path", "has no column of numbers to learn; its columns: t"),
    "spoilt": (spoilt(), {}, "path", "column 'c' holds numbers and text (the first: row 11, 'oops')"),
    "no_label": (None, {"labels": "c"}, "labels", "is no column"),
    "real_labels": (None, {"labels": "a"}, "labels", "in row 0 of table, not a class"),
    "too_many": (None, {"labels": "id"}, "labels", "12 different values in 12 rows"),
    "list_of_labels": (None, {"labels": ["kind"]}, "labels", "must be null or the name"),
    "text_weights": (None, {"weights": "kind"}, "weights", "holds text"),
    "negative": (table(w=[1] * 4 + [-2] * 8), {"weights": "w"}, "weights", "holds -2 in row 4"),
    "no_weight": (table(w=[0] * N), {"weights": "w"}, "weights", "is 0 in every row"),
    "infinite": (table(a=[np.inf] * N), {}, "path", "in 12 of 12 rows (the first: row 0, column a: inf); remove them"),
    "missing": (None, {"missing": "skip"}, "missing", "must be one of refuse, drop"),
    "all_dropped": (
        table(a=[None] * 9 + [1.0] * 3),
        {"columns": ["a", "b"], "missing": "drop"},
        "path",
        "3 rows that can be used",
    ),
    "key": ("points.csv", {"key": "x"}, "key", "leave it null"),
    "array_label": (X, {"labels": "kind"}, "labels", "an array with columns 0 to 2 without names"),
    "npz_label": ("points.npz", {"labels": "q"}, "labels", "is none of the arrays of points.npz: x, y"),
    "npz_shape": ("points.npz", {"labels": "y"}, "labels", "has shape [3] in points.npz, not [12]"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_used_is_refused_by_option_and_fix(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text("a,b\n1,2\n")
    np.savez(tmp_path / "points.npz", x=X, y=np.ones(3))
    source, options, field, fix = WRONG[case]
    with pytest.raises(FieldError) as refused:
        points(source, **options)
    assert refused.value.name == field
    assert fix in refused.value.fix
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["length (cm)", "a,b", 'say "x"', "größe"])
def test_a_suggested_name_can_be_typed(name):
    import shlex

    from gmdwgf.data.columns import override
    from gmdwgf.launch.arguments import parsed

    for names in (name, [name, "x"]):
        typed = shlex.split(override("labels", names))
        assert len(typed) == 1
        assert parsed(typed[0]).value() == names
