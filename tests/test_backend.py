"""The seam: devices and why they cannot be used, and arrays' way to them and back."""
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from minidl import Device, InputError, Tensor, backend
from minidl.backend import BACKENDS, Backend, Memory, backend_named, backend_of, devices
from tests.standin.device import UndefinedOnGpu, counting, install


@pytest.fixture
def no_cuda(monkeypatch):
    """As on a machine without a GPU; a machine with one plays it."""
    kinds = {kind: known for kind, known in BACKENDS.items() if known.name != "cuda"}
    monkeypatch.setattr(backend, "BACKENDS", kinds)
    monkeypatch.setattr(backend, "_reasons", {})
    tries = []

    class Broken(Backend):
        name = "cuda"

        def __init__(self):
            tries.append(1)
            raise RuntimeError("cudaErrorInsufficientDriver: the driver is too old\nand more lines")

    monkeypatch.setattr(backend, "_factories", {"cuda": Broken})
    return tries


# Devices ------------------------------------------------------------------------------------------------------------


def test_devices_have_one_line_each_that_says_whether_they_can_be_used_and_why_not():
    lines = devices()
    assert list(lines) == ["cpu", "cuda"]
    assert lines["cpu"].startswith(f"usable: NumPy {np.__version__}, ")
    assert lines["cuda"].startswith(("usable: ", "not usable: "))
    assert all(line.count("\n") == 0 and len(line) > len("not usable: ") for line in lines.values())


def test_an_unknown_device_names_those_that_are_known():
    for ask in (lambda: Device("tpu"), lambda: Tensor([1.0], device="tpu"), lambda: Tensor([1.0]).to("tpu")):
        with pytest.raises(InputError, match="there is no device 'tpu'; minidl knows 'cpu', 'cuda'"):
            ask()


def test_the_reason_for_no_gpu_is_kept_and_shown_and_not_tried_again(no_cuda):
    for _ in range(3):
        with pytest.raises(InputError, match="device 'cuda' cannot be used: RuntimeError: cudaErrorInsufficientDriver: "
                                             "the driver is too old$"):
            Device("cuda")
    assert devices()["cuda"] == "not usable: RuntimeError: cudaErrorInsufficientDriver: the driver is too old"
    assert len(no_cuda) == 1


def test_without_cupy_the_reason_says_what_to_install(no_cuda, monkeypatch):
    def missing():
        raise ModuleNotFoundError("No module named 'cupy'")

    monkeypatch.setattr(backend, "_factories", {"cuda": missing})
    with pytest.raises(InputError, match=r"CuPy is not installed.*pip install -e '.\[gpu\]'"):
        Device("cuda")


def test_cupy_is_not_imported_until_it_is_asked_for():
    code = ("import sys, minidl as md; md.sum(md.Tensor([1.0], requires_grad=True)).backward(); "
            "assert 'cupy' not in sys.modules and 'torch' not in sys.modules and 'scipy' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.getcwd()})


def test_the_backend_is_the_only_file_that_imports_cupy():
    root = pathlib.Path(backend.__file__).parent
    pattern = re.compile(r"""^\s*(import|from) cupy|import(_module|lib)?\(["']cupy""", re.MULTILINE)
    naming = [path.name for path in root.rglob("*.py") if pattern.search(path.read_text(encoding="utf-8"))]
    assert naming == ["backend.py"]


def test_devices_are_equal_by_name_and_serve_as_keys():
    cpu, device = Device("cpu"), install()
    assert cpu == Device() == Device(cpu) == "cpu" != device and device == "standin"
    assert {cpu: 1, device: 2}[Device("cpu")] == 1 and cpu != 3
    assert repr(cpu) == "Device('cpu')"
    assert backend_named("standin") is device.backend


def test_put_moves_only_what_is_elsewhere():
    cpu, device, array = Device("cpu"), install(), np.arange(3.0)
    assert cpu.put(array) is array
    there = device.put(array)
    assert backend_of(there).name == "standin" and device.put(there) is there
    with counting() as c:
        back = cpu.put(there)
    np.testing.assert_array_equal(back, array)
    assert c.transfers == 1 and backend_of(np.float32(1.0)).name == "cpu"


def test_memory_is_in_bytes():
    used, peak, total = memory = Device("cpu").memory()
    assert isinstance(memory, Memory)
    assert (0 < used <= peak < total) or memory == Memory(0, 0, 0)
    Device("cpu").synchronize()


def test_the_cpu_adds_duplicate_indices():
    array = np.zeros(3)
    Backend().scatter_add(array, np.array([0, 0, 2]), np.array([1.0, 2.0, 3.0]))
    assert array.tolist() == [3, 0, 3]


def test_a_step_on_the_device_waits_for_nothing():
    device = install()
    W = Tensor(np.ones((3, 2), np.float32), requires_grad=True, device=device)
    x = Tensor(np.ones((4, 3), np.float32), device=device)
    with counting() as c:
        loss = ((x @ W).tanh() ** 2).mean()
        loss.backward()
        W.data -= 0.1 * W.grad.data
    assert c.synchronisations == 0 and c.transfers == 0 and c.launches > 5


def test_numpy_functions_on_device_arrays_and_implicit_conversions_are_refused_by_the_stand_in():
    x = install().put(np.ones(3, np.float32))
    with pytest.raises((TypeError, UndefinedOnGpu)):
        np.exp(x)
    with pytest.raises(TypeError):
        np.asarray(x)
