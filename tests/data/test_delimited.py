"""Text files as people have them: separators, decimal commas, headers, empty cells, and what is refused."""

import pytest

from gmdwgf.config.fields import FieldError
from gmdwgf.data import delimited
from gmdwgf.data.tables import read_table

ROWS = [(1.5, -2.25, "u"), (0.5, 3.0, "v"), (-7.75, 0.125, "u"), (2.0, 4.5, "v")]


def text(separator=",", point=".", header=("a", "b c", "kind")) -> str:
    lines = [separator.join(header)] if header else []
    lines += [separator.join([str(x).replace(".", point), str(y).replace(".", point), kind]) for x, y, kind in ROWS]
    return "\n".join(lines) + "\n"


def table(path, content, name="points.csv"):
    file = path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(file, None, name)


KINDS = {
    "comma": ("points.csv", text()),
    "semicolon": ("points.csv", text(";")),
    "tab": ("points.csv", text("\t")),
    "tsv": ("points.tsv", text("\t")),
    "decimal_comma": ("points.csv", text(";", ",")),
    "decimal_comma_and_tab": ("points.tsv", text("\t", ",")),
    "windows": ("points.csv", b"\xef\xbb\xbf" + text().replace("\n", "\r\n").encode()),
    "spaces": ("points.csv", text(" , ").replace(" , kind", ",kind").replace(" , u", ",u").replace(" , v", ",v")),
    "quoted": ("points.csv", text().replace("u", '"u"').replace("b c", '"b c"')),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_table_is_read_from_every_kind_of_text(tmp_path, kind):
    name, content = KINDS[kind]
    found = table(tmp_path, content, name)
    assert {column: list(values) for column, values in found.columns.items()} == {
        "a": [row[0] for row in ROWS],
        "b c": [row[1] for row in ROWS],
        "kind": [row[2] for row in ROWS],
    }
    assert found.notes == ()


@pytest.mark.parametrize("last", ["kind", None])
def test_a_file_without_a_header_has_numbered_columns_and_says_so(tmp_path, last):
    content = text(header=None)
    content = content if last else content.replace(",u", ",1").replace(",v", ",2")
    found = table(tmp_path, content)
    assert list(found.columns) == ["0", "1", "2"]
    assert list(found.columns["0"]) == [row[0] for row in ROWS]
    assert found.notes == ("points.csv has no header: columns are named 0 to 2",)


def test_a_header_over_a_column_of_numbers_is_a_header(tmp_path):
    assert list(table(tmp_path, "size\n1.5\n2\n3\n").columns) == ["size"]


@pytest.mark.parametrize("empty", delimited.EMPTY)
def test_every_usual_word_for_an_empty_cell_is_one(tmp_path, empty):
    found = table(tmp_path, f"x,y\n1,2\n3,{empty}\n5,6\n").columns["y"]
    assert found.dtype == float
    assert [value == value for value in found] == [True, False, True]


def test_a_number_that_comes_late_in_a_long_file_makes_its_column_real(tmp_path):
    content = "x,y\n" + "123456,1\n" * 200_000 + "0.5,1\n"
    found = table(tmp_path, content).columns["x"]
    assert (found[0], found[-1], len(found)) == (123456.0, 0.5, 200_001)


WRONG = {
    "empty": (b"", "is empty"),
    "blank": (b"\n \n", "is empty"),
    "latin": ("name,x\né,1\n".encode("latin-1"), "is not UTF-8 text"),
    "utf16": ("x,y\n1,2\n".encode("utf-16"), "is not UTF-8 text"),
    "nul": (b"x,y\n1,\0\n", "NUL"),
    "uneven": (b"x,y\n1,2\n3\n4,5\n", "2 fields in its first row but 1 in line 3"),
    "uneven_late": (b"x,y\n" + b"1,2\n" * 30_000 + b"3\n", "every row needs the same fields"),
    "spaces_only": (b"x y\n1 2\n3 4\n", "separate the fields by"),
    "twice": (b"x,x\n1,2\n3,4\n", "several columns named 'x'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_text_that_is_no_table_is_refused_in_one_line(tmp_path, case):
    content, fix = WRONG[case]
    with pytest.raises(FieldError) as refused:
        table(tmp_path, content)
    assert (refused.value.name, refused.value.value) == ("path", "points.csv")
    assert fix in refused.value.fix
    assert "\n" not in str(refused.value)
