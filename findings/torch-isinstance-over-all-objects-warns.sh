#!/usr/bin/env bash
# Once torch is imported, `isinstance(o, AnyClass)` over the objects that Python's garbage collector knows emits a
# FutureWarning about torch.distributed, also in programs that use nothing of it: one module-level object of torch answers
# the question for its class, which isinstance asks every object, with the warning that `reduce_op` is deprecated. Where
# warnings are errors, the loop raises.
#
# Seen with torch 2.13.0 (CPU), on CPython 3.11, Linux x86-64:
#   isinstance: `torch.distributed.reduce_op` is deprecated, please use `torch.distributed.ReduceOp` instead
#   issubclass(type(o), ...): no warning
# Matters for tests and profilers that count live objects of a kind (leaked tensors, open graphs): they pass alone, and
# fail when another test of the same process has imported torch.
# Source: torch/distributed/distributed_c10d.py, class _reduce_op, whose __getattribute__ warns whatever is asked for.
# minidl's tests count live tensors by issubclass(type(o), Tensor) (tests/test_tensor.py).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy 2>/dev/null
"$work/venv/bin/python" - <<'PYTHON'
import gc
import warnings

import torch  # noqa: F401


class Mine:
    pass


def warned(count):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        count()
    return [str(warning.message) for warning in caught if warning.category is FutureWarning]


asked = warned(lambda: sum(isinstance(o, Mine) for o in gc.get_objects()))
typed = warned(lambda: sum(issubclass(type(o), Mine) for o in gc.get_objects()))
print("isinstance:", *asked or ["no warning"])
print("issubclass(type(o), ...):", *typed or ["no warning"])
assert any("reduce_op" in message for message in asked) and not typed, "the behaviour has changed"
PYTHON
