"""Optimisers, learning-rate schedules and gradient clipping, under PyTorch's names."""
from minidl.optim.clipping import clip_grad_norm_, clip_grad_value_
from minidl.optim.optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from minidl.optim.schedules import (
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    ReduceLROnPlateau,
    Schedule,
    StepLR,
)

RMSProp = RMSprop          # the literature's spelling beside PyTorch's

__all__ = [
    "SGD", "Adagrad", "Adam", "AdamW", "CosineAnnealingLR", "ExponentialLR", "LinearLR", "Optimizer", "RMSProp",
    "RMSprop", "ReduceLROnPlateau", "Schedule", "StepLR", "clip_grad_norm_", "clip_grad_value_",
]
