"""The command line: one call a command, one sentence and exit code 2 for bad input, never a traceback."""
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import minidl
from minidl import backend, cli, data
from minidl.lectures import runner, slides, talk


def said(capsys):
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured


def refused(capsys, *arguments):
    assert cli.main(list(arguments)) == 2
    message = said(capsys).err
    assert message.startswith("minidl: ") and message.count("\n") == 1
    return message


def test_version_and_help_leave_with_0(capsys):
    for option in ("--version", "--help"):
        with pytest.raises(SystemExit) as left:
            cli.main([option])
        assert left.value.code == 0
    assert minidl.__version__ in said(capsys).out


def test_the_help_of_lecture_shows_examples(capsys):
    with pytest.raises(SystemExit):
        cli.main(["lecture", "--help"])
    assert "minidl lecture 17 --data mnist" in said(capsys).out


def test_python_m_minidl_cli_works():
    done = subprocess.run([sys.executable, "-m", "minidl.cli", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip() == f"minidl {minidl.__version__}"


def test_lecture_list_shows_every_lecture(capsys):
    assert cli.main(["lecture", "list"]) == 0
    lines = said(capsys).out.splitlines()
    assert len(lines) == 1 + len(slides.LECTURES)
    assert any(line.startswith("8-9, 17") and "deep-autoencoder" in line for line in lines)


def test_devices_are_listed_with_the_reason_why_not(capsys, monkeypatch):
    monkeypatch.setattr(backend, "_factories", {"cuda": lambda: 1 / 0})
    monkeypatch.setattr(backend, "_reasons", {})
    assert cli.main(["devices"]) == 0
    out = said(capsys).out
    assert "cpu   usable: NumPy" in out
    assert "cuda  not usable: ZeroDivisionError" in out or "cuda  usable" in out


def test_data_list_shows_every_set(capsys):
    assert cli.main(["data", "list"]) == 0
    out = said(capsys).out
    assert all(name in out for name in [*data.names(), *data.TEXTS])


def test_data_fetch_hands_on_the_names(capsys, monkeypatch):
    fetched = []
    monkeypatch.setattr(data, "fetch", fetched.append)
    assert cli.main(["data", "fetch", "mnist", "cifar10"]) == 0 and fetched == ["mnist", "cifar10"]
    fetched.clear()
    assert cli.main(["data", "fetch", "--all"]) == 0 and fetched == data.fetchable()


@pytest.mark.parametrize("arguments, sentence", [
    (["data", "fetch"], "or --all"), (["data", "fetch", "mnits"], "mnist"),
    (["data", "fetch", "--all", "mnist"], "--all"),
    (["lecture", "0"], "slides 1 to 115"), (["lecture", "116"], "slides 1 to 115"), (["lecture", "-3"], ""),
    (["lecture", "deep-autoencoders"], "deep-autoencoder"),
    (["lecture", "gan-"], "several lectures: gan-metrics, gan-experiments"),
    (["lecture", "17", "116"], "slides 1 to 115"),
    (["lecture", "17", "--data", "mnits"], "did you mean mnist"),
    (["lecture", "17", "--data", "cifar10"], "does not work with 'cifar10'. This lecture works with digits, mnist"),
    (["lecture", "17", "--device", "gpu"], "minidl knows 'cpu', 'cuda'"),
    (["lecture", "17", "--seed", "-1"], "at least 0")])
def test_bad_input_gets_one_sentence(capsys, monkeypatch, tmp_path, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    if "-3" in arguments:
        arguments = ["lecture", "--", "-3"]
    assert sentence in refused(capsys, *arguments)
    assert not list(tmp_path.iterdir())                       # nothing half-written


def test_a_gpu_that_is_not_there_gets_a_sentence(capsys, monkeypatch):
    def broken():
        raise ModuleNotFoundError("cupy")

    if "cuda" in {b.name for b in backend.BACKENDS.values()}:
        pytest.skip("this machine has a usable GPU")
    monkeypatch.setattr(backend, "_factories", {"cuda": broken})
    monkeypatch.setattr(backend, "_reasons", {})
    assert "CuPy is not installed" in refused(capsys, "lecture", "17", "--device", "cuda")


def test_an_output_folder_that_cannot_be_written_is_told_before_the_work(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    message = refused(capsys, "lecture", "17", "--fast", "--out", str(tmp_path / "file" / "out"))
    assert "cannot write into" in message and "--out" in message


@pytest.mark.parametrize("error, code, sentence", [
    (KeyboardInterrupt(), 130, "stopped"), (KeyboardInterrupt("stopped after epoch 3"), 130, "after epoch 3"),
    (OSError(28, "No space left on device"), 2, "No space left"), (FloatingPointError("the loss became nan"), 1, "nan"),
    (talk.BoundMissed("ratio is 1.2"), 1, "ratio is 1.2")])
def test_what_ends_a_lecture_becomes_an_exit_code(capsys, monkeypatch, error, code, sentence):
    def run(wanted, options):
        raise error

    monkeypatch.setattr(runner, "run", run)
    assert cli.main(["lecture", "17"]) == code
    assert sentence in said(capsys).err


def test_a_bug_keeps_its_traceback(monkeypatch):
    def run(wanted, options):
        raise ValueError("a bug")

    monkeypatch.setattr(runner, "run", run)
    with pytest.raises(ValueError, match="a bug"):
        cli.main(["lecture", "17"])


def test_several_lectures_do_not_share_a_folder(monkeypatch):
    runs = []
    monkeypatch.setattr(runner, "run", lambda wanted, options: runs.append((wanted, options.out)))
    assert cli.main(["lecture", "5", "17", "--out", "o"]) == 0
    assert [lecture.name for lecture, _ in runs] == ["pca-kmeans", "deep-autoencoder"]
    assert len({out for _, out in runs}) == 2


def test_of_several_lectures_those_that_work_with_other_data_are_left_out(monkeypatch, capsys):
    ran = []

    def run(lecture, options):
        if lecture.name == "recurrent-networks":
            raise talk.OtherData("it does not work with 'mnist'")
        ran.append(lecture.name)

    monkeypatch.setattr(runner, "run", run)
    assert cli.main(["lecture", "115", "--data", "mnist"]) == 0
    assert ran == ["basic-networks", "convolutional-networks", "training-tricks"]
    assert "left out: it does not work with 'mnist'" in capsys.readouterr().out
    assert cli.main(["lecture", "recurrent", "--data", "mnist"]) == 2


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_a_closed_pipe_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "minidl.cli", "lecture", "list"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.stderr == ""


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_while_it_is_loaded_ends_it_without_a_word(tmp_path):
    """NumPy, which stands for all that takes time to load, is replaced by a file that interrupts."""
    (tmp_path / "numpy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    (tmp_path / "minidl").write_text("from minidl.cli import main\nmain()\n")                 # as pip installs it
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(cli.__file__).parents[1])])}
    for command in (["-m", "minidl", "lecture", "list"], [str(tmp_path / "minidl"), "lecture", "list"]):
        done = subprocess.run([sys.executable, *command], capture_output=True, cwd=tmp_path, env=environment)
        assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_as_soon_as_it_is_loaded_is_a_sentence():
    code = "import sys; sys.argv[0] = 'minidl'\nfrom minidl import cli\n" \
           "cli._parser = lambda: __import__('os').kill(__import__('os').getpid(), 2)\nsys.exit(cli.main())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "\nminidl: stopped\n")


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell closes them")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_output_is_nothing_to_complain_about(closed):
    done = subprocess.run(["sh", "-c", f'"$0" -m minidl lecture list {closed}', sys.executable], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_help_is_quick():
    code = "import sys; from minidl import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass\n" \
           "sys.exit(any(name in sys.modules for name in ('minidl.lectures', 'matplotlib', 'tqdm')))"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0
