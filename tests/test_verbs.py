"""The four verbs, for every model that has them: a model that is missing here fails the first test."""
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import minidl
import minidl as md
from minidl import nn
from minidl.adversarial import VAEGAN, BiGAN
from minidl.autoencoders import (
    Autoencoder,
    BinaryAutoencoder,
    ContractiveAutoencoder,
    ConvolutionalAutoencoder,
    DeepAutoencoder,
    DenoisingAutoencoder,
    SparseAutoencoder,
    StackedAutoencoder,
)
from minidl.energy import RBM, BernoulliRBM, DeepBeliefNet, DeepBoltzmannMachine, Gaussian, ShapeBM, SigmoidBeliefNet
from minidl.linear import PCA, KMeans, LogisticPCA, MiniBatchKMeans, Whitening
from minidl.variational import VAE, ConvolutionalVAE, VariationalAutoencoder
from minidl.verbs import Verbs
from tests.standin.device import install

VERBS = ("encode", "decode", "reconstruct", "sample")
ROWS = np.random.default_rng(0).random((40, 16), dtype=np.float32)


class Case(NamedTuple):
    """A model: how it is made, and what its answers look like."""

    make: Callable[[], Any]
    code: tuple[int, ...]                          # shape of an item's code
    shape: tuple[int, ...] = (16,)                 # and of an item
    code_dtype: str | None = None                  # None: that of the data
    tensors: tuple[str, ...] = VERBS[:3]           # the verbs that answer a Tensor with a recorded one
    remembers: bool = True                         # the codes of data: else it has a distribution of its own


CASES = {
    "PCA": Case(lambda: PCA(3), (3,)),
    "PCA, whitened": Case(lambda: PCA(3, whiten=True), (3,)),
    "Whitening": Case(lambda: Whitening(3), (3,)),
    "Whitening by ZCA": Case(lambda: Whitening(kind="zca"), (16,)),
    "LogisticPCA": Case(lambda: LogisticPCA(3), (3,), tensors=("decode",)),
    "KMeans": Case(lambda: KMeans(5), (), code_dtype="int64", tensors=()),
    "MiniBatchKMeans": Case(lambda: MiniBatchKMeans(5), (), code_dtype="int64", tensors=()),
    "RBM": Case(lambda: RBM(16, 6, rng=0, sd=0.5), (6,), remembers=False),
    "BernoulliRBM": Case(lambda: BernoulliRBM(6, n_iter=2, batch_size=16, chains=8), (6,)),
    "RBM, Gaussian": Case(lambda: RBM(Gaussian(16), 6, rng=0, sd=0.1), (6,), remembers=False),
    "DeepBoltzmannMachine": Case(lambda: DeepBoltzmannMachine(16, 6, 3, rng=0, sd=0.5), (6,), remembers=False),
    "DeepBoltzmannMachine, folded": Case(lambda: DeepBoltzmannMachine(12, 6, 4, rng=0, sd=0.5).as_rbm(), (6,),
                                         remembers=False),
    "ShapeBM": Case(lambda: ShapeBM(4, 2, 3, patch=3, rng=0, sd=0.5), (8,), remembers=False),
    "DeepBeliefNet": Case(lambda: DeepBeliefNet([16, 8, 6], rng=0, sd=0.5), (6,), remembers=False),
    "DeepBeliefNet, labels": Case(lambda: DeepBeliefNet([16, 8, 6], labels=3, rng=0, sd=0.5), (8,), remembers=False),
    "SigmoidBeliefNet": Case(lambda: SigmoidBeliefNet([16, 4, 3], rng=0, sd=0.5), (3,), tensors=("decode",),
                             remembers=False),
    "VAEGAN": Case(lambda: VAEGAN(nn.mlp([16, 8, 6], rng=0), nn.mlp([3, 16], rng=0), nn.mlp([16, 8, 1], rng=0),
                                  latent=3, rng=0), (3,), remembers=False),
    "BiGAN": Case(lambda: BiGAN(nn.mlp([3, 16], rng=0), nn.mlp([16, 3], rng=0), nn.mlp([19, 1], rng=0), latent=3,
                                rng=0), (3,), remembers=False),
    "Autoencoder": Case(lambda: Autoencoder(nn.mlp([16, 3], rng=0), nn.mlp([3, 16], rng=0), input_shape=(16,),
                                            code_shape=(3,)), (3,)),
    "DeepAutoencoder": Case(lambda: DeepAutoencoder([16, 8, 3], rng=0), (3,)),
    "DeepAutoencoder, logits, tied": Case(lambda: DeepAutoencoder([16, 8, 3], rng=0, output="logits", tied=True), (3,)),
    "DenoisingAutoencoder": Case(lambda: DenoisingAutoencoder([16, 8, 3], rng=0), (3,)),
    "ContractiveAutoencoder": Case(lambda: ContractiveAutoencoder([16, 8, 3], rng=0), (3,)),
    "SparseAutoencoder": Case(lambda: SparseAutoencoder(16, 20, rng=0), (20,)),
    "SparseAutoencoder, k-sparse": Case(lambda: SparseAutoencoder(16, 20, rng=0, penalty="k-sparse", k=4), (20,)),
    "StackedAutoencoder": Case(lambda: StackedAutoencoder([16, 12, 6], rng=0), (6,)),
    "BinaryAutoencoder": Case(lambda: BinaryAutoencoder([16, 8, 6], rng=0), (6,), code_dtype="uint8"),
    "BinaryAutoencoder, straight through": Case(lambda: BinaryAutoencoder([16, 8, 6], rng=0, code="straight-through"),
                                                (6,), code_dtype="uint8"),
    **{f"ConvolutionalAutoencoder, {up}": Case(lambda up=up: ConvolutionalAutoencoder(
        (4, 4, 1), (2,), code=3, up=up, rng=0), (3,), shape=(4, 4, 1)) for up in ("transposed", "upsample", "unpool")},
    "VariationalAutoencoder": Case(lambda: VariationalAutoencoder(
        nn.mlp([16, 6], rng=0), nn.mlp([3, 16], rng=0), input_shape=[16], code=3, rng=0), (3,), remembers=False),
    "VAE": Case(lambda: VAE([16, 8, 3], rng=0), (3,), remembers=False),
    "VAE, linear": Case(lambda: VAE([16, 8, 3], rng=0, output="linear", sd=None), (3,), remembers=False),
    "ConvolutionalVAE": Case(lambda: ConvolutionalVAE((4, 4, 1), (2,), code=3, rng=0), (3,), shape=(4, 4, 1),
                             remembers=False),
}
every_model = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def learned(case, device=None, dtype="float32"):
    """The model, which has learned from x, and x (40, *shape): on this device, in this dtype."""
    x, model = ROWS.reshape(40, *case.shape).astype(dtype), case.make()
    x = device.put(x) if device else x
    if isinstance(model, nn.Module):
        model.to(device or "cpu").astype(dtype)
        if case.remembers:
            model.remember_codes(x)
    else:
        model.fit(x)
    return model, x


def sampled(model, n, rng):
    """Its samples, of few steps if they take steps."""
    return model.sample(n, rng, **{"steps": 5} if "steps" in inspect.signature(model.sample).parameters else {})


def one_sentence(call, *arguments):
    with pytest.raises(md.InputError) as caught:
        call(*arguments)
    assert str(caught.value) and "\n" not in str(caught.value)


def classes_with_verbs():
    """All classes of minidl that have the four verbs, found by looking into each module."""
    found = set()
    for module in pkgutil.walk_packages(minidl.__path__, "minidl."):
        if not module.name.startswith(("minidl.grading", "minidl.lectures", "minidl.__main__")):
            found |= {value for value in vars(importlib.import_module(module.name)).values()
                      if isinstance(value, type) and all(hasattr(value, verb) for verb in VERBS)}
    return found - {Verbs}


def test_every_model_with_the_four_verbs_is_tested_here():
    assert classes_with_verbs() == {type(case.make()) for case in CASES.values()}


@every_model
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_give_arrays_of_their_shape_and_dtype(case, dtype):
    model, x = learned(case, dtype=dtype)
    before = x.copy()
    assert isinstance(model, Verbs)
    for n in 40, 1, 0:
        code = model.encode(x[:n])
        assert type(code) is np.ndarray and code.shape == (n, *case.code) and code.dtype == (case.code_dtype or dtype)
        for y in model.decode(code), model.reconstruct(x[:n]), sampled(model, n, 0):
            assert type(y) is np.ndarray and y.shape == (n, *case.shape) and y.dtype == dtype
    assert np.array_equal(model.reconstruct(x), model.decode(model.encode(x)))
    assert np.array_equal(x, before)


@every_model
def test_a_device_answers_as_the_host_does(case):
    device = install()
    (there, on_device), (here, x) = learned(case, device), learned(case)
    if hasattr(here, "machine_"):              # it learns by chains, and each device draws its own
        here.machine_.load_state_dict(there.machine_.state_dict())
    code, right_code = there.encode(on_device), here.encode(x)
    for answer, right in ((code, right_code), (there.decode(code), here.decode(right_code)),
                          (there.reconstruct(on_device), here.reconstruct(x)),
                          (sampled(there, 4, 0), sampled(here, 4, 0))):
        assert type(answer) is type(on_device) and answer.dtype == right.dtype
        assert np.allclose(md.Tensor(answer).numpy(), right, rtol=1e-3, atol=1e-4)


@every_model
def test_tensors_are_recorded_where_the_answer_has_a_gradient(case):
    model, x = learned(case)
    code = model.encode(x)
    for verb, given in ("encode", x), ("decode", code), ("reconstruct", x):
        answer, right = (getattr(model, verb)(a) for a in (md.Tensor(given, requires_grad=given.dtype.kind == "f"),
                                                           given))
        if verb in case.tensors:
            assert isinstance(answer, md.Tensor) and (answer.requires_grad or given.dtype.kind != "f")
        else:
            assert type(answer) is np.ndarray
        assert np.allclose(md.Tensor(answer).numpy(), right, rtol=1e-5, atol=1e-6)


@every_model
def test_an_item_alone_is_answered_as_among_others(case):
    model, x = learned(case)
    code = model.encode(x)
    for verb, given in ("encode", x), ("decode", code), ("reconstruct", x):
        answer = getattr(model, verb)
        assert np.allclose(answer(given)[5:6], answer(given[5:6]), rtol=1e-4, atol=1e-5)


@every_model
def test_samples_are_those_of_the_seed_or_the_generator(case):
    model, _ = learned(case)
    drawn, rng = sampled(model, 20, 7), np.random.default_rng(7)
    assert np.array_equal(sampled(model, 20, rng), drawn) and np.array_equal(sampled(model, 20, 7), drawn)
    assert not np.array_equal(sampled(model, 20, rng), drawn)


@every_model
def test_items_of_another_shape_get_one_sentence(case):
    model, x = learned(case)
    code = model.encode(x)
    for given in x[0], x[..., None], np.concatenate([x, x], axis=-1), x[:, 1:]:
        one_sentence(model.encode, given)
        one_sentence(model.reconstruct, given)
    for given in (code[0], code[..., None], *([code[:, 1:]] if case.code else [code + 100])):
        one_sentence(model.decode, given)


@every_model
def test_before_it_has_learned_where_codes_lie_a_model_says_so(case):
    if case.remembers:
        one_sentence(case.make().sample, 3, 0)
