"""The seam: devices and why they cannot be used, arrays' way to them and back, random streams that resume exactly."""
import json
import os
import pathlib
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

from minidl import Device, InputError, Tensor, backend
from minidl.backend import BACKENDS, Backend, Memory, RandomStream, backend_named, backend_of, devices
from tests.standin.device import UndefinedOnGpu, counting, install

LIKE = np.zeros(1, np.float32)


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


# Random numbers -----------------------------------------------------------------------------------------------------


def draws(stream, like=LIKE, n=3):
    return [np.asarray(backend_of(like).to_host(draw((4,), like))).tolist()
            for draw in [stream.uniform, stream.normal] * n]


def test_a_seed_gives_the_same_numbers_and_another_seed_others():
    assert draws(RandomStream(1)) == draws(RandomStream(1)) != draws(RandomStream(2))
    assert draws(RandomStream(np.random.default_rng(1))) == draws(RandomStream(1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_draws_have_the_dtype_and_device_of_the_array_they_are_like(dtype):
    for like in (np.zeros(1, dtype), install().put(np.zeros(1, dtype))):
        for draw in (RandomStream(0).uniform, RandomStream(0).normal):
            y = draw((3, 2), like)
            assert type(y) is type(like) and y.dtype == dtype and y.shape == (3, 2)


def test_draws_are_distributed_as_they_should_be():
    u, z = (draw((100_000,), LIKE) for draw in (RandomStream(0).uniform, RandomStream(0).normal))
    assert 0 <= u.min() < 1e-3 and 0.999 < u.max() < 1
    np.testing.assert_allclose([u.mean(), u.std(), z.mean(), z.std()], [0.5, 12**-0.5, 0, 1], atol=0.01)


def test_a_streams_state_is_restored_bit_for_bit_at_any_moment():
    stream = RandomStream(0)
    draws(stream)
    state = stream.state_dict()
    later = draws(stream)
    for copied in (state, json.loads(json.dumps(state)), pickle.loads(pickle.dumps(state))):
        resumed = RandomStream(99)
        draws(resumed)
        resumed.load_state_dict(copied)
        assert draws(resumed) == later


def test_a_saved_state_does_not_move_on_with_its_stream():
    stream = RandomStream(0)
    state = stream.state_dict()
    before = json.dumps(state)
    draws(stream)
    assert json.dumps(state) == before


def test_a_device_stream_resumes_from_an_epochs_start():
    like = install().put(LIKE)
    stream = RandomStream(0)
    draws(stream, like)
    stream.new_epoch()
    state = stream.state_dict()
    second = draws(stream, like)
    stream.new_epoch()
    third = draws(stream, like)

    resumed = RandomStream(99)
    draws(resumed, like)
    resumed.load_state_dict(state)
    assert draws(resumed, like) == second
    resumed.new_epoch()
    assert draws(resumed, like) == third != second


def test_each_epoch_on_a_device_draws_other_numbers():
    like, stream = install().put(LIKE), RandomStream(0)
    seen = []
    for _ in range(4):
        stream.new_epoch()
        seen.append(str(draws(stream, like)))
    assert len(set(seen)) == 4


def test_within_an_epoch_the_device_stream_goes_on():
    like, stream = install().put(LIKE), RandomStream(0)
    assert draws(stream, like) != draws(stream, like)
