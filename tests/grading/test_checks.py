"""What a test says of a wrong answer: one sentence for each way to be wrong, and none for a right one."""
import numpy as np
import pytest

from minidl.grading.checks import check, check_array, check_kind, check_shape, check_values


def said_of(answer, expected, **options):
    with pytest.raises(AssertionError) as failed:
        check_array(answer, expected, **options)
    return str(failed.value)


@pytest.mark.parametrize("answer, expected", [
    (np.arange(3.0), [0.0, 1.0, 2.0]), (np.arange(3.0) * (1 + 1e-7), np.arange(3.0)), (3, 3.0), (True, True),
    (np.float64([0.1]), np.float32([0.1])), (np.float32([0.1]), np.float32([0.1])),
    (np.array([1, 2], np.int32), np.array([1, 2], np.uint8)),
    (np.array([np.inf, np.nan]), np.array([np.inf, np.nan])), (np.empty((0, 3)), np.empty((0, 3))),
    (np.array(0.5), 0.5), (np.array([True, False]), np.array([True, False]))])
def test_a_right_answer_passes(answer, expected):
    check_array(answer, expected)


@pytest.mark.parametrize("answer, expected, sentence", [
    (None, [1.0], "the answer is None (is a `return` missing?), an array of shape (1,) was expected"),
    ([1.0], [1.0], "the answer is a list, an array of shape (1,) was expected"),
    (1.0, [1.0], "the answer is a float, an array of shape (1,) was expected"),
    (np.ones((2, 3)), np.zeros((3, 2)), "the answer has shape (2, 3), (3, 2) was expected"),
    (np.ones((2, 3)), np.ones((3, 2)), "the answer has shape (2, 3), (3, 2) was expected; its transpose was expected"),
    (np.ones(3), 1.0, "the answer is an array of shape (3,), a number was expected"),
    ([1.0], 1.0, "the answer is a list, a number was expected"),
    (np.array(np.nan), 1.0, "the answer is NaN"),
    (np.ones((1, 3)), np.ones(3), "the answer has shape (1, 3), (3,) was expected"),
    (np.ones(2, int), np.ones(2), "the answer has dtype int64, float64 was expected"),
    (np.ones(2), np.ones(2, int), "the answer has dtype float64, int64 was expected"),
    (np.ones(2, "float32"), np.ones(2), "the answer has dtype float32, float64 was expected"),
    (np.array(0.5, "float16"), 0.5, "the answer has dtype float16, float64 was expected"),
    (np.array([1.0, np.nan]), np.ones(2), "the answer holds NaN, first at [1]"),
    (np.array([1.0, np.inf]), np.ones(2), "the answer: 1 of 2 values differ, first at [1]: inf came, 1 was expected"),
    (np.array([[1.0, 2.5]]), np.array([[1.0, 2.0]]),
     "the answer: 1 of 2 values differ, first at [0, 1]: 2.5 came, 2 was expected"),
    (np.array([1, 3]), np.array([1, 2]), "the answer: 1 of 2 values differ, first at [1]: 3 came, 2 was expected"),
    (2.5, 2.0, "the answer: 2.5 came, 2 was expected")])
def test_each_way_to_be_wrong_has_its_sentence(answer, expected, sentence):
    assert said_of(answer, expected) == sentence


SQUARE = np.array([[0.0, 1.0], [2.0, -3.0]])


@pytest.mark.parametrize("answer, said", [
    (-SQUARE, "minus what was expected"), (5 * SQUARE, "5 times what was expected"),
    (SQUARE / 3, "1/3 of what was expected"), (-2 * SQUARE, "minus 2 times what was expected"),
    (1.5 * SQUARE, "1.5 times what was expected"), (SQUARE * -0.25, "minus 1/4 of what was expected")])
def test_a_wrong_sign_and_a_factor_are_told(answer, said):
    assert said_of(answer, SQUARE).endswith(f" was expected; this is {said}")


def test_a_transpose_is_told_and_nothing_where_nothing_can_be_told():
    assert said_of(SQUARE.T, SQUARE).endswith("first at [0, 1]: 2 came, 1 was expected; its transpose was expected")
    tall = np.arange(6.0).reshape(3, 2)
    assert said_of(tall.T, tall) == "the answer has shape (2, 3), (3, 2) was expected; its transpose was expected"
    for answer, expected in ((SQUARE + 1, SQUARE), (0 * SQUARE, SQUARE), (SQUARE + np.inf, SQUARE),
                             (1.00001 * SQUARE, SQUARE), (4.0, 2.0),
                             (np.array([0.0, 4.0]), np.array([0.0, 2.0])), (tall.T + 1, tall), (SQUARE, 0 * SQUARE),
                             (np.array([2, 4]), np.array([1, 2])), (np.array([True]), np.array([False])),
                             (1e300 * SQUARE, SQUARE), (np.ones((2, 3)), np.full((3, 2), np.nan))):
        assert "this is" not in (said := said_of(answer, expected)) and "transpose" not in said, said


def test_names_dtypes_and_tolerances_can_be_given():
    assert said_of(None, [1.0], name="the mean").startswith("the mean is None")
    assert "dtype float64, float32 was expected" in said_of(np.ones(2), np.ones(2), dtype="float32")
    check_array(np.ones(2, "float32"), np.ones(2), dtype="float32")
    check_array(np.array([1.01]), [1.0], rtol=0.02)
    check_array(np.array([0.01]), [0.0], atol=0.02)
    assert "differ" in said_of(np.array([1.01]), [1.0], rtol=0.005)


def test_a_condition_fails_with_its_sentence():
    check(np.bool_(True), "never said")
    with pytest.raises(AssertionError, match="^the rows are not sorted$"):
        check(np.bool_(False), "the rows are not sorted")


@pytest.mark.parametrize("answer", [0.0, 1e300, -np.inf])
def test_where_infinity_is_expected_nothing_else_passes(answer):
    check_array(np.array([np.inf]), np.array([np.inf]))
    with pytest.raises(AssertionError):
        check_array(np.array([answer]), np.array([np.inf]))


def test_a_shape_alone_can_be_asked_for():
    check_shape(np.array([[1e300, -5.0]]), (1, 2))
    check_shape(2.5, ())
    for answer, sentence in ((np.ones(2), r"shape \(2,\), \(1, 2\) was"), (np.ones((1, 2), int), "dtype int64"),
                             (np.array([[1.0, np.nan]]), r"NaN, first at \[0, 1\]"),
                             (np.array([[1.0, np.inf]]), r"infinite values, first at \[0, 1\]")):
        with pytest.raises(AssertionError, match=sentence):
            check_shape(answer, (1, 2))


def test_a_kind_can_be_asked_for():
    check_kind({"a": 1}, dict, "backward")
    for answer, sentence in ((None, r"backward returned None \(is a `return` missing\?\), a dict was expected"),
                             ([1], "backward returned a list, a dict was expected")):
        with pytest.raises(AssertionError, match=sentence):
            check_kind(answer, dict, "backward")


def test_a_tuple_of_so_many_values_can_be_asked_for():
    assert check_values((1, 2), 2, "fit") == [1, 2] == check_values([1, 2], 2, "fit")
    for answer, sentence in ((np.ones(2), "fit returned an ndarray, a tuple of 2 values was expected"),
                             ((1, 2, 3), "fit returned 3 values, 2 were expected")):
        with pytest.raises(AssertionError, match=sentence):
            check_values(answer, 2, "fit")
    with pytest.raises(AssertionError, match="fit returned a dict, a list of 2 values was expected"):
        check_values({}, 2, "fit", kind=list)
