"""A lecture's tests run in a folder and with a cache of their own; `run` runs one and checks its files."""
import json

import pytest

from minidl import cli

SIGNATURES = {"png": b"\x89PNG", "gif": b"GIF8"}


@pytest.fixture(autouse=True)
def a_place_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIDL_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def run():
    """run(lecture, *options) gives the record of a run, whose files have been checked."""
    def run(name, *options):
        assert cli.main(["lecture", name, "--out", "here", *options]) == 0
        with open("here/metrics.json") as file:
            record = json.load(file)
        for figure in record["figures"]:
            with open(f"here/{figure}", "rb") as file:
                assert file.read(4) == SIGNATURES[figure.split(".")[-1]]
        return record
    return run
