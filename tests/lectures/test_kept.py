"""Full runs are kept, one for each seed, data set and device, and shown again as they were."""
import json
import shutil

import pytest

from minidl import cli


def read(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_a_full_run_is_kept_and_replayed_with_its_date(tiny, a_place_of_its_own, capsys):
    tiny(1)
    assert cli.main(["lecture", "49", "--seed", "5"]) == 0
    first = a_place_of_its_own / "out" / "lecture-049"
    capsys.readouterr()
    tiny("1/0")                                                # a replay must not run the lecture
    assert cli.main(["lecture", "49", "--seed", "5", "--replay", "--out", "again"]) == 0
    out = capsys.readouterr().out
    assert "Replay of the full run of" in out and read(first)["date"][:4] in out
    assert "seed 5" in out and "three      3" in out and "slide 49: 01-slide-49-curve.png\n" in out
    assert "\nOne, two, three, four" in out                     # the words, too
    for path in first.iterdir():
        assert (a_place_of_its_own / "again" / path.name).read_bytes() == path.read_bytes()


def test_each_seed_keeps_its_last_full_run_and_a_replay_never_shows_another(tiny, a_place_of_its_own, capsys):
    for value, options in (1, ["--seed", "1"]), (1.25, ["--seed", "2"]), (1.5, ["--seed", "2"]), (1, ["--fast"]):
        tiny(value)
        assert cli.main(["lecture", "49", *options]) == 0
    tiny(9)
    cli.main(["lecture", "49", "--seed", "1"])                 # one that missed its bounds is not kept
    for seed, value in (1, 1), (2, 1.5):
        assert cli.main(["lecture", "49", "--replay", "--seed", str(seed), "--out", "again"]) == 0
        assert read(a_place_of_its_own / "again")["metrics"]["value"] == value
    capsys.readouterr()
    assert cli.main(["lecture", "49", "--replay"]) == 2        # seed 0 has a shortened run only
    assert "with seed 0 on cpu is kept" in (err := capsys.readouterr().err)
    assert "(there is seed 1 on cpu, seed 2 on cpu); run it once without --replay and without --fast" in err


def test_a_replay_says_that_it_shows_a_full_run_where_a_shortened_one_was_asked_for(tiny, a_place_of_its_own, capsys):
    tiny(1)
    cli.main(["lecture", "49"])
    shutil.rmtree("out")
    assert cli.main(["lecture", "49", "--replay", "--fast"]) == 0
    assert "Replay of the full run of" in capsys.readouterr().out
    assert [path.name for path in (a_place_of_its_own / "out").iterdir()] == ["lecture-049"]


def test_runs_that_minidl_kept_before_it_knew_of_seeds_are_shown_for_their_own_seed_alone(tiny, a_place_of_its_own,
                                                                                           capsys):
    tiny(1)
    cli.main(["lecture", "49", "--seed", "3"])
    kept = a_place_of_its_own / "cache" / "lectures"
    (kept / "intermission-digits-cpu" / "seed-3").rename(kept / "intermission-digits")
    record = read(kept / "intermission-digits")
    del record["figure_slides"]
    (kept / "intermission-digits" / "metrics.json").write_text(json.dumps(record))
    assert cli.main(["lecture", "49", "--replay", "--seed", "3"]) == 0
    assert cli.main(["lecture", "49", "--replay"]) == 2 and "there is seed 3 on cpu" in capsys.readouterr().err


def test_without_a_kept_run_replay_says_how_to_get_one(tiny, capsys):
    tiny(1)
    assert cli.main(["lecture", "49", "--fast"]) == 0          # a shortened run is not kept
    capsys.readouterr()
    assert cli.main(["lecture", "49", "--replay"]) == 2
    assert "no full run of intermission on digits with seed 0 on cpu is kept" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"figures": ["a.png"]}'])
def test_a_damaged_kept_run_is_no_traceback(tiny, a_place_of_its_own, content):
    tiny(1)
    cli.main(["lecture", "49"])
    kept = a_place_of_its_own / "cache" / "lectures" / "intermission-digits-cpu" / "seed-0"
    (kept / "metrics.json").write_text(content)
    assert cli.main(["lecture", "49", "--replay"]) == 2


def test_a_cache_that_cannot_be_written_does_not_fail_the_lecture(tiny, a_place_of_its_own, monkeypatch, capsys):
    tiny(1)
    (a_place_of_its_own / "file").write_text("")
    monkeypatch.setenv("MINIDL_CACHE", str(a_place_of_its_own / "file"))
    assert cli.main(["lecture", "49"]) == 0
    assert "could not be kept" in capsys.readouterr().out
