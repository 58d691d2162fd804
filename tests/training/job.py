"""A training with everything in it, for the tests of `fit`, of resuming and of checkpoints."""
import signal

import numpy as np
import pytest

from minidl import nn, optim
from minidl.data import Loader, augmentation
from minidl.training import fit, read_checkpoint

X = np.random.default_rng(0).uniform(0, 1, (22, 5)).astype(np.float32)
BATCH, STEPS = 6, 4                       # 22 items: the last of four batches is smaller


class Job:
    """A model with dropout, a shuffling loader, Adam and a schedule: `Job(...)(checkpoint=path)` trains them.

    With `tricks` the loader adds noise to its batches, the gradients get noise as well, and the weights are averaged.
    `validate` falls to 0 at step 12 and rises again: patience 2 stops after 5 epochs and goes back to the third.
    """

    def __init__(self, *, shared=False, bits=np.random.PCG64, schedule="cosine", loss=None, patience=2, dropout=0.3,
                 device="cpu", x=X, tricks=False):
        rng = np.random.Generator(bits(7))
        drops = rng if shared else np.random.Generator(bits(8))
        layers = [nn.Linear(5, 4, rng=1), nn.Tanh(), nn.Dropout(dropout, rng=drops), nn.Linear(4, 5, rng=2)]
        self.model = nn.Sequential(*layers if dropout else [*layers[:2], layers[3]]).to(device)
        augment = (lambda x, rng: augmentation.noise(x, rng, sd=0.1)) if tricks else None
        self.loader = Loader(x, batch_size=BATCH, rng=rng, device=device, augment=augment)
        self.optimizer = optim.Adam(self.model.named_parameters(), lr=0.05)
        self.schedule = {"cosine": lambda: optim.CosineAnnealingLR(self.optimizer, 20, warmup=3), "none": lambda: None,
                         "plateau": lambda: optim.ReduceLROnPlateau(self.optimizer, factor=0.5, patience=0)}[schedule]()
        self.loss = loss or (lambda model, x: nn.mse_loss(model(x), x))
        self.patience = patience
        self.noise = optim.GradientNoise(rng=rng if shared else 9) if tricks else None
        self.average = optim.EMA(self.model, decay=0.9) if tricks else None

    def use(self, optimizer):
        """Train with another optimiser, by a schedule of it."""
        self.optimizer, self.schedule = optimizer, optim.CosineAnnealingLR(optimizer, 20, warmup=3)

    def validate(self, model):
        return abs(float(self.optimizer.state_dict()["steps/0.weight"]) - 3 * STEPS)

    def __call__(self, epochs=6, **more):
        more = {"validate": self.validate, "patience": self.patience, "gradients": [self.noise] if self.noise else [],
                "average": self.average, "progress": False, **more}
        return fit(self.model, self.loader, self.optimizer, loss=self.loss, epochs=epochs, schedule=self.schedule,
                   **more)


def whole(path):
    """A checkpoint's content, but for the seconds."""
    parts = read_checkpoint(path)
    parts["run"]["history"].pop("seconds", None)
    return bytewise(parts)


def bytewise(state):
    if isinstance(state, dict):
        return {name: bytewise(value) for name, value in state.items()}
    if isinstance(state, list):
        return [bytewise(value) for value in state]
    return (state.dtype, state.shape, state.tobytes()) if isinstance(state, np.ndarray) else state


def result(job):
    """What training leaves behind."""
    return [a.tobytes() for a in [*job.model.state_dict().values(), *job.optimizer.state_dict().values()]]


def interrupt_at(step):
    """A loss that presses Ctrl-C at its n-th call."""
    calls = [0]

    def loss(model, x):
        calls[0] += 1
        if calls[0] == step:
            signal.raise_signal(signal.SIGINT)
        return nn.mse_loss(model(x), x)

    return loss


VARIANTS = {"two generators": {}, "one generator for dropout and order": {"shared": True},
            "plateau": {"schedule": "plateau"}, "no schedule": {"schedule": "none"},
            "Mersenne Twister": {"bits": np.random.MT19937, "shared": True},
            "tricks": {"tricks": True}}
variants = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
