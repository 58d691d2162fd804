"""The training loop, checkpoints that resume bit for bit, and the learning-rate range test."""
from minidl.training.checkpoint import load, load_model, read_checkpoint, save
from minidl.training.fit import fit
from minidl.training.history import History
from minidl.training.loop import Progress, run
from minidl.training.lr_range import RangeTest, lr_range_test
from minidl.training.stateful import Stateful

__all__ = ["History", "Progress", "RangeTest", "Stateful", "fit", "load", "load_model", "lr_range_test",
           "read_checkpoint", "run", "save"]
