"""minidl: a small deep-learning engine for teaching, in NumPy and CuPy.

    import minidl as md
    x = md.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = md.sum(md.exp(x) * x)
    y.backward()
    x.grad
"""
import minidl.starting  # isort: skip  # noqa: F401   (first: Ctrl-C while the rest is loaded)
from minidl import nn, ops, optim
from minidl._version import __version__
from minidl.backend import Device, devices
from minidl.debugging import debug
from minidl.derivatives import hessian, hvp, jacobian
from minidl.errors import InputError
from minidl.gradcheck import gradcheck
from minidl.graph import graph
from minidl.modes import no_grad
from minidl.ops import *  # noqa: F403
from minidl.randomness import RandomStream
from minidl.tensor import Parameter, Primitive, Tensor, grad
from minidl.tensor import primitive as custom
from minidl.tuning import tune

__all__ = ["Device", "InputError", "Parameter", "Primitive", "RandomStream", "Tensor", "__version__", "custom", "debug",
           "devices", "grad", "gradcheck", "graph", "hessian", "hvp", "jacobian", "nn", "no_grad", "ops", "optim",
           "tune"]
__all__ += vars(ops)["__all__"]          # every operation, which a type checker finds in the import above
