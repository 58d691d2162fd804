"""The ablation: its rows differ as the paper's do, and a run that was stopped does not repeat what is done."""
import json

import numpy as np
import pytest

from minidl import InputError
from minidl.adversarial import MinibatchDiscrimination, MinibatchStd, ProgressiveGAN
from minidl.lectures import ablation
from minidl.nn import BatchNorm, EqualizedLR, PixelNorm

RNG = np.random.default_rng(0)
IMAGES = ablation.square(RNG.random((40, 8, 8, 1)))
EXPERIMENT = ablation.Experiment(IMAGES[:20], IMAGES[20:], (4, 3, 2), 24)
QUIET = {"shown": lambda name, gan: {"progress": False}}


def test_each_row_adds_one_thing_to_the_row_before_it():
    rows = ablation.ROWS
    assert list(rows) == ["a", "b", "c", "d", "e*", "e", "f", "g"]
    changed = {name: [field for field in ablation.Row._fields[1:] if getattr(row, field) != getattr(before, field)]
               for (name, row), before in zip(list(rows.items())[1:], list(rows.values())[:-1], strict=True)}
    assert changed == {"b": ["growing"], "c": ["batch_size"], "d": ["betas", "tricks"], "e*": ["tricks"],
                       "e": ["tricks"], "f": ["lr", "tricks"], "g": ["tricks"]}
    parts = {name: {kind for _, layer in ProgressiveGAN(widths=(2, 2), tricks=row.tricks, rng=0).named_modules()
                    for kind in (BatchNorm, MinibatchDiscrimination, MinibatchStd, EqualizedLR, PixelNorm)
                    if isinstance(layer, kind)} for name, row in rows.items()}
    assert parts == {"a": {BatchNorm}, "b": {BatchNorm}, "c": {BatchNorm}, "d": set(), "e*": {MinibatchDiscrimination},
                     "e": {MinibatchStd}, "f": {MinibatchStd, EqualizedLR},
                     "g": {MinibatchStd, EqualizedLR, PixelNorm}}


def test_without_growing_all_images_are_seen_at_full_size_and_with_it_as_many_in_all(monkeypatch):
    seen = {}
    monkeypatch.setattr(ablation, "grow", lambda gan, x, schedule, **more: seen.update({len(schedule): schedule}))
    for name in "ag":
        ablation.played(ablation.ROWS[name], EXPERIMENT._replace(images=300))
    assert [stage.size for stage in seen[3]] == [4, 8, 16] and [stage.size for stage in seen[1]] == [16]
    assert sum(stage.images for stage in seen[3]) == sum(stage.images for stage in seen[1]) == 300
    assert [stage.images for stage in seen[3]] == [50, 100, 150]


def test_a_run_that_died_in_a_row_goes_on_there_and_ends_as_the_unbroken_one(tmp_path, killed_after):
    whole = ablation.run(EXPERIMENT, tmp_path / "whole", rows=["d", "g"], **QUIET)
    with killed_after(5) as died:                     # of three stages a row: it dies in the second row
        ablation.run(EXPERIMENT, tmp_path / "died", rows=["d", "g"], **QUIET)
    assert died and sorted(json.loads((tmp_path / "died/ablation.json").read_text())["rows"]) == ["d", "real"]
    seen = []
    again = ablation.run(EXPERIMENT, tmp_path / "died", rows=["d", "g"], **QUIET,
                         each=lambda name, numbers, samples: seen.append((name, samples.shape)))
    assert seen == [(name, (20, 16, 16, 1)) for name in ("real", "d", "g")]
    numbers = [{name: {key: value for key, value in row.items() if key != "seconds"} for name, row in found.items()}
               for found in (whole, again)]
    assert numbers[0] == numbers[1]


def test_a_folder_of_another_experiment_and_a_broken_file_get_a_sentence(tmp_path):
    ablation.run(EXPERIMENT, tmp_path, rows=[], **QUIET)
    with pytest.raises(InputError, match="is of another experiment, .*choose another folder"):
        ablation.run(EXPERIMENT._replace(seed=1), tmp_path, rows=[], **QUIET)
    (tmp_path / "ablation.json").write_text("{")
    with pytest.raises(InputError, match="is not what an ablation has written"):
        ablation.run(EXPERIMENT, tmp_path, rows=[], **QUIET)
    with pytest.raises(InputError, match="a row is 'a' or"):
        ablation.run(EXPERIMENT, rows=["h"])


def test_the_command_leaves_table_picture_and_numbers(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ablation, "of_set", lambda name, images, seed, device: EXPERIMENT._replace(
        images=images, seed=seed, device=device))
    assert ablation.main(["digits", "--rows", "g", "--images", "12", "--out", str(tmp_path / "made")]) == 0
    assert {path.name for path in (tmp_path / "made").iterdir()} >= {"table.txt", "samples.png", "ablation.json"}
    said = capsys.readouterr().out
    assert "other real images" in said and "+ pixel norm" in said
    assert ablation.main(["digits", "--rows", "x", "--out", str(tmp_path)]) == 2
    assert "minidl: ablation: a row is 'a' or" in capsys.readouterr().err


@pytest.mark.parametrize(("shape", "size"), [((2, 28, 28, 1), 32), ((2, 32, 32, 3), 32), ((2, 8, 8, 1), 16)])
def test_images_of_every_set_get_a_size_that_growth_meets(shape, size):
    x = RNG.random(shape)
    made = ablation.square(x)
    assert made.shape == (2, size, size, shape[3]) and made.min() >= -1.0 and made.max() <= 1.0
    if size == 32:
        margin = (32 - shape[1]) // 2
        inner = made[:, margin:32 - margin, margin:32 - margin]
        np.testing.assert_allclose(inner, 2.0 * x - 1.0, atol=1e-6)
