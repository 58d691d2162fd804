"""The table of operations, under NumPy's names: `from minidl import ops` or `md.exp`, `md.sum`, ...

An operation is named once, in the imports; what they bring is exported. `ops.linear` alone is not in `md`, where
`minidl.linear` is the room of PCA; `nn.linear` is the same function.
"""
import sys
from typing import TYPE_CHECKING

from minidl import operators
from minidl.ops.activation import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    softmax,
    softplus,
    tanh,
)
from minidl.ops.arithmetic import (
    abs,
    add,
    astype,
    clip,
    cos,
    divide,
    equal,
    exp,
    expm1,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    power,
    reciprocal,
    sign,
    sin,
    sqrt,
    square,
    subtract,
    to_device,
    where,
)
from minidl.ops.convolution import conv1d, conv2d, conv_transpose2d
from minidl.ops.elementary import (
    arctan2,
    ceil,
    cosh,
    floor,
    floor_divide,
    hypot,
    log2,
    log10,
    logaddexp,
    remainder,
    round,
    sinh,
    tan,
)
from minidl.ops.gaussian import erf, ndtr
from minidl.ops.indexing import check_labels, gather, getitem, one_hot, scatter_add, take
from minidl.ops.linalg import dot, einsum, linear, matmul, outer, tensordot
from minidl.ops.masks import (
    all,
    any,
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    invert,
    isfinite,
    isnan,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
)
from minidl.ops.matrices import diag, diagonal, trace, tril, triu
from minidl.ops.normalization import batch_norm, moments, scale_shift, standardize
from minidl.ops.pooling import avg_pool2d, interpolate, max_pool2d, max_unpool2d, upsample
from minidl.ops.reduction import argmax, argmin, cumprod, cumsum, logsumexp, max, mean, min, norm, prod, std, sum, var
from minidl.ops.shape import (
    concatenate,
    expand_dims,
    flip,
    hstack,
    moveaxis,
    pad,
    ravel,
    repeat,
    reshape,
    roll,
    split,
    squeeze,
    stack,
    swapaxes,
    tile,
    transpose,
    vstack,
)
from minidl.ops.sorting import argsort, sort
from minidl.tensor import broadcast_to, sum_to

if not TYPE_CHECKING:                      # which reads the imports, and could not follow this line
    __all__ = [name for name, value in list(globals().items()) if callable(value) and name != "linear"]

operators.ops = sys.modules[__name__]      # Tensor's methods call the operations, which import Tensor
