"""minidl: a small deep-learning engine for teaching, in NumPy and CuPy.

    import minidl as md
    x = md.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = md.sum(md.exp(x) * x)
    y.backward()
    x.grad
"""
from minidl import ops
from minidl._version import __version__ as __version__
from minidl.backend import Device, devices
from minidl.debugging import debug
from minidl.gradcheck import gradcheck
from minidl.errors import InputError
from minidl.ops import *  # noqa: F403
from minidl.tensor import Parameter, Primitive, Tensor, grad, no_grad
from minidl.tensor import primitive as custom

__all__ = ["Device", "InputError", "Parameter", "Primitive", "Tensor", "custom", "debug", "devices", "grad",
           "gradcheck", "no_grad",
           *ops.__all__]
