"""The command line: `minidl lecture 17`. Each command is one call into a room above."""
from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from minidl import starting
from minidl._version import __version__
from minidl.errors import BoundMissed, InputError

if TYPE_CHECKING:
    from minidl.grading.manifest import Manifest
    from minidl.lectures import slides, talk

_AS_WRITTEN = argparse.RawDescriptionHelpFormatter
_LECTURE_HELP = """\
examples:
  minidl lecture list                        every lecture, and those still to come
  minidl lecture 17                          the lecture that shows slide 17
  minidl lecture 6 --only                    just what slide 6 needs, in seconds
  minidl lecture 115                         the four on slide 115, one after the other
  minidl lecture deep-autoencoder --fast     by name, shortened to some seconds
  minidl lecture 17 --data mnist             on MNIST (minidl data fetch mnist gets it): minutes
  minidl lecture 17 --data mnist --replay    the last such run, at once
  minidl lecture 17 --notebook               deep-autoencoder.ipynb, to read and to run
  minidl lecture 17 --html                   deep-autoencoder.html, with its words and pictures, for a browser

A lecture prints its table and saves its figures and metrics.json in out/lecture-017 (with another data set than the
usual one in out/lecture-017-mnist), or in the folder that --out names; a window shows them where there is a screen.
Exit code: 0, or 1 if a metric missed its bound, 2 for wrong input, 130 after Ctrl-C."""

_DATA_HELP = """\
examples:
  minidl data list
  minidl data fetch mnist fashion-mnist
  minidl data fetch --all                    before a lecture without network

Downloads go to the user's cache (or the folder in MINIDL_CACHE); folders in MINIDL_DATA are searched first."""

_STUDENT_HELP = """\
examples:
  minidl start a3            the statement, tests and a file to write, in a folder of its own; keeps what is there
  minidl check a3            what is done, what failed and why; never runs the hidden tests
  minidl check a3 3.2        one task
  minidl check a3 3.2 --debug     with the debugger, where a test failed; breakpoint() works without
  minidl status              all assignments that are started here
  minidl sync a3             a new statement and new tests; your own files stay as they are
  minidl submit a3           writes the file to hand in, and says what it holds and gets

A folder will do as well: minidl check a3_autoencoders/; and within it minidl check, or minidl check 3.2
Where an assignment did not come with minidl, give its folder: minidl start Downloads/a3_autoencoders, and later
minidl sync Downloads/a3_autoencoders; or name the folder that holds it in MINIDL_ASSIGNMENTS.
Exit code of check: 0 if all public tests passed, else 1; 2 for wrong input, 130 after Ctrl-C."""

_ASSIGN_HELP = """\
examples:
  minidl assign new a9 "Normalizing flows"   a small assignment that works, to be rewritten
  minidl assign build a9                     the stub and the table of points, from the instructor's solution
  minidl assign verify a9                    right solutions get all points, wrong ones lose what they must
  minidl assign verify a9 --mutant "one mean for all columns"                 this wrong solution alone
  minidl assign release a9 out/              what students get, and nothing else
  minidl assign release --clone minidl-students/      this repository, without what is the instructors'

assignments/README.md says how an assignment is made. --instructor DIR names a folder outside of it which holds a
course's own solutions and hidden tests, in DIR/a9_normalizing_flows. Exit code: 0; 1 for faults; 2 for wrong input."""

_GRADE_HELP = """\
examples:
  minidl grade a3 submissions/ --out grades/ --jobs 2
  minidl grade a3 submissions/ --out grades/ --resume           what is missing, or was handed in anew
  minidl grade a3 submissions/ --out grades/ --task 3.1         one task again, after its tests were mended
  minidl grade a3 submissions/ --out grades/ --resume --overrides marks.toml

SUBMISSIONS holds a folder, .zip or .py file for each submission. DIR gets gradebook.csv and, for each submission,
result.json, feedback.md, junit.xml, gradescope.json and the answers.md that was handed in; operator.md, not for
students, says why hidden tests failed and what went wrong beside them. The reference is graded first. One grading at a
time writes into DIR; a timeout counts if the test, once more and alone, comes to it again. Random inputs depend on
DIR/secret and on a submission's files: grading the same again gives the same marks. --overrides names a TOML file with
points given by hand, late days and exceptions; DIR keeps a copy, which later runs follow:
  [late]
  free_days = 2                        nothing is taken off for these
  per_day = 0.1                        the share of the points earned that each day more takes off
  [submission.alice]
  points = { q1 = 2, "2.1" = 3 }       of questions, and of tasks instead of their tests'
  late_days = 3
  excused = true                       nothing is taken off
  note = "was ill"
Exit code: 0; 2 for wrong input, such as a reference that has not all points; 3 if this machine or a test failed, and
something is left to --resume; 130 after Ctrl-C."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0; 1 for a missed bound; 2 for wrong input; 130 after Ctrl-C."""
    try:
        starting.over()
        sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))    # closed
        arguments = _parser().parse_args(argv)
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")     # a console may lack a letter
        code = int(arguments.run(arguments) or 0)
        sys.stdout.flush()
        return code
    except BrokenPipeError:               # `minidl lecture list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (InputError, OSError, BoundMissed, FloatingPointError) as error:
        print(f"minidl: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError | OSError) else 1
    except KeyboardInterrupt as error:
        print(f"\nminidl: {error}" if str(error) else "\nminidl: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="minidl", description="Unsupervised deep learning, slide by slide.",
                                     epilog="start with: minidl lecture 17")
    parser.add_argument("--version", action="version", version=f"minidl {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_lecture(commands)
    _add_data(commands)
    _add_student(commands)
    _add_assign(commands)
    _add_grade(commands)
    commands.add_parser("devices", help="what this machine computes on, or why not on a GPU").set_defaults(run=_devices)
    return parser


def _add_lecture(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("lecture", help="run the lecture of a slide", epilog=_LECTURE_HELP,
                                 description="Run lectures, by slide number or by name.", formatter_class=_AS_WRITTEN)
    parser.add_argument("wanted", nargs="+", metavar="list | SLIDE | NAME",
                        help="a slide from 1 to 115, or (the beginning of) a lecture's name")
    parser.add_argument("--data", metavar="NAME", help="the data set; each lecture has its usual one")
    parser.add_argument("--device", default="cpu", metavar="cpu|cuda", help="where to compute (default: cpu)")
    parser.add_argument("--only", action="store_true", help="just what the slide needs, where a lecture can be cut")
    parser.add_argument("--fast", action="store_true", help="a shortened run of a few seconds, to see that it works")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the seed of all random numbers (default: 0)")
    parser.add_argument("--out", metavar="DIR", help="the folder for figures and metrics.json")
    parser.add_argument("--show", action=argparse.BooleanOptionalAction,
                        help="open a window for the pictures, or none (default: where there is a screen)")
    parser.add_argument("--replay", action="store_true",
                        help="show the last full run with this seed, data set and device again, at once")
    parser.add_argument("--notebook", nargs="?", const="", metavar="PATH", help="write it as a notebook instead")
    parser.add_argument("--executed", action="store_true", help="with all that the notebook's cells print and draw")
    parser.add_argument("--html", nargs="?", const="", metavar="PATH", help="run it, and write it all as a web page")
    parser.set_defaults(run=_lecture)


def _add_data(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("data", help="list or download data sets", epilog=_DATA_HELP,
                                 formatter_class=_AS_WRITTEN)
    actions = parser.add_subparsers(required=True, metavar="list | fetch")
    actions.add_parser("list", help="all data sets, and which are here").set_defaults(run=_data_list)
    fetch = actions.add_parser("fetch", help="download data sets from their official mirrors")
    fetch.add_argument("names", nargs="*", metavar="NAME")
    fetch.add_argument("--all", action="store_true", help="every set that can be downloaded")
    fetch.set_defaults(run=_data_fetch)


def _add_student(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    def add(name: str, run: Callable[[argparse.Namespace], object], help: str) -> argparse.ArgumentParser:
        parser = commands.add_parser(name, help=help, epilog=_STUDENT_HELP, formatter_class=_AS_WRITTEN)
        parser.set_defaults(run=run)
        if name != "status":
            here = {} if name == "start" else {"nargs": "?", "default": "."}
            parser.add_argument("assignment", metavar="ASSIGNMENT", help="such as a3, or a folder that holds it" + (
                " (default: this one)" if here else ""), **here)      # type: ignore[arg-type]
        return parser

    start = add("start", _start, "start an assignment")
    start.add_argument("folder", nargs="?", metavar="DIR", help="where to (default: a folder with its name)")
    check = add("check", _check, "test what you have written")
    check.add_argument("task", nargs="?", metavar="TASK", help="only this one, such as 3.2")
    check.add_argument("--debug", action="store_true", help="open the debugger where a test fails")
    add("status", _status, "how far all your assignments are")
    add("sync", _sync, "get an assignment's new statement and tests")
    submit = add("submit", _submit, "write the file to hand in")
    submit.add_argument("--force", action="store_true", help="even if a file is no valid Python")


def _add_assign(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("assign", help="make, verify and release assignments", epilog=_ASSIGN_HELP,
                                 formatter_class=_AS_WRITTEN)
    actions = parser.add_subparsers(required=True, metavar="new | build | verify | release")
    new = actions.add_parser("new", help="a small assignment that works")
    new.add_argument("name", metavar="NAME", help="such as a9")
    new.add_argument("title", metavar="TITLE", help="its topic, in quotes")
    new.set_defaults(run=_assign_new)
    for name, run, help in (("build", _assign_build, "the stub and the table of points"),
                            ("verify", _assign_verify, "whether its tests tell right from wrong"),
                            ("release", _assign_release, "a copy for students")):
        action = actions.add_parser(name, help=help)
        action.add_argument("assignment", metavar="ASSIGNMENT", nargs="?" if name == "release" else None,
                            help="such as a9, or a folder that holds it")
        action.add_argument("--instructor", metavar="DIR", help="a folder outside with the instructor's material")
        action.set_defaults(run=run)
        if name == "build":
            action.add_argument("--check", action="store_true", help="write nothing; exit code 1 if it would")
        if name == "verify":
            action.add_argument("--mutant", metavar="NAME", help="grade this wrong solution alone")
        if name == "release":
            action.add_argument("out", metavar="OUT", nargs="?", help="the folder in which the copy's folder is made")
            action.add_argument("--clone", metavar="DIR", help="instead: a repository with all that students may see")


def _add_grade(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("grade", help="grade a folder of submissions", epilog=_GRADE_HELP,
                                 formatter_class=_AS_WRITTEN)
    parser.add_argument("assignment", metavar="ASSIGNMENT", help="such as a3, or a folder that holds it")
    parser.add_argument("submissions", metavar="SUBMISSIONS", help="the folder that holds them")
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder for all results")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="so many at a time (default: 1)")
    parser.add_argument("--isolation", default="auto", metavar="auto|bwrap|landlock|uid|none",
                        help="what keeps submissions apart from everything else (default: the strongest that works)")
    parser.add_argument("--require-isolation", action="store_true", help="refuse to grade without")
    parser.add_argument("--resume", action="store_true", help="keep the results of files that have been graded")
    parser.add_argument("--task", metavar="ID", help="grade this one again; the others keep their results")
    parser.add_argument("--overrides", metavar="FILE", help="points by hand, late days, exceptions")
    parser.add_argument("--secret", metavar="FILE", help="instead of DIR/secret")
    parser.set_defaults(run=_grade)
    archive = commands.add_parser("gradescope", help="write an autograder archive for Gradescope")
    archive.add_argument("assignment", metavar="ASSIGNMENT", help="such as a3, or a folder that holds it")
    archive.add_argument("--out", metavar="FILE", help="(default: ASSIGNMENT-gradescope.zip)")
    archive.set_defaults(run=_gradescope)
    for command in (parser, archive):
        command.add_argument("--instructor", metavar="DIR", help="a folder outside with the instructor's material")


def _lecture(arguments: argparse.Namespace) -> None:
    from minidl.lectures import runner, slides, talk

    if arguments.wanted == ["list"]:
        print(slides.listing())
        return
    if arguments.executed and arguments.notebook is None:
        raise InputError("--executed runs the notebook that --notebook writes: give both")
    from minidl.tuning import tune

    tune()
    found = [(slides.number(wanted), lecture) for wanted in arguments.wanted for lecture in slides.find(wanted)]
    for slide, lecture in found:                             # all have been found before the first runs
        out = arguments.out
        if out and len(found) > 1:
            out = os.path.join(out, lecture.folder(slide))
        options = talk.Options(
            data=arguments.data, device=arguments.device, fast=arguments.fast, seed=arguments.seed, out=out,
            show=arguments.show, replay=arguments.replay, slide=slide, only=arguments.only)
        try:
            if arguments.notebook is None and arguments.html is None:
                runner.run(lecture, options)
            else:
                _export(lecture, options, arguments)
        except talk.OtherData as error:
            if len(found) == 1:
                raise
            print(f"left out: {error}", flush=True)


def _export(lecture: slides.Lecture, options: talk.Options, arguments: argparse.Namespace) -> None:
    from minidl.lectures import export

    if arguments.replay or arguments.only:
        raise InputError("a notebook or a page is made of the whole lecture, and by running it: leave out "
                         + ("--replay" if arguments.replay else "--only"))
    if arguments.notebook is not None:
        print(export.write(lecture, options, arguments.notebook, executed=arguments.executed), flush=True)
    if arguments.html is not None:
        print(export.write(lecture, options, arguments.html, html=True), flush=True)


def _devices(arguments: argparse.Namespace) -> None:
    from minidl.backend import devices

    for name, description in devices().items():
        print(f"{name:<6}{description}")


def _data_list(arguments: argparse.Namespace) -> None:
    from minidl.data import TEXTS, catalogue

    for entry in catalogue():
        shape = "x".join(str(size) for size in entry.shape)
        print(f"{entry.name:<15}{entry.images:>7} images of {shape:<9}{entry.where}\n{'':<15}{entry.credit}")
    for name, credit in TEXTS.items():
        print(f"{name:<15}{'a text':>13}{'':<14}in minidl\n{'':<15}{credit}")


def _data_fetch(arguments: argparse.Namespace) -> None:
    from minidl import data

    if arguments.all == bool(arguments.names):
        raise InputError("minidl data fetch takes names of data sets, or --all; minidl data list shows them")
    for name in data.fetchable() if arguments.all else arguments.names:
        print(f"{name}: {data.fetch(name)}")


def _start(arguments: argparse.Namespace) -> None:
    from minidl.grading.taking import commands

    commands.start(arguments.assignment, Path(arguments.folder) if arguments.folder else None)


def _check(arguments: argparse.Namespace) -> int:
    from minidl.grading.isolation import inprocess
    from minidl.grading.taking import commands

    return inprocess.alone(lambda: commands.check(arguments.assignment, arguments.task, debug=arguments.debug))


def _status(arguments: argparse.Namespace) -> int:
    from minidl.grading.isolation import inprocess
    from minidl.grading.taking import commands

    return inprocess.alone(commands.status)


def _sync(arguments: argparse.Namespace) -> None:
    from minidl.grading.taking import commands

    commands.sync(arguments.assignment)


def _submit(arguments: argparse.Namespace) -> int:
    from minidl.grading.isolation import inprocess
    from minidl.grading.taking import commands

    return inprocess.alone(lambda: commands.submit(arguments.assignment, force=arguments.force))


def _assign_new(arguments: argparse.Namespace) -> None:
    from minidl.grading.authoring import template

    print(f"{template.new(arguments.name, arguments.title)}: rewrite it, then minidl assign build {arguments.name} "
          f"and minidl assign verify {arguments.name}")


def _assign_build(arguments: argparse.Namespace) -> int:
    from minidl.grading.authoring import build

    manifest, material = _material(arguments)
    names = (build.outdated if arguments.check else build.build)(manifest, material)
    print(f"{manifest.name}: " + (f"{', '.join(names)} {'out of date' if arguments.check else 'written'}" if names
                                  else "up to date"))
    return int(arguments.check and bool(names))


def _assign_verify(arguments: argparse.Namespace) -> int:
    from minidl.grading import manifest
    from minidl.grading.authoring import verify

    faults = verify.verify(manifest.find(arguments.assignment), _folder(arguments.instructor), print,
                           mutant=arguments.mutant)
    for fault in faults:
        print(f"fault: {fault}")
    print(f"{len(faults) or 'no'} fault{'s' * (len(faults) != 1)}")
    return int(bool(faults))


def _assign_release(arguments: argparse.Namespace) -> None:
    from minidl.grading.authoring import release

    if arguments.clone and arguments.assignment is None:
        print(release.clone(Path(__file__).resolve().parents[1], Path(arguments.clone).expanduser(),
                            _folder(arguments.instructor)))
    elif arguments.out is None or arguments.clone:
        raise InputError("give an assignment and a folder, such as a9 handout/, or --clone DIR alone")
    else:
        print(release.release(*_material(arguments), Path(arguments.out)))


def _grade(arguments: argparse.Namespace) -> int:
    from minidl.grading import manifest
    from minidl.grading.marking import grade

    options = grade.Options(
        jobs=arguments.jobs, isolation=arguments.isolation, require_isolation=arguments.require_isolation,
        resume=arguments.resume, task=arguments.task, overrides=_folder(arguments.overrides),
        instructor=_folder(arguments.instructor), secret=_folder(arguments.secret))
    out = Path(arguments.out).expanduser()
    left = grade.grade(manifest.find(arguments.assignment), Path(arguments.submissions).expanduser(), out, options,
                       lambda line: print(line, flush=True))
    if left:
        print(f"minidl: {left} could not be graded whole, for a fault of this machine or of a test; mend it, and go on "
              "with --resume",
              file=sys.stderr)
    return 3 if left else 0


def _gradescope(arguments: argparse.Namespace) -> None:
    from minidl.grading import manifest
    from minidl.grading.marking import gradescope

    found = manifest.find(arguments.assignment)
    print(gradescope.archive(found, Path(arguments.out or f"{found.name}-gradescope.zip"),
                             instructor=_folder(arguments.instructor)))


def _material(arguments: argparse.Namespace) -> tuple[Manifest, Path]:
    """An assignment, and where its instructor's material lies."""
    from minidl.grading import manifest

    found = manifest.find(arguments.assignment)
    return found, found.instructor(_folder(arguments.instructor))


def _folder(path: str | None) -> Path | None:
    return Path(path).expanduser() if path else None


if __name__ == "__main__":
    sys.exit(main())
