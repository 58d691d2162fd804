"""A lecture's tests run in a folder and with a cache of their own; `run` runs one and checks its files."""
import json
import re

import pytest

from minidl import cli
from minidl.lectures import slides
from minidl.plotting import DPI, output
from tests.sets import skip_without

SIGNATURES = {"png": b"\x89PNG", "gif": b"GIF8"}
TINY = """\
# %% [markdown]
# # Slide 49: a tiny lecture
# %%
from matplotlib.figure import Figure
from minidl.lectures import lecture
talk = lecture(49, data=["digits", "mnist"])
talk.table(["name", "value"], [["one", 1.0], ["three", 3]])
talk.save(Figure((1, 1)), "curve")
talk.say("One, two, three, four, five, six, seven, eight, nine, ten and eleven are "
         f"{VALUE} and\\n more.")
talk.metric("value", VALUE, at_most=1.5)
talk.metric("other", 2, at_least=1)
talk.finish()
"""


@pytest.fixture(autouse=True)
def a_place_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIDL_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(autouse=True)
def coarse_pictures(monkeypatch):
    """Pictures have a ninth of their dots, which are most of a short run's time."""
    monkeypatch.setattr(output, "DPI", 40)


@pytest.fixture
def run(monkeypatch):
    """run(lecture, *options) gives a run's record, its files checked; its figures' names begin after "01-slide-17-".

    Without the data set that `--data` names, the test is skipped. A full run has pictures of full size.
    """
    def run(name, *options):
        if "--fast" not in options:
            monkeypatch.setattr(output, "DPI", DPI)
        if "--data" in options:
            skip_without(options[options.index("--data") + 1])
        assert cli.main(["lecture", name, "--out", "here", *options]) == 0
        with open("here/metrics.json") as file:
            record = json.load(file)
        for figure in record["figures"]:
            with open(f"here/{figure}", "rb") as file:
                assert file.read(4) == SIGNATURES[figure.split(".")[-1]]
        assert all(len(line) <= 78 for table in record["tables"] for line in table.splitlines())  # a projector's
        assert record["said"] or "--only" in options         # the pictures of slides 11 and 18 say it themselves
        for said in record["said"]:                        # in whole sentences, three at most, under a picture
            assert said["words"].endswith(".") and len(re.findall(r"[.?!](?= [A-Z]|$)", said["words"])) <= 3
            assert said["figure"] in record["figures"] and set(said["slides"]) <= set(record["slides"])
        record["figures"] = [re.sub(r"^\d\d-slide-\d+-", "", figure) for figure in record["figures"]]
        return record
    return run


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """tiny(value) makes slide 49 a lecture of our own, which takes no time; tiny(text=...) another."""
    def make(value=1, text=TINY):
        path = tmp_path / "tiny.py"
        path.write_text(text.replace("VALUE", str(value)))
        lectures = tuple(lecture._replace(file=str(path), slides=((49, 49),)) if 49 in lecture.numbers else lecture
                         for lecture in slides.LECTURES)
        monkeypatch.setattr(slides, "LECTURES", lectures)
    return make
