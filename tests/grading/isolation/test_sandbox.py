"""An isolation is chosen because a worker ran in it and could not get out, and said to be missing with the reason."""
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minidl.errors import InputError
from minidl.grading.isolation import host, sandbox, stage
from tests.grading import isolations

pytestmark = pytest.mark.processes


@pytest.fixture
def broken(monkeypatch):
    """Makes the isolations of these names not work, and the others work without a look."""
    def broken(*names):
        monkeypatch.setattr(sandbox, "trouble", lambda isolation, hidden=(): (
            f"no {isolation.name} in this kernel" if isolation.name in names else ""))

    return broken


def test_auto_takes_the_strongest_that_works_and_says_why_no_stronger_one_does(broken, monkeypatch):
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 1000)
    for count, name in enumerate(sandbox.ORDER):
        broken(*sandbox.ORDER[:count])
        lines = []
        assert sandbox.choose("auto", say=lines.append)[0].name == name
        assert lines[:count] == [f"isolation {worse} does not work here: no {worse} in this kernel"
                                 for worse in sandbox.ORDER[:count]]
        assert [line[:26] for line in lines[count:]] == ["isolation uid does not hid"] * (name == "uid")


def test_each_slot_has_a_user_of_its_own_or_none_has(broken):
    broken()
    for name in sandbox.ORDER:
        found = sandbox.choose(name, slots=3)
        assert [isolation.name for isolation in found] == [name] * 3
        uids = [isolation.uid for isolation in found]
        assert uids == [None] * 3 or len({uid for uid in uids if uid >= sandbox.FIRST_UID}) == 3
        assert name != "none" or uids == [None] * 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no worker has a user of its own")
def test_two_gradings_at_once_never_share_a_user():
    source = "from minidl.grading.isolation import sandbox\nprint(*sandbox._users(3), flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as other:
        taken = [*map(int, other.stdout.readline().split()), *sandbox._users(3)]
        assert len(set(taken)) == len(taken) == 6
        assert sandbox._users(2) == sandbox._users(3)[:2]
        other.stdin.write("\n")


def test_what_is_wanted_and_does_not_work_is_refused_with_the_reasons(broken):
    broken("landlock")
    with pytest.raises(InputError, match="isolation landlock does not work here: no landlock in this kernel"):
        sandbox.choose("landlock")
    broken("bwrap", "landlock", "uid")
    with pytest.raises(InputError, match="bwrap in this kernel; isolation landlock .*; isolation uid"):
        sandbox.choose("auto", required=True)
    with pytest.raises(InputError, match="--require-isolation does not go with --isolation none"):
        sandbox.choose("none", required=True)
    with pytest.raises(InputError, match="no isolation 'docker'; there are auto, bwrap, landlock, uid, none"):
        sandbox.choose("docker")


def test_root_does_not_go_on_without_isolation_unless_told(broken, monkeypatch):
    broken("bwrap", "landlock", "uid")
    assert sandbox.choose("none") == [stage.Isolation("none")]
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 1000)
    assert sandbox.choose("auto") == [stage.Isolation("none")]
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 0)
    with pytest.raises(InputError, match="no uid in this kernel; without any isolation .* say --isolation none"):
        sandbox.choose("auto")


def test_an_isolation_that_is_too_slow_to_say_is_not_given_up_for_a_weaker_one(monkeypatch):
    class Slow:
        __init__ = lambda self, *_, **__: None
        __exit__ = lambda self, *_: None

        def __enter__(self):
            return self

        def load(self, name):
            raise host.TimeLimit("no answer within 120 s")

    monkeypatch.setattr(host, "Worker", Slow)
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: name)
    monkeypatch.setattr(sandbox.sys, "platform", "linux")
    with pytest.raises(InputError, match="isolation bwrap: nobody knows whether it works, .* no answer within 120 s"):
        sandbox.choose("auto")


def test_a_chain_of_folders_does_not_slow_the_look_for_what_can_be_read(tmp_path):
    (tmp_path / "/".join("d" * 50)).mkdir(parents=True)
    assert len(list(sandbox._all([tmp_path]))) == 1 + sandbox._MOST_LEVELS


def test_where_only_rights_of_files_are_wrong_none_is_no_way_out(monkeypatch):
    monkeypatch.setattr(sandbox, "trouble", lambda isolation, hidden=(): {
        "uid": f"a worker in it could read /x{sandbox._ADVICE}", "none": ""}.get(isolation.name, "not there"))
    with pytest.raises(InputError, match="could read /x; take that right from others"):
        sandbox.choose("auto")


def test_what_is_hidden_is_tried_level_by_level_so_that_nobody_hides_others_behind_what_is_his(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "_MOST_PATHS", 10)
    for name in ("a", "b"):
        (tmp_path / name / "d" / "d" / "d").mkdir(parents=True)
        for number in range(20):
            (tmp_path / name / "d" / "d" / f"{number}.py").touch()
    found = list(sandbox._all([tmp_path]))
    assert found[0] == str(tmp_path) and set(found[1:3]) == {f"{tmp_path}/a", f"{tmp_path}/b"} and len(found) == 11


def test_every_isolation_is_listed_as_usable_or_with_its_reason(broken):
    broken("landlock", "uid")
    assert sandbox.usable() == {"bwrap": "usable", "landlock": "not usable: no landlock in this kernel",
                                "uid": "not usable: no uid in this kernel", "none": "usable"}


def test_what_is_not_installed_or_not_allowed_is_a_reason(monkeypatch):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    assert "apt install bubblewrap" in sandbox.trouble(stage.Isolation("bwrap"))
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 1000)
    assert "only root" in sandbox.trouble(stage.Isolation("uid", sandbox.FIRST_UID))
    monkeypatch.setattr(sandbox.sys, "platform", "darwin")
    for name in ("landlock", "uid"):
        assert sandbox.trouble(stage.Isolation(name)) == "it needs Linux, this is darwin"


@pytest.mark.skipif(sys.platform != "linux", reason="isolation needs Linux")
def test_an_isolation_that_keeps_nothing_apart_is_found_out(monkeypatch):
    found = isolations.named("landlock")

    class Open(stage.Stage):
        def __init__(self, submission):
            super().__init__(submission)
            place = self.folder / "confine.py"
            place.write_text(place.read_text() + "\n\ndef landlock(readable): pass\n\n\n"
                                                 "def seccomp(no_writing=False): pass\n")

    monkeypatch.setattr(sandbox, "Stage", Open)
    assert sandbox.trouble(found).startswith("a worker in it could ")


@pytest.mark.skipif(sys.platform != "linux", reason="isolation needs Linux")
def test_an_isolation_in_which_hidden_files_can_be_read_is_none(tmp_path):
    found = isolations.named("landlock")
    (tmp_path / "to what all read").symlink_to(np.__file__)        # such a submission must not turn isolation off
    os.mkfifo(tmp_path / "a pipe to wait for")
    assert sandbox.trouble(found, [tmp_path, Path(__file__)]) == ""
    assert sandbox.trouble(found, [Path(np.__file__)]) == (
        f"a worker in it could read {np.__file__}; take that right from others (chmod -R o-rwx)")


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can give a worker another user")
def test_another_user_reads_what_others_may_and_nothing_more(tmp_path):
    found = isolations.named("uid")
    hidden = tmp_path / "instructor"             # pytest's own folder lets nobody else in
    hidden.mkdir()
    assert sandbox.trouble(found, [hidden]) == ""
    assert "could read /etc/passwd" in sandbox.trouble(found, [Path("/etc/passwd")])
