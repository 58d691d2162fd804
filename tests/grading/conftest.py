"""What several files of tests start from."""
import pytest

from minidl.grading.authoring import template
from minidl.grading.taking import commands


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The started assignment a9, in the current folder; its source is in ../course."""
    (tmp_path / "course").mkdir()
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("MINIDL_ASSIGNMENTS", str(tmp_path / "course"))
    monkeypatch.chdir(tmp_path / "mine")
    template.new("a9", "Flows")
    commands.start("a9")
    return tmp_path / "mine" / "a9_flows"
