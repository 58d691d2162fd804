"""CUDA sources are compiled where NVIDIA's compiler is, without a GPU."""
from __future__ import annotations

import pytest

from tests.standin import nvrtc

KERNEL = """
extern "C" __global__ void scale(float* x, float factor, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] *= factor;
}
"""


@pytest.mark.skipif(not nvrtc.available(), reason="no libnvrtc here: pip install nvidia-cuda-nvrtc-cu12")
def test_a_correct_kernel_compiles_and_a_wrong_one_is_refused_with_the_compilers_log() -> None:
    nvrtc.compile_cuda(KERNEL)
    nvrtc.compile_cuda(KERNEL, arch="sm_90")
    with pytest.raises(nvrtc.CudaError, match='identifier "facter" is undefined'):
        nvrtc.compile_cuda(KERNEL.replace("*= factor", "*= facter"))
    with pytest.raises(nvrtc.CudaError):
        nvrtc.compile_cuda(KERNEL, arch="sm_1")


def test_without_a_compiler_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvrtc, "_library", lambda: None)
    assert not nvrtc.available()
    with pytest.raises(FileNotFoundError, match="pip install"):
        nvrtc.compile_cuda(KERNEL)
