"""The command line: `minidl lecture 17`. Each command is one call into a room above."""
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from minidl._version import __version__
from minidl.errors import BoundMissed, InputError

_LECTURE_HELP = """\
examples:
  minidl lecture list                        every lecture, and those still to come
  minidl lecture 17                          the lecture that shows slide 17
  minidl lecture 115                         the four on slide 115, one after the other
  minidl lecture deep-autoencoder --fast     by name, shortened to some seconds
  minidl lecture 17 --data mnist             on MNIST (minidl data fetch mnist gets it): minutes
  minidl lecture 17 --data mnist --replay    the last such run, at once

A lecture prints its table and saves its figures and metrics.json in out/lecture-017 (with another data set than the
usual one in out/lecture-017-mnist), or in the folder that --out names; windows open where there is a screen.
Exit code: 0, or 1 if a metric missed its bound, 2 for wrong input, 130 after Ctrl-C."""

_DATA_HELP = """\
examples:
  minidl data list
  minidl data fetch mnist fashion-mnist
  minidl data fetch --all                    before a lecture without network

Downloads go to the user's cache (or the folder in MINIDL_CACHE); folders in MINIDL_DATA are searched first."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0; 1 for a missed bound; 2 for wrong input; 130 after Ctrl-C."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments) or 0)
    except BrokenPipeError:               # `minidl lecture list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (InputError, OSError) as error:
        print(f"minidl: {error}", file=sys.stderr)
        return 2
    except (BoundMissed, FloatingPointError) as error:
        print(f"minidl: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        print(f"\nminidl: {error}" if str(error) else "\nminidl: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="minidl", description="Unsupervised deep learning, slide by slide.",
        epilog="start with: minidl lecture 17")
    parser.add_argument("--version", action="version", version=f"minidl {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_lecture(commands)
    _add_data(commands)
    devices = commands.add_parser("devices", help="what this machine can compute on, and why not on a GPU")
    devices.set_defaults(run=_devices)
    return parser


def _add_lecture(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("lecture", help="run the lecture of a slide", epilog=_LECTURE_HELP,
                                 description="Run lectures, by slide number or by name.",
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wanted", nargs="+", metavar="list | SLIDE | NAME",
                        help="a slide from 1 to 115, or (the beginning of) a lecture's name")
    parser.add_argument("--data", metavar="NAME", help="the data set; each lecture has its usual one")
    parser.add_argument("--device", default="cpu", metavar="cpu|cuda", help="where to compute (default: cpu)")
    parser.add_argument("--fast", action="store_true", help="a shortened run of a few seconds, to see that it works")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the seed of all random numbers (default: 0)")
    parser.add_argument("--out", metavar="DIR", help="the folder for figures and metrics.json")
    parser.add_argument("--show", action="store_true", help="open windows even where no screen was found")
    parser.add_argument("--replay", action="store_true", help="show the kept figures of the last full run, at once")
    parser.set_defaults(run=_lecture)


def _add_data(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("data", help="list or download data sets", epilog=_DATA_HELP,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(required=True, metavar="list | fetch")
    actions.add_parser("list", help="all data sets, and which are here").set_defaults(run=_data_list)
    fetch = actions.add_parser("fetch", help="download data sets from their official mirrors")
    fetch.add_argument("names", nargs="*", metavar="NAME")
    fetch.add_argument("--all", action="store_true", help="every set that can be downloaded")
    fetch.set_defaults(run=_data_fetch)


def _lecture(arguments: argparse.Namespace) -> None:
    from lectures import runner, slides

    if arguments.wanted == ["list"]:
        print(slides.listing())
        return
    from minidl.tuning import tune

    tune()
    found = [lecture for wanted in arguments.wanted for lecture in slides.find(wanted)]   # all, before the first runs
    for lecture in found:
        out = arguments.out
        if out and len(found) > 1:
            out = os.path.join(out, lecture.folder)
        try:
            runner.run(lecture, runner.Options(
                data=arguments.data, device=arguments.device, fast=arguments.fast, seed=arguments.seed, out=out,
                show=arguments.show, replay=arguments.replay))
        except runner.OtherData as error:
            if len(found) == 1:
                raise
            print(f"left out: {error}", flush=True)


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


if __name__ == "__main__":
    sys.exit(main())
