"""Files are taken from folders and archives by name; nothing else that was handed in has any effect."""
import errno
import os
import random
import re
import stat
import sys
import tracemalloc
import zipfile

import pytest

import minidl as md
from minidl.grading.marking import archive as members
from minidl.grading.marking import collect


@pytest.fixture
def archive(tmp_path):
    def make(members, name="alice.zip"):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for member, content in members:
                file.writestr(member, content)
        return path
    return make


def test_a_folder_an_archive_and_a_single_file_are_the_same_submission(tmp_path, archive):
    (tmp_path / "bob" / "a0_toys").mkdir(parents=True)
    (tmp_path / "bob" / "a0_toys" / "toys.py").write_bytes(b"x = 1\n")
    (tmp_path / "carol.py").write_bytes(b"x = 1\n")
    found = [collect.collect(path, ["toys.py"]) for path in (
        tmp_path / "bob", tmp_path / "carol.py", archive([("a0_toys/toys.py", b"x = 1\n"), ("notes.txt", b"")]))]
    assert all(c == found[0] and c.files == {"toys.py": b"x = 1\n"} and not c.problem for c in found)
    assert [s.name for s in collect.submissions(tmp_path)[0]] == ["alice", "bob", "carol"]


def test_nothing_but_the_named_files_is_taken(archive):
    path = archive([("toys.py", b"1"), ("conftest.py", b"2"), ("../../evil.py", b"3"), ("/etc/passwd", b"4"),
                    ("sub/numpy.py", b"5"), ("__MACOSX/toys.py", b"6"), ("deep/er/toys.py", b"7")])
    assert collect.collect(path, ["toys.py"]) .files == {"toys.py": b"1"}
    assert sorted(p.name for p in path.parent.iterdir()) == ["alice.zip"]


def test_a_path_that_leads_out_is_only_a_name(archive):
    assert collect.collect(archive([("../../toys.py", b"1")]), ["toys.py"]).files == {"toys.py": b"1"}


def test_two_files_of_a_name_at_one_depth_are_a_problem(archive):
    collected = collect.collect(archive([("a/toys.py", b"1"), ("b/toys.py", b"2")]), ["toys.py"])
    assert not collected.files and "2 files toys.py at the same depth" in collected.problem


METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("method", METHODS)
def test_of_a_member_no_more_is_unpacked_than_asked_for_whatever_its_compression(tmp_path, method):
    path, content = tmp_path / "alice.zip", b"x = 1\n" * 10_000
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("toys.py", content)
        file.writestr("empty.py", b"")
    toys, empty = members.members(path)
    for most in (1, 1000, len(content) - 1, len(content), len(content) + 1):
        assert members.content(path, toys, most) == content[:most]
    assert members.content(path, empty, 10) == b""


@pytest.mark.parametrize("method", METHODS)
def test_a_file_that_is_too_large_is_not_unpacked(tmp_path, method, monkeypatch):
    monkeypatch.setattr(collect, "MAX_BYTES", 4096)
    with zipfile.ZipFile(tmp_path / "alice.zip", "w", method) as file:
        file.writestr("toys.py", bytes(4097))
    collected = collect.collect(tmp_path / "alice.zip", ["toys.py"])
    assert not collected.files and "toys.py is larger than 4 KiB" in collected.problem


def test_no_header_makes_lzma_take_memory_for_more_than_is_asked_for(tmp_path):
    path = tmp_path / "alice.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("toys.py", b"x = 1\n" * 1000)
    data = bytearray(path.read_bytes())
    at = 30 + len("toys.py") + 5
    data[at:at + 4] = b"\xff\xff\xff\xff"                  # a dictionary of 4 GiB
    path.write_bytes(data)
    tracemalloc.start()
    try:
        assert collect.collect(path, ["toys.py"]).files == {"toys.py": b"x = 1\n" * 1000}
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes links for administrators only")
def test_links_are_not_followed(tmp_path, archive):
    (tmp_path / "secret.py").write_text("secret")
    (tmp_path / "dave").mkdir()
    (tmp_path / "dave" / "toys.py").symlink_to(tmp_path / "secret.py")
    link = zipfile.ZipInfo("toys.py")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    (tmp_path / "erin").symlink_to(tmp_path / "dave", target_is_directory=True)
    for path in (tmp_path / "dave", archive([(link, "../secret.py")]), tmp_path / "erin"):
        collected = collect.collect(path, ["toys.py"])
        assert not collected.files and collected.problem, path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_does_not_stop_the_grader(tmp_path):
    (tmp_path / "eve").mkdir()
    os.mkfifo(tmp_path / "eve" / "toys.py")
    assert "no regular file" in collect.collect(tmp_path / "eve", ["toys.py"]).problem


def test_a_damaged_archive_is_a_problem_not_an_error(tmp_path, archive):
    whole = archive([("toys.py", os.urandom(1000))]).read_bytes()
    for i, content in enumerate([b"", b"no archive", whole[:500], whole[:200] + b"x" * 100 + whole[300:]]):
        path = tmp_path / f"{i}.zip"
        path.write_bytes(content)
        collected = collect.collect(path, ["toys.py"])
        assert not collected.files and "cannot be read" in collected.problem


@pytest.mark.parametrize("method", METHODS)
def test_whatever_is_wrong_with_an_archive_is_its_own_problem(tmp_path, method):
    path, rng = tmp_path / "alice.zip", random.Random(0)
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("toys.py", b"x = 1\n" * 100)
    whole = path.read_bytes()
    for _ in range(100):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 2, 8))):
            data[rng.randrange(len(data))] = rng.choice((0, 255, rng.randrange(256)))
        path.write_bytes(data)
        collect.collect(path, ["toys.py"])
    at = whole.index(b"PK\1\2") + 28
    path.write_bytes(whole[:at] + b"\0\0" + b"\7\0" + whole[at + 4:])         # an entry without a name
    assert "cannot be read" in collect.collect(path, ["toys.py"]).problem


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_an_archive_that_is_a_link_or_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.zip")
    (tmp_path / "link.zip").symlink_to(tmp_path / "pipe.zip")
    for name in ("pipe.zip", "link.zip"):
        assert "is a link or no regular file" in collect.collect(tmp_path / name, ["toys.py"]).problem


def test_a_submission_with_the_name_of_a_result_is_refused_before_anything_is_graded(tmp_path):
    for name in ("secret", "gradebook.csv"):
        (tmp_path / name).mkdir()
        with pytest.raises(md.InputError, match=f"no submission can be called '{name}'"):
            collect.submissions(tmp_path)
        (tmp_path / name).rmdir()


def test_the_digest_tells_files_apart(tmp_path):
    digests = set()
    for i, files in enumerate([{"a.py": b"x"}, {"a.py": b""}, {}, {"b.py": b"x"}, {"a.py": b"x", "b.py": b""}]):
        folder = tmp_path / str(i)
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        digests.add(collect.collect(folder, ["a.py", "b.py"]).digest)
    assert len(digests) == 5


def test_a_folder_without_submissions_gets_a_sentence(tmp_path):
    with pytest.raises(md.InputError, match="no submissions"):
        collect.submissions(tmp_path)
    with pytest.raises(md.InputError, match="is no folder"):
        collect.submissions(tmp_path / "nowhere")
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann.zip").write_bytes(b"")
    with pytest.raises(md.InputError, match=r"'ann' and 'ann.zip' are both the submission 'ann'"):
        collect.submissions(tmp_path)


def test_a_file_under_another_name_is_named_but_not_taken(tmp_path):
    for name in ("toy.py", "helpers.py"):
        (tmp_path / name).write_bytes(b"x = 1")
    collected = collect.collect(tmp_path, ["toys.py"])
    assert not collected.files and collected.problem == "there is no toys.py, but toy.py"


@pytest.mark.parametrize("name", ["toys (1).py", "toys(2).py", "Toys.py", "toys - Copy.py", "toys - Copy (2).py",
                                  "Copy of toys.py", "toys_1.py", "toys-2.py", "toys.py.txt", "toys copy.py"])
def test_what_a_browser_or_a_file_manager_made_of_a_name_is_taken_and_said(tmp_path, archive, name):
    for path in (tmp_path / "ann", archive([("a0/" + name, b"x = 1"), ("a0/other.py", b"")])):
        if not path.suffix:
            path.mkdir()
            (path / name).write_bytes(b"x = 1")
            (path / "other.py").write_bytes(b"")
        collected = collect.collect(path, ["toys.py"])
        assert collected.files == {"toys.py": b"x = 1"} and collected.problem == f"{name} was taken for toys.py"


def test_of_two_renamed_files_none_is_taken_and_one_beside_the_right_one_is_named(archive):
    collected = collect.collect(archive([("toys (1).py", b"1"), ("toys (2).py", b"2")]), ["toys.py"])
    assert not collected.files
    assert "it holds toys (1).py and toys (2).py; hand in one, as toys.py" in collected.problem
    collected = collect.collect(archive([("toys (1).py", b"1"), ("toys.py", b"2")]), ["toys.py"])
    assert collected.files == {"toys.py": b"2"} and collected.problem == "toys (1).py beside toys.py was not looked at"


def test_the_only_python_file_is_taken_and_said(tmp_path):
    (tmp_path / "homework.py").write_bytes(b"x = 1")
    (tmp_path / "notes.txt").write_bytes(b"")
    collected = collect.collect(tmp_path, ["toys.py"], ["answers.md"])
    assert collected.files == {"toys.py": b"x = 1"} and collected.problem == "homework.py was taken for toys.py"
    assert "there is no toys.py" in collect.collect(tmp_path, ["toys.py", "more.py"]).problem


def test_a_file_in_an_archive_in_a_students_folder_is_found(tmp_path, archive):
    (tmp_path / "ann_12345_file_").mkdir()
    path = archive([("a0_toys/toys.py", b"x = 1"), ("a0_toys/answers.md", b"y")], "ann_12345_file_/a0.zip")
    (path.parent / "notes.zip").write_bytes(b"no archive")
    collected = collect.collect(path.parent, ["toys.py"], ["answers.md"])
    assert collected.files == {"toys.py": b"x = 1", "answers.md": b"y"}
    assert collected.problem == "notes.zip cannot be read: File is not a zip file"
    (path.parent / "toys.py").write_bytes(b"mine")                 # which lies nearer
    assert collect.collect(path.parent, ["toys.py"]).files == {"toys.py": b"mine"}
    (path.parent / "toys.py").unlink()
    archive([("a0_toys/toys.py", b"x = 2")], "ann_12345_file_/a0 (1).zip")
    assert "2 files toys.py at the same depth" in collect.collect(path.parent, ["toys.py"]).problem


def test_the_right_file_is_found_behind_any_number_of_others(tmp_path, archive, monkeypatch):
    assert collect.MAX_ENTRIES >= 1_000_000
    monkeypatch.setattr(collect, "MAX_ENTRIES", 60)
    (tmp_path / "ann" / "images").mkdir(parents=True)
    (tmp_path / "ann" / "a0_toys").mkdir()
    for number in range(100):
        (tmp_path / "ann" / "images" / f"{number}.png").touch()
    (tmp_path / "ann" / "toys.py").write_bytes(b"x = 1")
    collected = collect.collect(tmp_path / "ann", ["toys.py"])     # above the images: they are not even counted
    assert collected.files == {"toys.py": b"x = 1"} and not collected.problem
    (tmp_path / "ann" / "toys.py").rename(tmp_path / "ann" / "a0_toys" / "toys.py")
    assert collect.collect(tmp_path / "ann", ["toys.py"]).files
    (tmp_path / "ann" / "a0_toys").rename(tmp_path / "ann" / "z")
    assert "holds more than 60 entries; the rest was not looked at" in collect.collect(
        tmp_path / "ann", ["toys.py"]).problem
    monkeypatch.setattr(collect, "MAX_ENTRIES", 200)
    assert collect.collect(tmp_path / "ann", ["toys.py"]).files


def test_folders_without_end_hide_nothing_beside_them(tmp_path):
    folder = tmp_path / "ann"
    folder.mkdir()
    (folder / "toys.py").write_bytes(b"x = 1")
    here = os.getcwd()
    try:
        os.chdir(folder)
        for _ in range(30):                      # a path of more than 4096 letters
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
    finally:
        os.chdir(here)
    assert collect.collect(folder, ["toys.py"]).problem == ""
    collected = collect.collect(folder, ["toys.py"], ["answers.md"])
    assert collected.files == {"toys.py": b"x = 1"} and "nested too deep" in collected.problem


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.EACCES, errno.ENOMEM])
def test_what_keeps_the_grader_from_reading_is_not_the_submissions_fault(tmp_path, monkeypatch, number):
    def refuse(*arguments):
        raise OSError(number, os.strerror(number))

    (tmp_path / "toys.py").write_bytes(b"x = 1")
    for name in ("open", "scandir"):
        with monkeypatch.context() as patch:
            patch.setattr(collect.os, name, refuse)
            with pytest.raises(OSError, match=re.escape(os.strerror(number))):
                collect.collect(tmp_path, ["toys.py"])


def test_what_is_no_submission_is_named(tmp_path):
    for name in ("ann.py", "kim.tar.gz", "notes.txt", ".hidden"):
        (tmp_path / name).write_bytes(b"")
    found, others = collect.submissions(tmp_path)
    assert [submission.name for submission in found] == ["ann"] and others == ["kim.tar.gz", "notes.txt"]
