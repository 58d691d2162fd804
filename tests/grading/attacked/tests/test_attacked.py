from minidl.grading.checks import check, check_array


def test_centre(student, rng):
    for size in (5, 4):
        x = rng.standard_normal((size, 3))
        answer, (after,) = student.call_and_look("centre", x)
        check_array(answer, x - x.mean(axis=0))
        check((after == x).all(), "the argument was changed")


def test_total(student, rng):
    x = rng.standard_normal(5)
    check_array(student.total(x), x.sum())
