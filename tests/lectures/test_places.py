"""The lectures are `minidl.lectures`, in a clone that nobody installed and where minidl is installed."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[2]
LOOK = """\
import sys
sys.path.insert(0, sys.argv[1])
import minidl
from minidl.lectures import slides
from minidl.lectures.pictures import pca_kmeans
print(minidl.__file__, *(found.path for found in slides.LECTURES if found.file), pca_kmeans.__file__, sep="\\n")
"""


def found_from(folder):
    """The files of minidl, of its lectures and of their pictures, as a program finds them that has this folder."""
    done = subprocess.run([sys.executable, "-c", LOOK, str(folder)], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    files = [Path(line) for line in done.stdout.splitlines()]
    assert all(file.is_file() for file in files)
    return files


def test_in_a_clone_they_are_those_beside_minidl(tmp_path):
    for name in ("minidl", "lectures"):
        shutil.copytree(CLONE / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "files"))
    minidl, *lectures = found_from(tmp_path)
    assert minidl.parent == tmp_path / "minidl"
    assert {file.parent for file in lectures} == {tmp_path / "lectures", tmp_path / "lectures" / "pictures"}


def test_installed_they_are_below_minidl_and_no_other_name_is_taken(tmp_path):
    pytest.importorskip("setuptools")
    done = subprocess.run([sys.executable, "setup.py", "--quiet", "egg_info", "--egg-base", str(tmp_path), "build_py",
                           "--build-lib", str(tmp_path / "site")], capture_output=True, text=True, cwd=CLONE,
                          env={**os.environ, "PYTHONWARNINGS": "ignore"})
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["minidl"]
    files = found_from(tmp_path / "site")
    assert all((tmp_path / "site" / "minidl") in file.parents for file in files)
    assert {file.parent.name for file in files} == {"minidl", "lectures", "pictures"}
