"""Files are taken from folders and archives by name; nothing else that was handed in has any effect."""
import os
import random
import stat
import sys
import zipfile

import pytest

import minidl as md
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


def test_a_bomb_is_not_unpacked(archive):
    path = archive([("toys.py", bytes(50 << 20))])
    assert path.stat().st_size < 1 << 20
    collected = collect.collect(path, ["toys.py"])
    assert not collected.files and "larger than 1,024 KiB" in collected.problem


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


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
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
    (tmp_path / "toy.py").write_bytes(b"x = 1")
    collected = collect.collect(tmp_path, ["toys.py"])
    assert not collected.files and collected.problem == "there is no toys.py, but toy.py"


def test_what_is_no_submission_is_named(tmp_path):
    for name in ("ann.py", "kim.tar.gz", "notes.txt", ".hidden"):
        (tmp_path / name).write_bytes(b"")
    found, others = collect.submissions(tmp_path)
    assert [submission.name for submission in found] == ["ann"] and others == ["kim.tar.gz", "notes.txt"]
