"""The benchmark's training steps, in minidl's words and in PyTorch's: the same losses, one step after the other."""
import numpy as np
import pytest

from tests.benchmarks.cases import CASES

pytest.importorskip("torch")
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("title", CASES)
def test_three_steps_have_pytorchs_losses(title):
    from tests.benchmarks import torch_steps
    from tests.benchmarks.peer import Minidl

    case = CASES[title]()
    ours = getattr(Minidl(1), case.kind)(case.arrays, case.parameters)
    theirs = getattr(torch_steps, case.kind)(case.arrays, case.parameters)
    for _ in range(3):
        np.testing.assert_allclose(float(ours()), theirs(), rtol=2e-4, atol=1e-5)
