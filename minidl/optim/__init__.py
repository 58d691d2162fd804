"""Optimisers, schedules, gradient clipping and noise, averages of weights; PyTorch's names where it has one."""
from minidl.optim.averaging import EMA
from minidl.optim.base import Optimizer
from minidl.optim.clipping import ClipGradNorm, ClipGradValue, clip_grad_norm_, clip_grad_value_, clip_weights_
from minidl.optim.functional import stepped
from minidl.optim.lbfgs import LBFGS
from minidl.optim.noise import GradientNoise
from minidl.optim.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from minidl.optim.schedules import (
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Schedule,
    StepLR,
)

RMSProp = RMSprop          # the literature's spelling beside PyTorch's

__all__ = [
    "EMA", "LBFGS", "SGD", "Adagrad", "Adam", "AdamW", "ClipGradNorm", "ClipGradValue", "CosineAnnealingLR",
    "ExponentialLR", "GradientNoise", "LinearLR", "MultiStepLR", "OneCycleLR", "Optimizer", "RMSProp", "RMSprop",
    "ReduceLROnPlateau", "Schedule", "StepLR", "clip_grad_norm_", "clip_grad_value_", "clip_weights_",
    "stepped",
]
