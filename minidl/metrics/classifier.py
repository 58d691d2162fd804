"""Judges: classifiers whose features and probabilities measure a generator, with a name that says which (slide 76).

Published Inception scores and FIDs are those of one network, trained on a million photographs. A judge of our own gives
numbers of its own, which compare generators with each other, and bear its name, its accuracy and the checksum of its
weights.
"""
from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minidl import data, optim, training
from minidl.arguments import is_number, plain_array
from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError
from minidl.modes import no_grad
from minidl.nn import ELU, Flatten, Linear, Module, Sequential, cross_entropy, halving
from minidl.randomness import Seed, generator
from minidl.rows import array_of, check_count, check_text, slices
from minidl.tensor import Tensor

BATCH = 500                # images that are looked at together


class Judge:
    """A classifier of images (N, H, W, C) in [0, 1] that judges others.

    `classifier` gives a logit for each class, (N, classes); `features` what the layer before the last says, (N, d), by
    default of a Sequential all but its last layer. A Module of minidl is given Tensors, on its device. Any other
    function is given NumPy arrays, 500 images at most, and gives an array: so Inception is plugged in, whoever has its
    weights. `accuracy` is that on test images, NaN if nobody has measured it.

    Raises InputError for a name that is no text, what cannot be called, and a Module that is no Sequential without
    `features`.
    """

    def __init__(self, classifier: Callable[[Any], Any], *, name: str, features: Callable[[Any], Any] | None = None,
                 accuracy: float = float("nan")) -> None:
        check_text("Judge", "name", name)
        if features is None and isinstance(classifier, Sequential):
            features = classifier[:-1]
        if not callable(classifier) or not callable(features):
            raise InputError("Judge: takes a classifier, and features=, a function that gives the layer before its "
                             "last; an nn.Sequential needs no features=")
        if not is_number(accuracy):
            raise InputError(f"Judge: accuracy is a number, not {accuracy!r:.60}")
        self.classifier, self._features, self.name, self.accuracy = classifier, features, name, float(accuracy)
        self.trained_on: dict[str, Any] = {}               # the images' shape and the number of classes, if we know

    def features(self, images: Any) -> Array:
        """What the layer before the last says of images (N, H, W, C): (N, d)."""
        return self._seen(self._features, images)

    def log_probabilities(self, images: Any) -> Array:
        """The logarithms of the classes' probabilities, in float64: (N, H, W, C) -> (N, classes)."""
        logits = self._seen(self.classifier, images).astype(np.float64)
        xp = backend_of(logits).xp
        logits = logits - logits.max(1, keepdims=True)
        return logits - xp.log(xp.exp(logits).sum(1, keepdims=True))

    def probabilities(self, images: Any) -> Array:
        """The classes' probabilities, in float64: (N, H, W, C) -> (N, classes)."""
        logs = self.log_probabilities(images)
        return backend_of(logs).xp.exp(logs)

    @property
    def checksum(self) -> str:
        """Twelve letters of the SHA-256 of all weights; empty if the classifier is no Module of minidl."""
        if not isinstance(self.classifier, Module):
            return ""
        digest = hashlib.sha256()
        for name, array in sorted(self.classifier.state_dict().items()):
            digest.update(f"{name} {array.dtype} {array.shape} ".encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:12]

    def state_dict(self) -> dict[str, Any]:
        """Of a judge that `train_judge` made: its weights, its name, its accuracy and its checksum."""
        assert isinstance(self.classifier, Module)
        return {"network": self.classifier.state_dict(), "name": self.name, "accuracy": self.accuracy,
                "checksum": self.checksum, **self.trained_on}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave. Raises InputError for weights of another network or checksum."""
        assert isinstance(self.classifier, Module)
        self.classifier.load_state_dict(state["network"])
        self.name, self.accuracy = state["name"], state["accuracy"]
        self.trained_on = {"shape": list(state["shape"]), "classes": state["classes"]}
        if self.checksum != state["checksum"]:
            raise InputError(f"its weights have the checksum {self.checksum}, not {state['checksum']}")

    def __str__(self) -> str:
        right = "" if np.isnan(self.accuracy) else f", right on {100 * self.accuracy:.2f} % of its test images"
        return self.name + right + (f", weights {self.checksum}" if self.checksum else "")

    @staticmethod
    def _seen(look: Callable[[Any], Any], images: Any) -> Array:
        images = plain_array("Judge", array_of(images))
        if images.ndim < 2 or not len(images):
            raise InputError(f"Judge: takes images (N, H, W, C), one or more, not {images.shape}")
        parts = [images[part] for part in slices(len(images), BATCH)]
        if not isinstance(look, Module):
            found = [plain_array("Judge", array_of(look(backend_of(part).to_host(part)))) for part in parts]
            if any(len(seen.shape) < 2 or len(seen) != len(part) for seen, part in zip(found, parts, strict=True)):
                raise InputError(f"Judge: of {len(parts[0])} images the network is to give as many rows, and not "
                                 f"{found[0].shape}")
            return np.concatenate([part.reshape(len(part), -1) for part in found])
        weights = look.parameters()
        device = weights[0].device if weights else Device(backend_of(images))
        look.eval()
        with no_grad():
            seen = [look(Tensor(device.put(part.astype(np.float32)))).data for part in parts]
        return backend_of(seen[0]).xp.concatenate([part.reshape(len(part), -1) for part in seen])


def network(shape: tuple[int, ...], classes: int, *, rng: Seed) -> Sequential:
    """The judge's network for images of this shape: two convolutions that halve, a dense layer of features, logits.

    (N, H, W, C) -> (N, classes), with 128 features, 64 of images of fewer than 16 pixels a side. Raises InputError for
    another shape, and sides that cannot be halved twice.
    """
    if len(shape) != 3 or shape[0] % 4 or shape[1] % 4 or min(shape) < 1:
        raise InputError(f"a judge looks at images (H, W, C) whose sides are multiples of 4, not {shape}; pad them")
    rng, features = generator(rng, "network"), 128 if min(shape[:2]) >= 16 else 64
    return Sequential(*halving(shape[2], 16, by="pool", rng=rng), *halving(16, 32, by="pool", rng=rng), Flatten(),
                      Linear(shape[0] // 4 * (shape[1] // 4) * 32, features, rng=rng), ELU(),
                      Linear(features, classes, rng=rng))


def train_judge(dataset: data.Dataset | str, *, epochs: int | None = None, rng: Seed = 0,
                device: str | Device = "cpu", progress: bool = True) -> Judge:
    """A judge that has learned the classes of a data set's training images, or of the set of that name.

    Adam with a rate that falls from 0.003 to 0, batches of 64; `epochs` are 3 for sets of 20,000 images and more, else
    20. The same `rng`, machine and version give the same weights. Raises InputError for a set without classes.
    """
    dataset = data.load(dataset) if isinstance(dataset, str) else dataset
    if not isinstance(dataset, data.Dataset):
        raise InputError(f"train_judge: takes a data set or the name of one, not {dataset!r:.60}")
    if dataset.y_train is None or dataset.y_test is None or not dataset.classes:
        raise InputError(f"train_judge: {dataset.name} has no classes; a judge takes a set with labels, such as "
                         "'mnist'")
    rng = generator(rng, "train_judge")
    epochs = (3 if len(dataset.x_train) >= 20_000 else 20) if epochs is None else check_count("train_judge", "epochs",
                                                                                              epochs)
    net = network(dataset.x_train.shape[1:], len(dataset.classes), rng=rng).to(device)
    loader = data.Loader(dataset.x_train, dataset.y_train, batch_size=64, rng=rng, device=device)
    adam = optim.Adam(net.parameters(), lr=3e-3)
    training.fit(net, loader, adam, epochs=epochs, loss=lambda net, x, y: cross_entropy(net(x), y), progress=progress,
                 schedule=optim.CosineAnnealingLR(adam, T_max=epochs * len(loader)), description="the judge")
    judge = Judge(net, name=f"a classifier of {dataset.name}")
    judge.trained_on = {"shape": list(dataset.x_train.shape[1:]), "classes": len(dataset.classes)}
    said = judge.log_probabilities(dataset.x_test).argmax(1)
    judge.accuracy = float((backend_of(said).to_host(said) == dataset.y_test).mean())
    return judge


def save_judge(path: str | os.PathLike[str], judge: Judge) -> Path:
    """Write a judge that `train_judge` or `load_judge` made into a file, whole or not at all; returns its path.

    Raises InputError for another judge: nobody knows its network's shape.
    """
    if not isinstance(judge, Judge) or not judge.trained_on:
        raise InputError("save_judge: takes a judge that train_judge made; of another, keep the network by "
                         "training.save")
    return training.save(path, {"judge": judge})


def load_judge(path: str | os.PathLike[str]) -> Judge:
    """The judge that `save_judge` wrote.

    Raises InputError if the file is none, or its weights have not the checksum that it says.
    """
    found = training.read_checkpoint(path).get("judge", {})
    try:
        judge = Judge(network(tuple(found["shape"]), found["classes"], rng=0), name=found["name"])
        judge.load_state_dict(found)
    except (KeyError, TypeError, InputError) as error:
        raise InputError(f"{path} holds no judge ({type(error).__name__}: {error}); python -m minidl.metrics.judge "
                         "mnist --out FILE makes one") from error
    return judge
