"""The CUDA kernels, without a GPU: NVIDIA's compiler reads them all, and g++ runs them against NumPy."""
import copy
import inspect
import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl as md
from minidl import nn, ops, optim
from minidl.backend import COMPILERS
from minidl.kernels import KERNELS, Cuda, Elementwise, col2im, compiles, fused, im2col, places
from minidl.nn import losses
from minidl.tensor import Tensor
from tests.ops.cases import CASES, Draw
from tests.optim.test_optimizers import every_optimizer, give_gradients, parameters, state_of, steps, values
from tests.standin import compiled, nvrtc
from tests.standin.device import compiling, counting, install, xp

needs_nvrtc = pytest.mark.skipif(not nvrtc.available(), reason="no libnvrtc: pip install nvidia-cuda-nvrtc-cu12")
needs_compiler = pytest.mark.skipif(not compiled.available(), reason="no g++ here")

FUSED = [kernel for kernel in KERNELS if isinstance(kernel, Elementwise)]
every_fused = pytest.mark.parametrize("kernel", FUSED, ids=lambda kernel: kernel.name)
NEAR = {"float32": {"rtol": 1e-5, "atol": 1e-5}, "float64": {"rtol": 1e-13, "atol": 1e-13}}


@pytest.fixture
def device():
    """The stand-in as a device that compiles kernels."""
    if not compiled.available():
        pytest.skip("no g++ here")
    with compiling() as device:
        yield device


# They compile ---------------------------------------------------------------------------------------------------------


@needs_nvrtc
@pytest.mark.parametrize("T", ["float", "double"])
def test_every_kernel_compiles_and_none_of_float32_computes_in_float64(T):
    sources = [source for source in compiled.sources() if f"typedef {T}" in source[0]]
    ptx = nvrtc.compile_cuda(compiled.together(sources), arch="compute_80")
    assert ptx.count(".entry") == len(sources) >= len(KERNELS)
    wide = re.findall(r"\S+\.f64 .*", ptx)
    assert T == "double" or not wide, f"a number without T(...), such as 0.5, makes float64 of what it meets: {wide[0]}"


def test_cupy_accepts_every_declaration():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed", exc_type=ImportError)
    for kernel in FUSED:
        made = cupy.ElementwiseKernel(kernel.inputs, kernel.output, kernel.body, kernel.name)
        assert (made.nin, made.nout) == (kernel.inputs.count(",") + 1, 1)


# Fused chains ---------------------------------------------------------------------------------------------------------

EXTREMES = [0.0, -0.0, 1e-30, -1e-30, 1e-4, -1e-4, 1.0, -1.0, 20.0, -20.0, 90.0, -90.0, np.inf, -np.inf, np.nan]


def arguments(kernel, make, number):
    """What to call the kernel's NumPy function with: made arrays for what it reads, a number for a number."""
    names = [parameter.split()[-1] for parameter in kernel.inputs.split(",")]
    for name, parameter in inspect.signature(kernel.function).parameters.items():
        if name == "xp":
            yield np
        elif name not in names:
            yield None
        elif parameter.annotation == "float":
            yield number
        else:
            yield make()


def both(kernel, args, device):
    """The function's result and the kernel's, for the same arguments."""
    there = [device.put(a) if isinstance(a, np.ndarray) else xp if a is np else a for a in args]
    with counting() as c:
        result = kernel(kernel.values(*there))
    assert (c.launches, c.transfers, c.synchronisations) == (1, 0, 0)
    return kernel.function(*args), result.get()


@every_fused
@pytest.mark.parametrize("dtype", NEAR)
def test_a_fused_kernel_computes_what_its_function_does(kernel, dtype, device):
    """For arrays whose elements lie in memory in different orders, one of them."""
    rng, turn = np.random.default_rng(0), itertools.cycle([False, True, False])
    shape = (40, 30)

    def make():
        x = (rng.standard_normal(shape) * 3).astype(dtype)
        return np.asfortranarray(x) if next(turn) else x

    expected, result = both(kernel, list(arguments(kernel, make, 0.3)), device)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, expected, **NEAR[dtype])


@every_fused
def test_a_fused_kernel_meets_zeros_infinities_and_nan_as_its_function_does(kernel, device):
    """Each for the first argument with each for the others."""
    x = np.array(EXTREMES, np.float32)
    first, others = np.meshgrid(x, x)
    made = iter([first])
    with np.errstate(all="ignore"):
        expected, result = both(kernel, list(arguments(kernel, lambda: next(made, others), 0.3)), device)
    np.testing.assert_allclose(result, expected, **NEAR["float32"])


calls = []


@fused("T x, T a", "T y", "y = a * x")
def scaled(x, a=2.0):
    calls.append(type(x))
    return x * a


def test_a_fused_function_is_itself_for_numpy_for_tensors_and_for_other_dtypes(device):
    calls.clear()
    x = np.ones((2, 3), np.float32)
    for other in (x, Tensor(x, device=device), device.put(x.astype(np.float16)), device.put(x.astype(np.int32)), 3.0):
        scaled(other)
        scaled(x=other)
    assert len(calls) == 10
    there = device.put(x)
    for result, expected in ((scaled(there), 2.0), (scaled(there, 3), 3.0), (scaled(there, a=0.5), 0.5)):
        assert len(calls) == 10
        np.testing.assert_array_equal(result.get(), x * np.float32(expected))
    scaled(there, device.put(x.astype(np.float64)))
    assert len(calls) == 11
    del COMPILERS[type(there)]
    scaled(there)
    COMPILERS[type(there)] = device.backend
    assert len(calls) == 12


LAUNCHES = {
    "sigmoid": (ops.sigmoid, 1, 1), "tanh": (ops.tanh, 1, 1), "softplus": (ops.softplus, 1, 2),
    "relu": (ops.relu, 1, 1), "leaky_relu": (ops.leaky_relu, 1, 1), "elu": (ops.elu, 1, 1), "gelu": (ops.gelu, 1, 1),
    "binary cross-entropy": (lambda x: losses.binary_cross_entropy_with_logits(x, x.detach(), "none"), 1, 1),
}


@pytest.mark.parametrize("name", LAUNCHES)
def test_an_activation_is_one_launch_forward_and_one_backward(name, device):
    f, forward, backward = LAUNCHES[name]
    x = Tensor(np.linspace(-2, 2, 12, dtype=np.float32), requires_grad=True, device=device)
    g = Tensor(np.ones(12, np.float32), device=device)
    with counting() as c:
        y = f(x)
    assert c.launches == forward
    with counting() as c:
        md.grad(y, x, g)
    assert c.launches == backward
    assert (c.transfers, c.synchronisations) == (0, 0)


def test_a_slope_out_of_range_is_refused_on_a_device_too(device):
    with pytest.raises(md.InputError, match="negative_slope lies between 0 and 1, not 1.5"):
        ops.leaky_relu(Tensor([1.0], device=device), 1.5)


def run(f, inputs, device):
    """Value, gradients, and the gradients of their squares, as NumPy arrays."""
    leaves = [Tensor(x.astype(np.float32), requires_grad=True, device=device) for x in inputs]
    y = f(*leaves)
    weights = Tensor(np.random.default_rng(0).standard_normal(y.shape).astype(np.float32), device=device)
    y.backward(weights, retain_graph=True)
    first = [x.grad for x in leaves]
    for x in leaves:
        x.grad = None
    y.backward(weights, create_graph=True)
    recorded = [x.grad for x in leaves]
    for g, h in zip(first, recorded, strict=True):
        assert g is None or np.allclose(g.numpy(), h.numpy(), rtol=1e-4, atol=1e-5)     # composed, not fused
    total = sum((md.sum(g * g) for g in recorded if g is not None), start=md.sum(leaves[0] * 0.0))
    for x in leaves:
        x.grad = None
    total.backward()
    return [a.numpy() for a in [y, *first, *(x.grad for x in leaves)] if a is not None]


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{name}-{i}")
                                  for name, cases in CASES.items() for i, case in enumerate(cases)])
def test_every_operation_is_near_numpys_to_second_order(case, device):
    f, inputs = case(Draw(1))
    for a, b in zip(run(f, inputs, device), run(f, inputs, "cpu"), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


# Images and columns ---------------------------------------------------------------------------------------------------


def by_loops(x, kernel, stride, padding, dilation):
    """im2col, element by element."""
    (N, H, W, C), (OH, OW) = x.shape, places(x.shape[1:3], kernel, stride, padding, dilation)
    columns = np.zeros((N, OH, OW, *kernel, C), x.dtype)
    for n, oh, ow, kh, kw in np.ndindex(columns.shape[:5]):
        h = oh * stride[0] - padding[0] + kh * dilation[0]
        w = ow * stride[1] - padding[1] + kw * dilation[1]
        if 0 <= h < H and 0 <= w < W:
            columns[n, oh, ow, kh, kw] = x[n, h, w]
    return columns.reshape(N * OH * OW, kernel[0] * kernel[1] * C)


@st.composite
def geometries(draw):
    """An image's shape, and a window that fits."""
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel, stride, dilation = draw(pair), draw(pair), draw(pair)
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    least = [max(1, d * (k - 1) + 1 - 2 * p) for k, d, p in zip(kernel, dilation, padding, strict=True)]
    H, W = (n + draw(st.integers(0, 3)) for n in least)
    shape = (draw(st.integers(0, 2)), H, W, draw(st.sampled_from([1, 2, 3, 4, 8])))
    return shape, (kernel, stride, padding, dilation)


@pytest.mark.parametrize("where", ["cpu", "device"])
@settings(max_examples=30)
@given(geometry=geometries(), dtype=st.sampled_from(["float16", "float32", "float64"]))
def test_columns_are_the_images_windows_and_go_back_where_they_came_from(where, geometry, dtype):
    """On the CPU by NumPy's loop over the taps, on the device by the kernels, one launch each."""
    if where == "device" and not compiled.available():
        pytest.skip("no g++ here")
    shape, window = geometry
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(dtype)
    expected = by_loops(x, *window)
    there = rng.integers(-4, 5, expected.shape).astype(dtype)        # whole numbers: sums are exact in any order
    places_of = by_loops(np.arange(1, x.size + 1).reshape(shape), *window)
    image = np.bincount(places_of.ravel(), there.ravel(), x.size + 1)[1:].reshape(shape)
    with compiling() as device, counting() as c:
        put = device.put if where == "device" else np.asarray
        x, there = put(x), put(there)
        c.reset()
        columns, back = im2col(x, *window), col2im(there, shape, *window)
        if compiles(x):
            assert c.launches == 2 * (x.size > 0) and (c.transfers, c.synchronisations) == (0, 0)
    host = md.Device("cpu").put
    np.testing.assert_array_equal(host(columns), expected)
    np.testing.assert_array_equal(host(back), image)
    assert columns.dtype == back.dtype == dtype


def test_images_and_columns_may_lie_in_memory_as_they_like(device):
    """Turned round, in part, or at an address that no 16 bytes begin at."""
    x = np.random.default_rng(0).standard_normal((2, 5, 4, 4)).astype(np.float32)
    window = ((2, 2), (1, 1), (1, 0), (1, 1))
    expected = by_loops(x, *window)
    turned = device.put(x.transpose(3, 2, 1, 0).copy()).transpose(3, 2, 1, 0)
    odd = xp.empty(x.size + 4, dtype="float32")
    at = next(i for i in range(4) if device.backend.address(odd[i:]) % 16)
    shifted = odd[at:at + x.size].reshape(x.shape)
    shifted[...] = device.put(x)
    for image in (turned, shifted):
        np.testing.assert_array_equal(im2col(image, *window).get(), expected)
    columns = device.put(expected.T.copy()).T
    np.testing.assert_array_equal(col2im(columns, x.shape, *window).get(), col2im(expected, x.shape, *window))


def test_sixteen_bytes_are_moved_at_once_where_the_channels_allow_it(device, monkeypatch):
    moved = []
    call = Cuda.__call__
    monkeypatch.setattr(Cuda, "__call__", lambda self, T, *args: (moved.append(T), call(self, T, *args)))
    for channels, dtype in ((4, "float32"), (6, "float32"), (2, "float64"), (3, "float64")):
        im2col(xp.zeros((1, 4, 4, channels), dtype=dtype), (2, 2))
    assert moved == ["float4", "float", "double2", "double"]


# The optimisers' step -------------------------------------------------------------------------------------------------

SHAPES = [(40, 5), (5,), (), (3, 4, 2), (0,), (1000,)]


@every_optimizer
@pytest.mark.parametrize("dtype", NEAR)
def test_a_kernel_steps_as_numpy_does(make, dtype, device):
    """With weight decay of some, gradients that are missing now and then, and one whose memory is turned round."""
    here, there = parameters(*SHAPES, dtype=dtype), parameters(*SHAPES, dtype=dtype)
    for p in there:
        p.data = device.put(p.data)
    a, b = (make(params, weight_decay=lambda name, p: 0.1 if p.ndim > 1 else 0.0) for params in (here, there))
    for seed in range(4):
        give_gradients(here, seed)
        give_gradients(there, seed)
        there[0].grad = Tensor(device.put(here[0].grad.data.T.copy()).T)
        if seed == 1:
            here[1].grad = there[1].grad = None
        given = [p.grad for p in there]
        a.step()
        b.step()
        for p, q, g in zip(here, there, given, strict=True):
            assert q.grad is g and (g is None or np.array_equal(g.numpy(), p.grad.numpy()))
    for p, q in zip(here, there, strict=True):
        np.testing.assert_allclose(q.numpy(), p.numpy(), **NEAR[dtype])
    mine, theirs = a.state_dict(), b.state_dict()
    for name in mine:
        np.testing.assert_allclose(theirs[name], mine[name], **NEAR[dtype])


@every_optimizer
def test_a_step_is_one_launch_however_many_parameters_and_never_waits(make, device):
    params = parameters(*[(7, 3), (3,)] * 20)
    for p in params:
        p.data = device.put(p.data)
    optimizer = make(params, weight_decay=0.1)
    give_gradients(params, 0)
    with counting() as c:
        optimizer.step()
    assert (c.launches, c.transfers, c.synchronisations) == (1, 0, 0)
    params[5].grad = None                                   # parts what lies side by side
    with counting() as c:
        optimizer.step()
    assert (c.launches, c.transfers, c.synchronisations) == (2, 0, 0)
    give_gradients(params, 1)                               # and this one is a step behind the others
    with counting() as c:
        optimizer.step()
    assert c.launches == 3


@pytest.mark.parametrize("n", [63, 64, 65, 130])
def test_more_parameters_than_a_launch_takes_are_several_launches(n, device):
    here, there = parameters(*[(i % 3,) for i in range(n)]), parameters(*[(i % 3,) for i in range(n)])
    for p in there:
        p.data = device.put(p.data)
    a, b = optim.Adam(here), optim.Adam(there)
    give_gradients(here, 0)
    give_gradients(there, 0)
    a.step()
    with counting() as c:
        b.step()
    assert c.launches == -(-n // 64)
    for p, q in zip(here, there, strict=True):
        np.testing.assert_allclose(q.numpy(), p.numpy(), **NEAR["float32"])


@every_optimizer
def test_a_copy_of_an_optimizer_and_its_parameters_goes_on_alone(make, device):
    for place in ("cpu", device):
        params = parameters((4, 3), (5,))
        for p in params:
            p.data = md.Device(place).put(p.data)
        optimizer = make(params)
        steps(optimizer, params, range(2))
        twin, its_params = copy.deepcopy((optimizer, params))
        before = values(params)
        steps(twin, its_params, range(2, 4))
        assert values(params) == before != values(its_params)
        steps(optimizer, params, range(2, 4))
        assert values(params) == values(its_params) and state_of(optimizer) == state_of(twin)


@pytest.mark.parametrize("rule", [optim.Optimizer, optim.SGD, optim.Adam])
def test_a_rule_that_brings_no_kernel_is_not_given_anothers(rule, device):
    class Signs(rule):
        def update(self, xp, p, g, *rest):
            p -= self.lr * xp.sign(g)

    class Renamed(Signs):
        pass

    for kind in (Signs, Renamed):
        p = nn.Parameter([1.0, -1.0], device=device)
        optimizer = kind([p], lr=0.5)
        p.grad = Tensor([2.0, -3.0], device=device)
        optimizer.step()
        assert p.numpy().tolist() == [0.5, -0.5]


# All together ---------------------------------------------------------------------------------------------------------


def train(place, count=5):
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(12, 16, rng=1), nn.LeakyReLU(0.2), nn.Linear(16, 8, rng=2), nn.Tanh(),
                          nn.Linear(8, 12, rng=3)).to(place)
    x = Tensor((rng.random((20, 12)) > 0.5).astype(np.float32), device=place)
    optimizer, launches, found = optim.AdamW(model.named_parameters(), lr=0.01), [], []
    for _ in range(count):
        with counting() as c:
            optimizer.zero_grad()
            loss = losses.binary_cross_entropy_with_logits(model(x), x)
            loss.backward()
            optimizer.step()
        launches.append((c.launches, c.synchronisations, c.transfers))
        found.append(loss.item())
    return found, launches[-1]


@needs_compiler
def test_training_is_the_same_with_fewer_launches_and_no_wait():
    here, _ = train("cpu")
    alike, plain = train(install())
    with compiling() as device:
        there, fused_ = train(device)
    assert alike == here
    np.testing.assert_allclose(there, here, rtol=1e-5)
    assert fused_[0] <= plain[0] / 3 and fused_[1:] == plain[1:] == (0, 0)
