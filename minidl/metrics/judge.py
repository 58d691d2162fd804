"""Trains a judge of generators, and writes it into a file for `metrics.load_judge`.

    python -m minidl.metrics.judge digits --out judge-digits.npz           # 2 s, right on 98 %
    python -m minidl.metrics.judge mnist --out judge-mnist.npz             # a minute, right on 99 %
    python -m minidl.metrics.judge fashion-mnist --out judge-fashion.npz

Prints the judge's name, its accuracy on the test images and the checksum of its weights, which belong beside every
number that it gives.
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from minidl.errors import InputError
from minidl.metrics.classifier import save_judge, train_judge


def main(argv: Sequence[str] | None = None) -> int:
    """The command line: 0, or 2 for wrong input."""
    parser = argparse.ArgumentParser(prog="python -m minidl.metrics.judge", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a data set with labels, such as digits, mnist, fashion-mnist, cifar10")
    parser.add_argument("--out", required=True, metavar="FILE", help="where the judge goes, an .npz file")
    parser.add_argument("--epochs", type=int, metavar="N", help="instead of as many as the set's size wants")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--device", default="cpu", help="cpu (the default) or cuda")
    options = parser.parse_args(argv)
    try:
        judge = train_judge(options.data, epochs=options.epochs, rng=options.seed, device=options.device)
        print(f"{judge}\nin {save_judge(options.out, judge)}")
    except InputError as error:
        print(f"minidl: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
