"""Lectures as notebooks and pages. Those that run a kernel are slow; none needs a network."""
import base64
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from minidl import cli
from minidl.lectures import export, runner, slides, talk
from tests.processes import mentioned, running, wait_until

LECTURES = [pytest.param(lecture, id=lecture.name) for lecture in slides.LECTURES if lecture.file]
ABSENT = "the extra is not installed: pip install -e '.[notebook]'"


@pytest.fixture
def extra():
    for name in ("jupytext", "nbformat", "nbclient", "ipykernel", "nbconvert", "latex2mathml"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(ABSENT)


def code_cells(text):
    """The source of each code cell of a file in percent format."""
    cells = re.split(r"(?m)^(?=# %%)", text)[1:]
    return [cell.split("\n", 1)[1].strip() for cell in cells if "[markdown]" not in cell.split("\n", 1)[0]]


@pytest.mark.parametrize("lecture", LECTURES)
def test_jupytext_leaves_every_code_cell_as_it_stands(extra, lecture):
    """It takes a comment that begins with a word of the shell's, such as cat or more, for a command."""
    import jupytext

    text = lecture.path.read_text(encoding="utf-8")
    for book, skipped in ((jupytext.reads(text, fmt="py:percent"), 0), (export.notebook(lecture, talk.Options()), 1)):
        read = [cell.source for cell in book.cells[skipped:] if cell.cell_type == "code"]
        assert read == code_cells(text)


def test_an_open_notebook_begins_with_its_settings_and_is_not_overwritten(extra, a_place_of_its_own, capsys):
    command = ["lecture", "17", "--fast", "--seed", "4", "--data", "mnist", "--notebook"]
    assert cli.main(command) == 0
    assert capsys.readouterr().out == "deep-autoencoder.ipynb\n"
    book = json.loads((a_place_of_its_own / "deep-autoencoder.ipynb").read_text())
    first = "".join(book["cells"][0]["source"])
    assert "lectures.settings(data='mnist', device='cpu', seed=4, fast=True)" in first
    assert not any(cell.get("outputs") for cell in book["cells"])
    assert cli.main(command) == 2
    assert "is there already" in capsys.readouterr().err
    assert cli.main([*command, "other.ipynb"]) == 0 and (a_place_of_its_own / "other.ipynb").exists()


def test_settings_are_those_that_a_lecture_in_a_notebook_runs_with(a_place_of_its_own, monkeypatch):
    monkeypatch.setattr(runner, "_options", None)
    runner.settings(data="mnist", seed=7, fast=True, out="here")
    assert runner._options == talk.Options(data="mnist", seed=7, fast=True, out="here")


@pytest.mark.parametrize("option", ["--notebook", "--html"])
def test_without_the_extra_a_sentence_says_how_to_get_it(a_place_of_its_own, monkeypatch, capsys, option):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert cli.main(["lecture", "17", option]) == 2
    error = capsys.readouterr().err
    assert "jupytext" in error and "pip install -e '.[notebook]'" in error and error.count("\n") == 1
    assert not list(a_place_of_its_own.iterdir())


@pytest.mark.parametrize(("options", "words"), [
    (["--executed"], "give both"), (["--notebook", "--replay"], "leave out --replay"),
    (["--html", "--only"], "leave out --only")])
def test_options_that_do_not_go_together_get_a_sentence(a_place_of_its_own, capsys, options, words):
    assert cli.main(["lecture", "17", *options]) == 2
    assert words in capsys.readouterr().err and not list(a_place_of_its_own.iterdir())


@pytest.fixture
def start(extra, a_place_of_its_own):
    """start("17", "--html") runs this in a process of its own, whose kernel leaves nothing in the user's folders."""
    def start(*arguments):
        (a_place_of_its_own / "home").mkdir(exist_ok=True)
        home = {name: str(a_place_of_its_own / "home") for name in (
            "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "TMPDIR")}
        return running([sys.executable, "-m", "minidl", "lecture", *arguments], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True,
                       env={**os.environ, **home, "PYTHONPATH": os.pathsep.join(sys.path)})
    return start


@pytest.fixture
def command(start):
    """command("17", "--html") waits for its end."""
    def command(*arguments):
        with start(*arguments) as process:
            output, errors = process.communicate()
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)
    return command


@pytest.mark.slow
@pytest.mark.parametrize("lecture", LECTURES)
def test_executed_a_notebook_has_every_picture_in_it_and_no_error(command, a_place_of_its_own, lecture):
    done = command(lecture.name, "--fast", "--out", "here", "--notebook", "--executed")
    assert done.returncode == 0, done.stderr
    book = json.loads((a_place_of_its_own / f"{lecture.name}.ipynb").read_text())
    outputs = [output for cell in book["cells"] for output in cell.get("outputs", ())]
    assert outputs and not any(output["output_type"] == "error" for output in outputs)
    record = json.loads((a_place_of_its_own / "here" / "metrics.json").read_text())
    shown = {base64.b64decode("".join(output["data"][kind]))
             for output in outputs for kind in ("image/png", "image/gif") if kind in output.get("data", {})}
    assert record["figures"] and all((a_place_of_its_own / "here" / name).read_bytes() in shown
                                     for name in record["figures"])
    words = "\n".join("".join(output["data"].get("text/markdown", "")) for output in outputs if "data" in output)
    assert record["said"] and all(said["words"] in words for said in record["said"])
    printed = "".join("".join(output["text"]) for output in outputs if output.get("name") == "stdout")
    assert all(table in printed for table in record["tables"]) and "\x1b" not in printed and "\r" not in printed


@pytest.mark.slow
def test_a_lecture_refuses_data_from_its_kernel_as_it_does_elsewhere(command, a_place_of_its_own):
    done = command("recurrent", "--data", "mnist", "--notebook", "--executed")
    assert done.returncode == 2 and "does not work with 'mnist'" in done.stderr and "Traceback" not in done.stderr
    assert not list(a_place_of_its_own.glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="whether its kernel runs is seen in /proc")
def test_ctrl_c_ends_the_kernel_too_and_writes_nothing(start, a_place_of_its_own):
    kernel = str(a_place_of_its_own / "home")              # where its connection is described: its command line says it
    with start("17", "--html") as process:
        assert wait_until(lambda: mentioned(kernel))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130 and errors.endswith("minidl: stopped\n") and "Traceback" not in errors
    assert wait_until(lambda: not mentioned(kernel)) and not list(a_place_of_its_own.glob("*.html"))


@pytest.mark.slow
def test_a_page_holds_words_pictures_and_formulas_and_fetches_nothing(command, a_place_of_its_own):
    done = command("5", "--fast", "--out", "here", "--html")
    assert done.returncode == 0, done.stderr
    page = (a_place_of_its_own / "pca-kmeans.html").read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page) and "<script src" not in page
    record = json.loads((a_place_of_its_own / "here" / "metrics.json").read_text())
    shown = {base64.b64decode(content) for content in re.findall(
        r'<img[^>]*src="data:image/(?:png|gif);base64,([^"]*)"', page)}
    assert all((a_place_of_its_own / "here" / name).read_bytes() in shown for name in record["figures"])
    markdown = "".join(cell for cell in re.split(r"(?m)^# %%", slides.find(5)[0].path.read_text(encoding="utf-8"))
                       if cell.startswith(" [markdown]"))
    assert page.count("<math ") == len(re.findall(r"\$\$.+?\$\$|\$[^$]+\$", markdown, re.DOTALL))
    assert "explained" in page and "Geometry (slide 6)" in page


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_browser_opens_a_page_without_a_complaint(command, a_place_of_its_own):
    assert command("17", "--fast", "--html").returncode == 0
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom",
               f"--user-data-dir={a_place_of_its_own / 'browser'}", "--host-resolver-rules=MAP * ~NOTFOUND"]
    done = subprocess.run([*browser, f"file://{a_place_of_its_own}/deep-autoencoder.html"], capture_output=True,
                          text=True)
    assert done.returncode == 0 and "</math>" in done.stdout
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line and "source: file:" in line]


def test_a_lecture_that_misses_a_bound_writes_its_page_all_the_same(extra, a_place_of_its_own, monkeypatch):
    from minidl.errors import BoundMissed

    monkeypatch.setattr(export, "execute", lambda book: BoundMissed("too large"))
    assert cli.main(["lecture", "17", "--notebook", "--executed"]) == 1
    assert (a_place_of_its_own / "deep-autoencoder.ipynb").exists()
