"""Neural networks: modules, layers, initial values and losses, under PyTorch's names."""
from minidl.nn import init
from minidl.nn.convolution import Conv1d, Conv2d, ConvTranspose2d
from minidl.nn.layers import (
    ELU,
    GELU,
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
from minidl.nn.module import Buffer, Module, functional_call
from minidl.nn.networks import Activation, doubling, halving, mlp
from minidl.nn.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, PixelNorm
from minidl.nn.pooling import AvgPool2d, Flatten, GlobalAvgPool2d, MaxPool2d, MaxUnpool2d, Unflatten, Upsample
from minidl.nn.recurrent import GRU, LSTM, RNN, Embedding, detach_state, mask_from_lengths
from minidl.nn.regularization import DropConnect, Dropout, l1_penalty
from minidl.nn.reparametrization import EqualizedLR, SpectralNorm, WeightNorm
from minidl.nn.sparsity import KSparse, kl_sparsity, l1_sparsity
from minidl.ops import linear
from minidl.tensor import Parameter

__all__ = [
    "ELU", "GELU", "GRU", "LSTM", "RNN", "Activation", "AvgPool2d", "BatchNorm", "Buffer", "Conv1d", "Conv2d",
    "ConvTranspose2d", "DropConnect", "Dropout", "Embedding", "EqualizedLR", "Flatten", "GlobalAvgPool2d",
    "GroupNorm", "InstanceNorm", "KSparse", "LayerNorm", "LeakyReLU", "Linear", "MaxPool2d", "MaxUnpool2d", "Module",
    "Parameter", "PixelNorm", "ReLU", "Sequential", "Sigmoid", "Softmax", "Softplus", "SpectralNorm", "Tanh",
    "Unflatten", "Upsample", "WeightNorm", "binary_cross_entropy_with_logits", "cross_entropy", "detach_state",
    "doubling", "functional_call", "halving", "hinge_loss", "huber_loss", "init", "kl_gaussians", "kl_sparsity",
    "kl_unit_gaussian", "l1_loss", "l1_penalty", "l1_sparsity", "linear", "mask_from_lengths", "mlp", "mse_loss",
]
