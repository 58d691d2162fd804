#!/usr/bin/env bash
# The second derivative of torch.logaddexp(a, b) by its smaller argument is NaN as soon as exp of the difference does not
# fit the dtype: at differences of about 89 and more in float32, 710 in float64. Value and first derivative are right
# there, and so is the second derivative by the larger argument.
#
# Seen with torch 2.13.0 (CPU), on CPython 3.11, Linux x86-64:
#   float32  difference  80: by the larger 1.8e-35, by the smaller 0
#   float32  difference 100: by the larger 3.8e-44, by the smaller nan
#   float64  difference 100: by the larger 3.7e-44, by the smaller 3.7e-44
#   float64  difference 800: by the larger 0, by the smaller nan
# Matters for gradient penalties, Hessians and Newton steps through log-likelihoods: differences of a hundred nats between
# two hypotheses are usual for whole images, and one NaN spreads to every parameter.
# Source: PyTorch's tools/autograd/derivatives.yaml, whose rule for logaddexp divides by 1 + exp(other - self): where that
# overflows, differentiating the rule meets infinity.
# minidl's second derivative is finite there (tests/ops/test_elementary.py); with large numbers its parity test compares
# first derivatives alone (tests/parity/test_ops_torch.py).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy 2>/dev/null
"$work/venv/bin/python" - <<'PYTHON'
import math

import torch


def second(difference, dtype, argument):
    a = torch.tensor(0.0, dtype=dtype, requires_grad=True)
    b = torch.tensor(-float(difference), dtype=dtype, requires_grad=True)
    by = (a, b)[argument]
    slope, = torch.autograd.grad(torch.logaddexp(a, b), by, create_graph=True)
    assert torch.isfinite(slope)
    return torch.autograd.grad(slope, by)[0].item()


seen = {}
for dtype, differences in ((torch.float32, (80, 100)), (torch.float64, (100, 800))):
    for difference in differences:
        larger, smaller = second(difference, dtype, 0), second(difference, dtype, 1)
        seen[dtype, difference] = smaller
        print(f"{str(dtype).removeprefix('torch.')}  difference {difference:3}: by the larger {larger:.2g}, "
              f"by the smaller {smaller:.2g}")
        assert math.isfinite(larger)
nan = [key for key, value in seen.items() if math.isnan(value)]
assert nan == [(torch.float32, 100), (torch.float64, 800)], "the behaviour has changed"
PYTHON
