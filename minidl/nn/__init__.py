"""Neural networks: modules, layers, initial values and losses, under PyTorch's names."""
from minidl.nn import init
from minidl.nn.layers import (
    ELU,
    GELU,
    Dropout,
    LeakyReLU,
    Linear,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from minidl.nn.losses import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    huber_loss,
    kl_gaussians,
    kl_unit_gaussian,
    l1_loss,
    mse_loss,
)
from minidl.nn.module import Buffer, Module
from minidl.ops import linear
from minidl.tensor import Parameter

__all__ = [
    "ELU", "GELU", "Buffer", "Dropout", "LeakyReLU", "Linear", "Module", "Parameter", "ReLU", "Sequential", "Sigmoid",
    "Softmax", "Softplus", "Tanh", "binary_cross_entropy_with_logits", "cross_entropy", "hinge_loss", "huber_loss",
    "init", "kl_gaussians", "kl_unit_gaussian", "l1_loss", "linear", "mse_loss",
]
