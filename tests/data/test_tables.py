"""Tables in text files: what is read from all that people export, and file, line and column of what cannot be."""
import gzip
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import minidl.data as data
from minidl.data.embedded import DIGITS
from minidl.errors import InputError

IRIS = "length,width,species\n5.1,3.5,setosa\n7.0,3.2,versicolor\n4.9,3,setosa\n"


@pytest.fixture
def table(tmp_path):
    """Writes a table, and gives its path."""
    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path
    return write


# Values --------------------------------------------------------------------------------------------------------------


def test_a_table_becomes_rows_labels_classes_and_columns(table):
    iris = data.csv(table(IRIS, "iris.csv"), label="species")
    np.testing.assert_array_equal(iris.x_train, np.float32([[5.1, 3.5], [7, 3.2], [4.9, 3]]))
    assert iris.x_train.dtype == np.float32 and iris.y_train.tolist() == [0, 1, 0] and iris.y_train.dtype == np.int64
    assert iris.classes == ("setosa", "versicolor") and iris.columns == ("length", "width") and iris.name == "iris"
    assert iris.x_test.shape == (0, 2) and len(iris.y_test) == 0 and "3 rows of" in iris.credit


def test_the_digits_are_read_as_numpy_reads_them():
    digits = data.csv(DIGITS, label=-1)
    numbers = np.loadtxt(DIGITS, delimiter=",")
    np.testing.assert_array_equal(digits.x_train, numbers[:, :64])
    np.testing.assert_array_equal(digits.y_train, numbers[:, 64])
    assert digits.classes == tuple("0123456789") and digits.columns == () and digits.name == "digits"


@pytest.mark.parametrize("text", [
    "a,b,c\n1,2.5,-3e2\n4,5,6\n", "a;b;c\n1;2.5;-3e2\n4;5;6\n", "a\tb\tc\n1\t2.5\t-3e2\n4\t5\t6\n",
    "a|b|c\n1|2.5|-3e2\n4|5|6", "a b  c\n 1   2.5 -3e2 \n4 5\t6\n", "a, b, c\r\n1, 2.5, -3e2\r\n\r\n4, 5, 6\r\n\r\n",
    '"a","b","c"\n"1","2.5","-3e2"\n"4","5","6"\n', "\ufeffa,b,c\n1,2.5,-3e2\n4,5,6\n", "# a,b,c\n1,2.5,-3e2\n4,5,6\n",
    "a,b,c\n1,2.5,-3e2\n,,\n4,5,6\n,,\n", "a,b,c\r1,2.5,-3e2\r4,5,6\r",
])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_delimiter_header_quotes_and_line_ends_are_found_out(table, text, pack):
    numbers = data.csv(table(pack(text.encode())))
    np.testing.assert_array_equal(numbers.x_train, np.float32([[1, 2.5, -300], [4, 5, 6]]))
    assert numbers.columns == ("a", "b", "c") and numbers.y_train is None and numbers.classes == ()


def test_a_first_line_with_a_number_is_a_row_unless_it_is_said_to_be_a_header(table):
    path = table("2019,2020\n1,2\n3,4\n")
    assert data.csv(path).x_train.shape == (3, 2)
    assert data.csv(path, header=True).columns == ("2019", "2020")
    numbered = data.csv(path, header=True, label="2020")
    assert numbered.x_train.tolist() == [[1], [3]] and numbered.y_train.tolist() == [2, 4]


def test_a_delimiter_may_be_given(table):
    assert data.csv(table("a,b:c;d\n1:2\n"), delimiter=":").columns == ("a,b", "c;d")
    assert data.csv(table('name;x,y\n"a;b",3\n'), drop=0, delimiter=",").x_train.tolist() == [[3]]


def test_what_stands_in_quotes_does_not_divide(table):
    poems = data.csv(table('line,feet,poet\n"Tyger, Tyger; burning\nbright",4,Blake\n"a ""so-called"" rose",3,X\n'),
                     drop=["line"], label="poet")
    assert poems.x_train.tolist() == [[4], [3]] and poems.classes == ("Blake", "X")


def test_columns_are_named_by_name_or_by_place_and_may_be_dropped(table):
    path = table("id,a,b,y\n7,1,2,0\n8,3,4,1\n")
    for label, drop in (("y", "id"), (3, [0]), (-1, ["id"]), ("y", (-4,)), (np.int64(3), np.int64(0))):
        numbers = data.csv(path, label=label, drop=drop)
        assert numbers.x_train.tolist() == [[1, 2], [3, 4]] and numbers.y_train.tolist() == [0, 1]
        assert numbers.columns == ("a", "b")


def test_labels_that_are_numbers_keep_their_value(table):
    def labels(*texts):
        return data.csv(table("\n".join(f"1,{text}" for text in texts)), label=1)
    for texts, values, classes in (
            (("0", "2", "1", "1"), [0, 2, 1, 1], ("0", "1", "2")), (("-1", "1"), [-1, 1], ()),
            (("1", "2", "3"), [1, 2, 3], ()), (("0.0", "1.0"), [0, 1], ("0", "1")), (("0", "7"), [0, 7], ())):
        numbers = labels(*texts)
        assert numbers.y_train.tolist() == values and numbers.y_train.dtype == np.int64 and numbers.classes == classes
    prices = labels("1", "2.5")
    assert prices.y_train.dtype == np.float32 and prices.y_train.tolist() == [1, 2.5] and prices.classes == ()
    assert labels("1700000000.5", "1.5").y_train.tolist() == [1700000000.5, 1.5]


def test_another_file_of_the_same_classes_has_the_same_labels(table):
    train = data.csv(table(IRIS), label="species")
    path = table("length,width,species\n1,2,versicolor\n", "test.csv")
    assert data.csv(path, label="species").y_train.tolist() == [0]
    assert data.csv(path, label="species", classes=train.classes).y_train.tolist() == [1]
    path.write_text("length,width,species\n1,2,versicolour\n")
    with pytest.raises(InputError, match=r"test.csv, line 2, column 3 \(species\): the label 'versicolour' is not "
                                         "among the classes setosa, versicolor"):
        data.csv(path, label="species", classes=train.classes)


def test_a_class_may_be_called_none_where_classes_are_texts(table):
    assert data.csv(table("1,none\n2,some\n3,?\n"), label=1).classes == ("?", "none", "some")
    with pytest.raises(InputError, match="line 2, column 2: the label is missing"):
        data.csv(table("1,3\n2,none\n3,4\n"), label=1)
    with pytest.raises(InputError, match="line 1, column 2: the label is missing"):
        data.csv(table("1,\n2,some\n"), label=1)


def test_numbers_are_float32_unless_one_above_2_to_the_24_would_lose_digits(table):
    for texts, dtype in ((["16777216", "0.1"], np.float32), (["16777217"], np.float64), (["1e30", "2"], np.float64),
                         (["33554432"], np.float32), (["1700000000.25"], np.float64), (["1e300"], np.float64),
                         (["3.14159265358979"], np.float32)):
        x = data.csv(table("\n".join(texts))).x_train
        assert x.dtype == dtype
        np.testing.assert_array_equal(x[:, 0], np.array([float(text) for text in texts]).astype(dtype))


@pytest.mark.parametrize("text", ["", "NA", "nan", "NaN", "?", "null", "N/A", " "])
def test_missing_numbers_are_refused_or_become_what_is_said(table, text):
    path = table(f"a,b\n1,2\n{text},4\n")
    with pytest.raises(InputError, match=r"table.csv, line 3, column 1 \(a\): there is no number; missing=0.0"):
        data.csv(path)
    assert data.csv(path, missing=-1.0).x_train.tolist() == [[1, 2], [-1, 4]]
    np.testing.assert_array_equal(data.csv(path, missing=np.nan).x_train, [[1, 2], [np.nan, 4]])
    assert data.csv(path, drop="a").x_train.tolist() == [[2], [4]]


def test_the_test_part_has_its_share_of_each_class(table):
    rows = [f"{i},{'few' if i < 5 else 'many'}" for i in range(20)]
    a, same, other = (data.csv(table("\n".join(rows)), label=1, test=0.2, rng=seed) for seed in (1, 1, 2))
    assert np.bincount(a.y_test).tolist() == [1, 3] and np.bincount(a.y_train).tolist() == [4, 12]
    assert sorted([*a.x_train.ravel(), *a.x_test.ravel()]) == list(range(20))
    assert a.y_test.tolist() == [int(x >= 5) for x in a.x_test.ravel()]
    assert a.x_test.tolist() == same.x_test.tolist() != other.x_test.tolist()
    spread = data.csv(table("\n".join(f"0,{i}" for i in range(100))), label=1, test=0.25, rng=0)
    assert np.histogram(spread.y_test, [0, 20, 40, 60, 80, 100])[0].tolist() == [5] * 5


def test_a_table_is_read_from_the_home_folder(table, monkeypatch):
    path = table(IRIS)
    monkeypatch.setenv("HOME", str(path.parent))
    monkeypatch.setenv("USERPROFILE", str(path.parent))
    assert len(data.csv("~/table.csv", label="species").x_train) == 3


# Sentences -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "options", "sentence"), [
    ("", {}, "holds no rows"), ("\n \n", {}, "holds no rows"), ("a,b\n", {}, "holds a header and no rows"),
    (IRIS, {}, r"line 2, column 3 (species): 'setosa' is no number; a column of texts can be the label, or be"),
    (IRIS, {"label": "kind"}, "has no columns 'kind', which label names: its columns are length, width, species"),
    ("a,a\n1,2\n", {"label": "a"}, "has 2 columns 'a', which label names"),
    ("1,2\n", {"label": "a"}, "has no columns 'a', which label names: it has no header; give the place"),
    (IRIS, {"label": 3}, "has 3 columns, 0 to 2; label names 3"), (IRIS, {"drop": [1.0]}, "drop names 1.0"),
    (IRIS, {"label": True}, "label names True"), ("1\n2\n", {"label": 0}, "label and drop leave none to be features"),
    ("a,b\n1,2\n\n3\n", {}, "line 4 has 1 fields, the lines before it have 2"),
    ("1,2\n3,4,5\n", {}, "line 2 has 3 fields, the lines before it have 2"),
    ("a;b\n1,5;2\n", {}, "line 2, column 1 (a): '1,5' is no number; write numbers with a decimal point"),
    ("a\tb\n2\t1.234,5\n", {}, "line 2, column 2 (b): '1.234,5' is no number; write numbers with a decimal point"),
    ("1,2\n3,inf\n", {}, "line 2, column 2: inf is no finite number"),
    ("1,2\n3,-1e999\n", {"missing": 0.0}, "line 2, column 2: -inf is no finite number"),
    ("1,2\n3,inf\n", {"label": 1}, "line 2, column 2: inf is no finite number"),
    ('1,2\n"3,4\n', {}, "cannot be taken apart (unexpected end of data)"),
    ("1,2\n3,4", {"delimiter": ""}, "the delimiter is one character, such as ';', not ''"),
    ("1,2\n3,4", {"header": "no"}, "header is False or True, not 'no'"),
    ("1,2\n3,4", {"delimiter": 3}, "not 3"), ("1,2\n3,4", {"missing": "mean"}, "not 'mean'"),
    ("1,2\n3,4", {"test": 0.5}, "rng is an int of 0 or more"), ("1,2\n3,4", {"test": -1}, "not -1"),
    (b"1,2\n3,\xe9\n", {}, "line 2: the byte e9 is no UTF-8 text; save the file as CSV UTF-8"),
    ("1,2\n3,4".encode("utf-16"), {}, "line 1: the byte ff is no UTF-8 text"),
    (b"PK\x03\x04 a workbook", {}, "is a zip archive or a workbook, not text"),
    (gzip.compress(b"1,2\n" * 50, mtime=0)[:-9], {}, "is truncated"), (b"\x1f\x8bnot gzip", {}, "is damaged"),
    (gzip.compress(b"1,2\n" * 50, mtime=0)[:-8] + bytes(8), {}, "is damaged"),
])
def test_what_does_not_fit_is_named_with_its_place(table, text, options, sentence):
    path = table(text)
    with pytest.raises(InputError, match=re.escape(sentence)) as caught:
        data.csv(path, **options)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value) or options.keys() & {"delimiter", "header", "missing", "test"}


def test_a_file_that_is_not_there_is_named(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match=f"cannot read {re.escape(str(path))}"):
            data.csv(path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text('012.,;"\n\r\t -eaN?', max_size=40), st.binary(max_size=30)), st.sampled_from([None, 0, -1]))
@example('"', None)
@example("0\x00", None)
def test_whatever_a_file_holds_only_a_sentence_escapes(tmp_path, text, label):
    path = tmp_path / "any.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        numbers = data.csv(path, label=label)
    except InputError as error:
        assert "any.csv" in str(error)
    else:
        assert numbers.x_train.ndim == 2 and numbers.x_train.size and np.isfinite(numbers.x_train).all()
