from minidl.grading.checks import check_array


def test_centre_hidden(student, rng, reference):
    arrays = [rng.standard_normal((6, 2)) for _ in range(2)]
    answers = student.drive("centre_each", arrays)
    for answer, x in zip(answers, arrays, strict=True):
        check_array(answer, reference.centre(x))
