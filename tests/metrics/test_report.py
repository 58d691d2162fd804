"""A report's numbers are those of its measures, beside their floor; and what it refuses."""
import json

import numpy as np
import pytest

from minidl import InputError
from minidl.metrics import MEASURES, Judge, Measure, frechet_distance, generator_report, precision_recall

RNG = np.random.default_rng(0)
JUDGE = Judge(lambda x: 3 * x.reshape(len(x), -1)[:, :4], name="four pixels", features=lambda x: x.mean(1)[..., 0])
X, NEW, MADE = (RNG.random((n, 12, 12, 1)).astype(np.float32) for n in (200, 60, 80))


def test_every_measure_has_a_line_with_its_error_and_floor_and_the_judge_is_named():
    report = generator_report(X, NEW, MADE, JUDGE, repeats=2, rng=0)
    names = [line.name for line in report.lines]
    assert names == ["classifier's score", "Fréchet distance", "precision", "recall", "MS-SSIM of pairs, 1 scale",
                     "SWD x 1000, 12 pixels", "nearest learned, pixels",
                     "nearest learned, features"]
    assert report.judge == "four pixels" and report.images == 60 and "few" in report.notes[0]
    assert all(np.isfinite([*line.generated, *line.floor]).all() for line in report.lines)
    text = str(report)
    assert text.startswith("judge: four pixels\n60 images of each kind\n") and all(name in text for name in names)
    assert json.loads(json.dumps(report.as_dict()))["lines"]["recall"]["better"] == "higher"


def test_numbers_are_those_of_the_measures_on_as_many_images_of_each_kind():
    measures = {name: MEASURES[name] for name in ("Fréchet distance", "precision and recall")}
    measures["seen"] = Measure(lambda real, images: len(real) * 1000.0 + len(images), "images", "real", all_real=True)
    report = generator_report(X[:60], NEW, MADE[:60], JUDGE, measures=measures, repeats=2, rng=0)
    of = JUDGE.features
    found = {line.name: line for line in report.lines}
    assert found["Fréchet distance"].generated.value == pytest.approx(frechet_distance(of(X[:60]), of(MADE[:60])))
    assert found["Fréchet distance"].floor.value == pytest.approx(frechet_distance(of(X[:60]), of(NEW)))
    for i, name in enumerate(("precision", "recall")):
        assert found[name].generated.value == precision_recall(of(X[:60]), of(MADE[:60]))[i]
    seen = generator_report(X, NEW, MADE, JUDGE, measures={"seen": measures["seen"]}, repeats=2, rng=0).lines[0]
    assert seen.generated.value == 200_060                       # all real images, and of the generated as many as new


def test_copies_and_one_image_a_class_are_exposed():
    copies = generator_report(X, NEW, X[:60], JUDGE, repeats=2, rng=1)
    same = generator_report(X, NEW, np.repeat(NEW[:4], 15, 0), JUDGE, repeats=2, rng=1)
    found = [{line.name: line for line in report.lines} for report in (copies, same)]
    assert found[0]["nearest learned, pixels"].generated.value == 0
    assert found[0]["nearest learned, pixels"].floor.value > 1
    assert found[1]["recall"].generated.value < 0.1 < found[1]["recall"].floor.value
    alike = found[1]["MS-SSIM of pairs, 1 scale"]
    assert alike.generated.value > 0.2 > alike.floor.value


@pytest.mark.parametrize("call, sentence", [
    (lambda: generator_report(X, NEW[:9], MADE, JUDGE, rng=0), "80 generated, 9 held-out images; it takes 20"),
    (lambda: generator_report(X, NEW, MADE[:, :8], JUDGE, rng=0), "one height, width"),
    (lambda: generator_report(X, NEW, MADE, len, rng=0), "the judge is a Judge, not"),
    (lambda: generator_report(X, NEW, MADE, JUDGE, measures={"a": len}, rng=0), "from names to Measures"),
    (lambda: generator_report(X, NEW, MADE, JUDGE, measures={"a": Measure(len, "all", "lower")}, rng=0), "of is"),
    (lambda: generator_report(X, NEW, np.where(MADE > 0.5, np.nan, MADE), JUDGE, rng=0), "not finite")])
def test_what_does_not_fit_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
