"""An archive that Gradescope's autograder runs: the grader, the assignment whole, and two scripts."""
from __future__ import annotations

import io
import os
import secrets
import zipfile
from pathlib import Path

import numpy as np

import minidl
from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.grading.manifest import Manifest

SETUP = """\
#!/usr/bin/env bash
# Gradescope runs this once, when the archive is uploaded.
set -euo pipefail
apt-get update -q && apt-get install -yq python3 python3-venv bubblewrap
python=python3
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then    # Ubuntu 22.04
  python=python3.11
  apt-get install -yq python3.11 python3.11-venv
fi
$python -m venv /autograder/venv
/autograder/venv/bin/pip install --quiet --no-cache-dir numpy=={numpy} pytest=={pytest}
chmod -R go-rwx /autograder/source
"""

RUN = """\
#!/usr/bin/env bash
# Gradescope runs this for each submission.
set -uo pipefail
base="${AUTOGRADER:-/autograder}"
work="$(mktemp -d)"
mkdir -p "$work/in" "$base/results"
cp -r "$base/submission" "$work/in/submission"
export PYTHONPATH="$base/source"
"$base/venv/bin/python" -m minidl.cli grade "$base/source/assignments/{folder}" "$work/in" --out "$work/out" \\
  --secret "$base/source/secret" --require-isolation
code=$?
if [ -f "$work/out/submission/gradescope.json" ] && [ "$code" -ne 3 ]; then
  cp "$work/out/submission/gradescope.json" "$base/results/results.json"
else
  echo '{"score": 0, "output": "The autograder itself failed; nothing was graded. Please tell the course staff."}' \\
    > "$base/results/results.json"
fi
rm -rf "$work"
"""


def archive(manifest: Manifest, out: Path, *, instructor: Path | None = None) -> Path:
    """Write the archive `out` for one assignment; returns its path.

    It holds minidl, the assignment, what `instructor` (or the assignment's own folder) has, and a secret, which stays
    that of an archive that is written anew: keep it as confidential as these. Raises InputError if the solution is not
    there, or `out` is something else.
    """
    import pytest

    material = manifest.instructor(instructor)
    if not (material / manifest.files[0]).is_file():
        raise InputError(f"there is no {material / manifest.files[0]}; name the folder that holds it with --instructor")
    try:
        with zipfile.ZipFile(out) as file:
            secret = file.read("secret").decode()
    except FileNotFoundError:
        secret = secrets.token_hex(32) + "\n"
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise InputError(f"{out} is there, and no archive of minidl gradescope ({error}); choose another "
                         "--out") from None
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        versions = {"numpy": np.__version__, "pytest": pytest.__version__}
        _add_script(file, "setup.sh", SETUP.format(**versions))
        _add_script(file, "run_autograder", RUN.replace("{folder}", manifest.folder.name))
        file.writestr("secret", secret)
        _add_folder(file, Path(minidl.__file__).parent, "minidl")
        base = f"assignments/{manifest.folder.name}"
        _add_folder(file, manifest.folder, base, without=("instructor",))
        _add_folder(file, material, f"{base}/instructor")
    with atomic_write(out) as target:
        target.write(content.getvalue())
    return out


def _add_script(file: zipfile.ZipFile, name: str, text: str) -> None:
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o100755 << 16
    file.writestr(info, text)


def _add_folder(file: zipfile.ZipFile, folder: Path, name: str, without: tuple[str, ...] = ()) -> None:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f != "__pycache__" and not (Path(place) == folder and f in without))
        for entry in sorted(names):
            path = Path(place, entry)
            file.write(path, f"{name}/{path.relative_to(folder).as_posix()}")

