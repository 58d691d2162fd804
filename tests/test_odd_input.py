"""Every public function with every kind of odd input gives a value, or says in a sentence why it does not.

`ROOMS` is the table: for each public name, functions of one odd value; operations are found, and have some
there if they take more than two arguments. What NumPy's arithmetic warns of (an overflow, a NaN made) is a value; any
other warning, and any exception but InputError, fails.
"""
import re
import warnings

import numpy as np
import pytest

import minidl as md
from minidl import InputError, Tensor, adversarial, data, energy, linear, metrics, nn, optim, variational
from tests.adversarial.odd_input import ADVERSARIAL
from tests.energy.odd_input import ENERGY
from tests.variational.odd_input import VARIATIONAL


def frozen(a):
    a.flags.writeable = False
    return a


_X = np.array([[0.25, 1.0, 0.0], [0.5, 0.75, 1.0]], np.float32)

_MASKED = np.ma.masked_array(_X, mask=[[True, False, False]] * 2)

ODD = {
    "NaN": np.full((2, 3), np.nan, np.float32), "infinity": np.full((2, 3), np.inf, np.float32),
    "minus infinity": np.full((2, 3), -np.inf, np.float32), "empty": np.zeros((0, 3), np.float32),
    "no columns": np.zeros((2, 0), np.float32), "0-d": np.float32(0.5) * np.ones(()), "1-d": np.ones(3, np.float32),
    "bool": _X > 0.5, "uint8": np.array([[200, 10, 0], [255, 1, 7]], np.uint8), "int8": np.full((2, 3), -128, np.int8),
    "int64": 20_000_000 + np.arange(6).reshape(2, 3), "uint64": np.full((2, 3), 2**63, np.uint64),
    "float16": _X.astype(np.float16), "float64": _X.astype(np.float64), "longdouble": _X.astype(np.longdouble),
    "big-endian": _X.astype(">f4"), "read-only": frozen(_X.copy()), "Fortran": np.asfortranarray(_X),
    "strided": np.repeat(_X, 2, axis=1)[:, ::-2], "tiny": _X * np.float32(1e-42), "huge": _X * np.float32(3e38),
    "matrix": _X.view(np.matrix), "list": _X.tolist(), "ragged": [[1.0], [1.0, 2.0]], "empty list": [],
    "tuple": (0.5, 1.0, 0.0), "None": None, "string": "abc", "strings": np.array([["a", "b", "c"]] * 2),
    "object": np.array([[None, 1, "a"]] * 2), "complex": _X + 1j, "dates": np.full((2, 3), "2020-01-01", "M8[D]"),
    "number": 0.5, "integer": 3, "NaN number": float("nan"), "a NumPy scalar": np.float64(0.5), "true": True,
    "complex number": 1j, "set": {1, 2}, "dict": {"a": 1}, "function": lambda *given: 0.0, "bytes": b"abc",
    "masked": _MASKED, "Tensor": Tensor(_X), "Tensor of integers": Tensor(np.array([[2, 0, 1]] * 2)),
    "list of Tensors": [Tensor(_X)], "Tensor with a gradient": Tensor(_X, requires_grad=True),
}

W = np.ones((3, 2), np.float32)
IMAGES = np.ones((1, 4, 4, 2), np.float32)


def each(*names, room=md):
    """Functions of one argument."""
    return {name: [getattr(room, name)] for name in names}


def both(*names, room=md):
    """Functions of two arrays, the odd one first, second, or both."""
    def calls(f):
        return [lambda a: f(a, _X), lambda a: f(_X, a), lambda a: f(Tensor(_X), a), lambda a: f(a, Tensor(_X)),
                lambda a: f(a, a)]
    return {name: calls(getattr(room, name)) for name in names}


def with_axis(*names):
    return {name: [f := getattr(md, name), lambda a, f=f: f(a, 0), lambda a, f=f: f(a, (0, 0)), lambda a, f=f: f(a, 9),
                   lambda a, f=f: f(Tensor(_X), a)] for name in names}


OPERATIONS = {
    **each("Tensor", "Parameter", "RandomStream", "Device"),
    **with_axis("softmax", "log_softmax", "argmax", "argmin", "cumsum", "logsumexp", "max", "mean", "min", "norm",
                "prod", "std", "sum", "var", "expand_dims", "squeeze", "all", "any", "argsort", "cumprod", "diag",
                "diagonal", "round", "sort", "trace", "tril", "triu"),
    "conv1d": [lambda a: md.conv1d(a, np.ones((2, 3, 1), np.float32)), lambda a: md.conv1d(IMAGES[0], a),
               lambda a: md.conv1d(IMAGES[0], np.ones((2, 2, 1), np.float32), stride=a)],
    "interpolate": [lambda a: md.interpolate(a, 3), lambda a: md.interpolate(IMAGES, a)],
    "moveaxis": [lambda a: md.moveaxis(a, 0, -1), lambda a: md.moveaxis(Tensor(_X), a, 0)],
    "tensordot": [lambda a: md.tensordot(a, W, 1), lambda a: md.tensordot(Tensor(_X), a, 1),
                  lambda a: md.tensordot(Tensor(_X), W, a)],
    **{name: [lambda a, f=f: f(md.square, a), lambda a, f=f: f(lambda x: md.sum(x * x), a)]
       for name, f in (("jacobian", md.jacobian), ("hessian", md.hessian))},
    "hvp": [lambda a: md.hvp(lambda x: md.sum(x * x), a, a), lambda a: md.hvp(lambda x: md.sum(x * x), _X, a)],
    "astype": [lambda a: md.astype(a, "float32"), lambda a: md.astype(Tensor(_X), a)],
    "clip": [lambda a: md.clip(a, 0.0, 1.0), lambda a: md.clip(Tensor(_X), a, 1.0)],
    "to_device": [lambda a: md.to_device(a, md.Device("cpu")), lambda a: Tensor(_X).to(a)],
    "where": [lambda a: md.where(a, 1.0, 2.0), lambda a: md.where(_X > 0, a, Tensor(_X)),
              lambda a: md.where(_X > 0, _X, a), lambda a: md.where(_X > 0, Tensor(_X), a)],
    "conv2d": [lambda a: md.conv2d(a, np.ones((2, 2, 2, 1), np.float32)), lambda a: md.conv2d(IMAGES, a),
               lambda a: md.conv2d(IMAGES, np.ones((2, 2, 2, 1), np.float32), a)],
    "conv_transpose2d": [lambda a: md.conv_transpose2d(a, np.ones((2, 2, 1, 2), np.float32)),
                         lambda a: md.conv_transpose2d(IMAGES, a)],
    "check_labels": [lambda a: md.check_labels(a, 3), lambda a: md.check_labels(np.array([0, 1]), a)],
    "gather": [lambda a: md.gather(a, np.zeros((2, 1), int), 1), lambda a: md.gather(Tensor(_X), a, 1),
               lambda a: md.gather(Tensor(_X), np.zeros((2, 1), int), a)],
    "getitem": [lambda a: md.getitem(a, 0), lambda a: md.getitem(Tensor(_X), a), lambda a: Tensor(_X)[a]],
    "one_hot": [lambda a: md.one_hot(a, 3), lambda a: md.one_hot(np.array([0, 1]), a)],
    "scatter_add": [lambda a: md.scatter_add(a, 0, 1.0), lambda a: md.scatter_add(Tensor(_X), a, 1.0),
                    lambda a: md.scatter_add(Tensor(_X), 0, a)],
    "take": [lambda a: md.take(a, [0]), lambda a: md.take(Tensor(_X), a), lambda a: md.take(Tensor(_X), [0], a)],
    "einsum": [lambda a: md.einsum("ij,jk", a, W), lambda a: md.einsum("ij,jk", Tensor(_X), a),
               lambda a: md.einsum(a, Tensor(_X))],
    "scale_shift": [lambda a: md.scale_shift(a, _X[0], _X[0]), lambda a: md.scale_shift(_X, a, _X[0])],
    "standardize": [lambda a: md.standardize(a, _X[0], _X[1] + 1), lambda a: md.standardize(Tensor(_X), a, _X[0] + 1)],
    "avg_pool2d": [lambda a: md.avg_pool2d(a, 2), lambda a: md.avg_pool2d(IMAGES, a)],
    "max_pool2d": [lambda a: md.max_pool2d(a, 2), lambda a: md.max_pool2d(IMAGES, a)],
    "max_unpool2d": [lambda a: md.max_unpool2d(a, np.ones((1, 2, 2, 2), np.float32), 2)],
    "upsample": [lambda a: md.upsample(a, 2), lambda a: md.upsample(IMAGES, a)],
    "concatenate": [md.concatenate, lambda a: md.concatenate([a, a]), lambda a: md.concatenate([Tensor(_X), a]),
                    lambda a: md.concatenate([Tensor(_X)], a)],
    "stack": [md.stack, lambda a: md.stack([a, a]), lambda a: md.stack([Tensor(_X), a]),
              lambda a: md.stack([Tensor(_X)], a)],
    "pad": [lambda a: md.pad(a, 1), lambda a: md.pad(Tensor(_X), a), lambda a: md.pad(Tensor(_X), 1, a),
            lambda a: md.pad(a, 1, "reflect"), lambda a: md.pad(Tensor(_X), 1, constant_values=a)],
    "repeat": [lambda a: md.repeat(a, 2), lambda a: md.repeat(Tensor(_X), a), lambda a: md.repeat(Tensor(_X), a, 1)],
    "reshape": [lambda a: md.reshape(a, (-1,)), lambda a: md.reshape(Tensor(_X), a)],
    "roll": [lambda a: md.roll(a, 1), lambda a: md.roll(Tensor(_X), a)],
    "split": [lambda a: md.split(a, 1), lambda a: md.split(Tensor(_X), a), lambda a: md.split(Tensor(_X), 1, a)],
    "swapaxes": [lambda a: md.swapaxes(a, 0, -1), lambda a: md.swapaxes(Tensor(_X), a, 0)],
    "tile": [lambda a: md.tile(a, 2), lambda a: md.tile(Tensor(_X), a)],
    "broadcast_to": [lambda a: md.broadcast_to(a, (2, 2, 3)), lambda a: md.broadcast_to(Tensor(_X), a)],
    "sum_to": [lambda a: md.sum_to(a, (1, 3)), lambda a: md.sum_to(Tensor(_X), a)],
    "grad": [lambda a: md.grad(a, Tensor(_X)), lambda a: md.grad(md.sum(Tensor(_X, True) * 2.0), a)],
    "gradcheck": [lambda a: md.gradcheck(md.square, a), lambda a: md.gradcheck(md.square, np.ones(2), order=a),
                  lambda a: md.gradcheck(md.square, np.ones(2), directions=a),
                  lambda a: md.gradcheck(md.square, np.ones(2), tolerance=a)],
}
# An operation needs no calls of its own: it is called with the odd value alone, and beside an array.
for name in sorted({*md.ops.__all__} & {*md.__all__} - {*OPERATIONS}):
    OPERATIONS[name] = each(name)[name] + both(name)[name]
LOSSES = {
    **both("binary_cross_entropy_with_logits", "cross_entropy", "hinge_loss", "huber_loss", "kl_unit_gaussian",
           "l1_loss", "mse_loss", room=nn),
    **each("l1_penalty", "l1_sparsity", room=nn),
    "kl_sparsity": [lambda a: nn.kl_sparsity(a, 0.1), lambda a: nn.kl_sparsity(Tensor(_X), a)],
    "kl_gaussians": [lambda a: nn.kl_gaussians(a, _X, _X, _X), lambda a: nn.kl_gaussians(_X, _X, a, _X)],
}


def called(make):
    """A layer called with the odd value, in training and in evaluation."""
    return [lambda a: make()(a), lambda a: make().eval()(a)]


def normalizing(layer):
    return [*called(lambda: layer(3)), layer, lambda a: layer(3, eps=a)]


def recurrent(layer):
    return [*called(lambda: layer(3, 2, rng=0)), lambda a: layer(a, 2, rng=0), lambda a: layer(3, a, rng=0),
            lambda a: layer(3, 2, num_layers=a, rng=0), lambda a: layer(3, 2, rng=0)(np.ones((1, 2, 3), np.float32), a)]


def reparametrized(layer, **more):
    return [layer, *called(lambda: layer(nn.Linear(3, 2, rng=0), **more))]


LAYERS = {
    **{layer.__name__: called(layer) for layer in (nn.ELU, nn.GELU, nn.LeakyReLU, nn.ReLU, nn.Sigmoid, nn.Softmax,
                                                   nn.Softplus, nn.Tanh, nn.PixelNorm, nn.Flatten, nn.GlobalAvgPool2d)},
    **{layer.__name__: normalizing(layer) for layer in (nn.BatchNorm, nn.InstanceNorm, nn.LayerNorm)},
    **{layer.__name__: recurrent(layer) for layer in (nn.RNN, nn.LSTM, nn.GRU)},
    "GroupNorm": [*called(lambda: nn.GroupNorm(1, 3)), lambda a: nn.GroupNorm(a, 4), lambda a: nn.GroupNorm(2, a)],
    "Linear": [*called(lambda: nn.Linear(3, 2, rng=0)), lambda a: nn.Linear(a, 3, rng=0),
               lambda a: nn.Linear(3, a, rng=0), lambda a: nn.Linear(3, 2, rng=a)],
    "Dropout": [*called(lambda: nn.Dropout(rng=0)), lambda a: nn.Dropout(a, rng=0), lambda a: nn.Dropout(rng=a)],
    "DropConnect": reparametrized(nn.DropConnect, rng=0),
    "WeightNorm": reparametrized(nn.WeightNorm),
    "SpectralNorm": reparametrized(nn.SpectralNorm, rng=0),
    "EqualizedLR": reparametrized(nn.EqualizedLR),
    "KSparse": [*called(lambda: nn.KSparse(2)), nn.KSparse],
    "Sequential": [nn.Sequential, lambda a: nn.Sequential(nn.ReLU(), nn.Tanh())(a)],
    "Conv2d": [*called(lambda: nn.Conv2d(2, 2, 2, rng=0)), lambda a: nn.Conv2d(a, 2, 2, rng=0),
               lambda a: nn.Conv2d(2, a, 2, rng=0), lambda a: nn.Conv2d(2, 2, a, rng=0),
               lambda a: nn.Conv2d(2, 2, 2, stride=a, rng=0)(IMAGES)],
    "Conv1d": [*called(lambda: nn.Conv1d(3, 2, 2, rng=0)), lambda a: nn.Conv1d(a, 2, 2, rng=0),
               lambda a: nn.Conv1d(3, 2, a, rng=0)],
    "functional_call": [lambda a: nn.functional_call(nn.ReLU(), {}, a), lambda a: nn.functional_call(a, {}, _X),
                        lambda a: nn.functional_call(nn.ReLU(), a, _X)],
    "ConvTranspose2d": [*called(lambda: nn.ConvTranspose2d(2, 2, 2, rng=0)),
                        lambda a: nn.ConvTranspose2d(2, 2, a, rng=0)],
    "MaxPool2d": [*called(lambda: nn.MaxPool2d(2)), lambda a: nn.MaxPool2d(a)(IMAGES)],
    "MaxUnpool2d": [*called(lambda: nn.MaxUnpool2d(2)), lambda a: nn.MaxUnpool2d(2)(IMAGES, a)],
    "AvgPool2d": [*called(lambda: nn.AvgPool2d(2)), lambda a: nn.AvgPool2d(a)(IMAGES)],
    "Upsample": [*called(lambda: nn.Upsample(2)), lambda a: nn.Upsample(a)(IMAGES)],
    "Unflatten": [*called(lambda: nn.Unflatten((3, 1))), lambda a: nn.Unflatten(a)(_X)],
    "Embedding": [*called(lambda: nn.Embedding(3, 2, rng=0)), lambda a: nn.Embedding(a, 2, rng=0)],
    "mask_from_lengths": [nn.mask_from_lengths, lambda a: nn.mask_from_lengths([1, 2], a)],
    "mlp": [lambda a: nn.mlp(a, rng=0), lambda a: nn.mlp([3, 2], rng=0)(a)],
    "halving": [lambda a: nn.halving(a, 2, rng=0), lambda a: nn.halving(2, 2, rng=0)(a)],
    "doubling": [lambda a: nn.doubling(2, a, rng=0), lambda a: nn.doubling(2, 2, rng=0)(a)],
    "detach_state": [nn.detach_state],
}


def parameter():
    p = nn.Parameter(_X.copy())
    p.grad = _X
    return p


def optimizing(make):
    return [make, lambda a: make([a]), lambda a: make([parameter()], a), lambda a: make([("w", a)]),
            lambda a: make([(a, parameter())])]


def scheduling(make):
    return [make, lambda a: make(optim.SGD([parameter()], 0.1), a)]


OPTIMIZERS = {
    **{make.__name__: optimizing(make) for make in (optim.SGD, optim.Adagrad, optim.Adam, optim.AdamW, optim.RMSprop,
                                                    optim.LBFGS)},
    **{make.__name__: scheduling(make) for make in (optim.StepLR, optim.ExponentialLR, optim.CosineAnnealingLR,
                                                    optim.LinearLR, optim.ReduceLROnPlateau, optim.MultiStepLR)},
    "OneCycleLR": [lambda a: optim.OneCycleLR(optim.SGD([parameter()]), a, 9),
                   lambda a: optim.OneCycleLR(optim.SGD([parameter()]), 0.1, a),
                   lambda a: optim.OneCycleLR(optim.SGD([parameter()]), 0.1, 9, pct_start=a)],
    "stepped": [lambda a: optim.stepped(optim.SGD([("w", parameter())]), {"w": parameter()}, a),
                lambda a: optim.stepped(optim.SGD([("w", parameter())]), a, [_X]),
                lambda a: optim.stepped(a, {"w": parameter()}, [_X])],
    "an option": [lambda a: optim.SGD([parameter()], weight_decay=a), lambda a: optim.Adam([parameter()], betas=a),
                  lambda a: optim.Adam([parameter()], eps=a), lambda a: optim.SGD([parameter()], momentum=a),
                  lambda a: optim.LBFGS([parameter()], max_iter=a)],
    "clip_grad_norm_": [lambda a: optim.clip_grad_norm_(a, 1.0), lambda a: optim.clip_grad_norm_([parameter()], a)],
    "clip_grad_value_": [lambda a: optim.clip_grad_value_(a, 1.0), lambda a: optim.clip_grad_value_([parameter()], a)],
    "clip_weights_": [lambda a: optim.clip_weights_(a, 1.0), lambda a: optim.clip_weights_([parameter()], a)],
    "ClipGradNorm": [optim.ClipGradNorm], "ClipGradValue": [optim.ClipGradValue],
    "GradientNoise": [lambda a: optim.GradientNoise(a, rng=0), lambda a: optim.GradientNoise(rng=a),
                      lambda a: optim.GradientNoise(rng=0)(a)],
    "EMA": [optim.EMA, lambda a: optim.EMA(nn.Linear(3, 2, rng=0), a)],
    "a gradient": [lambda a: setattr(parameter(), "grad", a), lambda a: md.sum(Tensor(_X, True) * 2.0).backward(a),
                   lambda a: (Tensor(_X, True) * 2.0).backward(a)],
}

ROWS = np.random.default_rng(0).random((12, 3)).astype(np.float32)


def estimating(make):
    """An estimator made with the odd value, fitted to it, and, fitted to ROWS, asked about it."""
    def fitted():
        return make(2).fit(ROWS)
    return [lambda a: make(a).fit(ROWS), lambda a: make(2).fit(a), lambda a: make(1).fit(a).encode(a),
            lambda a: fitted().encode(a), lambda a: fitted().decode(a),
            lambda a: fitted().reconstruct(a), lambda a: fitted().sample(a, 0), lambda a: fitted().sample(2, a)]


def options(make, *names):
    """An estimator with the odd value for one option at a time."""
    return [lambda a, name=name: make(2, **{name: a}).fit(ROWS) for name in names]


LINEAR = {
    "PCA": [*estimating(linear.PCA), *options(linear.PCA, "svd_solver", "whiten", "power_iterations", "rng"),
            lambda a: linear.PCA(1, svd_solver="svd").fit(a), lambda a: linear.PCA(1, svd_solver="randomized").fit(a),
            lambda a: linear.PCA(1, whiten=True).fit(a).encode(a)],
    "KMeans": [*estimating(linear.KMeans), *options(linear.KMeans, "n_init", "max_iter", "tol", "init", "rng")],
    "MiniBatchKMeans": [*estimating(linear.MiniBatchKMeans), *options(linear.MiniBatchKMeans, "batch_size", "n_init",
                                                                      "max_iter", "init", "rng")],
    "LogisticPCA": [*estimating(linear.LogisticPCA), *options(linear.LogisticPCA, "ridge", "max_iter", "tol", "rng")],
    "Whitening": [*estimating(linear.Whitening), *options(linear.Whitening, "kind", "eps"),
                  lambda a: linear.Whitening(kind="zca").fit(a).encode(a)],
    "principal_angles": [lambda a: linear.principal_angles(a, _X), lambda a: linear.principal_angles(_X, a)],
}
HUNDRED = np.random.default_rng(1).random((100, 3)).astype(np.float32)
TWENTY = np.random.default_rng(2).random((20, 8, 8, 1)).astype(np.float32)
JUDGE = metrics.Judge(lambda x: x[:, 0, :3, 0], name="a judge", features=lambda x: x[:, 0, :, 0])
BITS = (ROWS > 0.5).astype(np.uint8)
PIXELS = np.rint(ROWS * 3) / 3
GREY = np.random.default_rng(0).random((12, 11, 12)).astype(np.float32)
METRICS = {
    "nearest_neighbours": [
        lambda a: metrics.nearest_neighbours(a, ROWS, 1), lambda a: metrics.nearest_neighbours(ROWS, a, 1),
        lambda a: metrics.nearest_neighbours(ROWS, ROWS, a), lambda a: metrics.nearest_neighbours(a, a, 1)],
    "EuclideanIndex": [metrics.EuclideanIndex, lambda a: metrics.EuclideanIndex(ROWS).reaches(a, ROWS[:, 0]),
                       lambda a: metrics.EuclideanIndex(ROWS).reaches(ROWS, a)],
    **both("frechet_distance", room=metrics),
    "precision_recall": [lambda a: metrics.precision_recall(a, ROWS, k=1), lambda a: metrics.precision_recall(ROWS, a),
                         lambda a: metrics.precision_recall(ROWS, ROWS, k=a)],
    "memorisation": [lambda a: metrics.memorisation(a, HUNDRED, ROWS), lambda a: metrics.memorisation(ROWS, a, ROWS),
                     lambda a: metrics.memorisation(ROWS, HUNDRED, a)],
    "resampled": [lambda a: metrics.resampled(a, ROWS, rng=0), lambda a: metrics.resampled(np.mean, a, rng=0),
                  lambda a: metrics.resampled(lambda x: a, ROWS, repeats=2, rng=0),
                  lambda a: metrics.resampled(np.mean, ROWS, repeats=a, rng=0),
                  lambda a: metrics.resampled(np.mean, ROWS, rng=a)],
    "Judge": [lambda a: metrics.Judge(a, name="", features=len), lambda a: metrics.Judge(len, name="", features=a),
              lambda a: metrics.Judge(len, name=a, features=len),
              lambda a: metrics.Judge(len, name="", features=len, accuracy=a),
              lambda a: metrics.Judge(lambda x: a, name="", features=len).probabilities(ROWS),
              *[lambda a, verb=verb: getattr(metrics.Judge(nn.Sequential(nn.Linear(3, 2, rng=0)), name=""), verb)(a)
                for verb in ("features", "probabilities")]],
    "generator_report": [
        lambda a: metrics.generator_report(a, TWENTY, TWENTY, JUDGE, rng=0),
        lambda a: metrics.generator_report(TWENTY, a, TWENTY, JUDGE, rng=0),
        lambda a: metrics.generator_report(TWENTY, TWENTY, a, JUDGE, rng=0),
        lambda a: metrics.generator_report(TWENTY, TWENTY, TWENTY, a, rng=0),
        lambda a: metrics.generator_report(TWENTY, TWENTY, TWENTY, JUDGE, measures=a, repeats=2, rng=a),
        lambda a: metrics.generator_report(TWENTY, TWENTY, TWENTY, JUDGE, measures={"a": metrics.Measure(
            lambda real, images: a, "pixels", "real")}, repeats=2, rng=0)],
    "train_judge": [metrics.train_judge], "load_judge": [metrics.load_judge],
    "save_judge": [lambda a: metrics.save_judge("judge.npz", a), lambda a: metrics.save_judge(a, None)],
    "HammingIndex": [metrics.HammingIndex, lambda a: metrics.HammingIndex(BITS, bits=a),
                     *[lambda a, verb=verb: getattr(metrics.HammingIndex(BITS), verb)(a, 1)
                       for verb in ("search", "within", "lookup", "scan")],
                     *[lambda a, verb=verb: getattr(metrics.HammingIndex(BITS), verb)(BITS[0], a)
                       for verb in ("within", "lookup", "scan")], lambda a: metrics.HammingIndex(BITS).search(BITS, a)],
    "pack_bits": [metrics.pack_bits],
    "unpack_bits": [lambda a: metrics.unpack_bits(a, 3), lambda a: metrics.unpack_bits(metrics.pack_bits(BITS), a)],
    "distances": [metrics.distances],
    "geodesic_distances": [lambda a: metrics.geodesic_distances(a, neighbors=1),
                           lambda a: metrics.geodesic_distances(ROWS, neighbors=a)],
    "geodesic_path": [lambda a: metrics.geodesic_path(a, 0, 1), lambda a: metrics.geodesic_path(np.eye(3), a, 1),
                      lambda a: metrics.geodesic_path(np.eye(3), 0, a)],
    "classical_mds": [lambda a: metrics.classical_mds(a, 1), lambda a: metrics.classical_mds(np.ones((3, 3)), a)],
    "trustworthiness": [lambda a: metrics.trustworthiness(a, ROWS, neighbors=1), lambda a: metrics.trustworthiness(
        ROWS, a, neighbors=1), lambda a: metrics.trustworthiness(ROWS, ROWS, neighbors=a)],
    "description_length": [
        lambda a: metrics.description_length(linear.PCA(1).fit(PIXELS), a, levels=4),
        lambda a: metrics.description_length(a, PIXELS, levels=4),
        *[lambda a, option=option: metrics.description_length(linear.PCA(1).fit(PIXELS), PIXELS,
                                                              **{"levels": 4, option: a})
          for option in ("levels", "code_step", "parameter_bits")]],
    **{f.__name__: [lambda a, f=f: f(a, levels=4), lambda a, f=f: f(PIXELS, levels=a)]
       for f in (metrics.raw_length, metrics.pixelwise_length)},
    **{f.__name__: [lambda a, f=f: f(a, [0, 1], [0, 1]), lambda a, f=f: f([[0], [1]], a, [0, 1]),
                    lambda a, f=f: f([[0], [1]], [0, 1], a)]
       for f in (metrics.hits, metrics.precision_at_k, metrics.precision_by_class)},
    "mixture_modes": [lambda a: metrics.mixture_modes(a, ROWS, sd=0.1),
                      lambda a: metrics.mixture_modes(ROWS, a, sd=0.1),
                      lambda a: metrics.mixture_modes(ROWS, ROWS, sd=a)],
    "labelled_modes": [lambda a: metrics.labelled_modes(a, 3), lambda a: metrics.labelled_modes([0, 1], a)],
    "classifier_score": [metrics.classifier_score, lambda a: metrics.classifier_score(np.eye(3), splits=a)],
    "ngram_bits": [lambda a: metrics.ngram_bits(a, "ab", 2), lambda a: metrics.ngram_bits("ab", a, 2),
                   lambda a: metrics.ngram_bits("ab", "ab", a),
                   lambda a: metrics.ngram_bits("ab", "ab", 1, strength=a)],
    **both("squared_error", "wasserstein_1d", room=metrics),
    "ssim": [lambda a: metrics.ssim(a, GREY), lambda a: metrics.ssim(GREY, a), lambda a: metrics.ssim(a, a),
             lambda a: metrics.ssim(GREY, GREY, data_range=a)],
    "ms_ssim": [lambda a: metrics.ms_ssim(a, GREY, scales=1), lambda a: metrics.ms_ssim(GREY, GREY, scales=a),
                lambda a: metrics.ms_ssim(GREY, GREY, weights=a),
                lambda a: metrics.ms_ssim(GREY, GREY, scales=1, data_range=a)],
    "ms_ssim_within": [lambda a: metrics.ms_ssim_within(a, rng=0, scales=1),
                       *[lambda a, option=option: metrics.ms_ssim_within(
                           GREY, **{"pairs": 3, "rng": 0, "scales": 1, option: a})
                         for option in ("pairs", "rng", "scales", "weights", "data_range")]],
    "laplacian_pyramid": [lambda a: metrics.laplacian_pyramid(a, 1), lambda a: metrics.laplacian_pyramid(GREY, a)],
    "collapse_pyramid": [metrics.collapse_pyramid, lambda a: metrics.collapse_pyramid([a]),
                         lambda a: metrics.collapse_pyramid([a, GREY])],
    "random_patches": [lambda a: metrics.random_patches(a, 1, rng=0), lambda a: metrics.random_patches(GREY, a, rng=0),
                       lambda a: metrics.random_patches(GREY, 1, size=a, rng=0),
                       lambda a: metrics.random_patches(GREY, 1, rng=a)],
    "wasserstein_along": [lambda a: metrics.wasserstein_along(a, ROWS, W), lambda a: metrics.wasserstein_along(
        ROWS, a, W), lambda a: metrics.wasserstein_along(ROWS, ROWS, a)],
    "sliced_wasserstein": [lambda a: metrics.sliced_wasserstein(a, ROWS, rng=0, directions=2),
                           lambda a: metrics.sliced_wasserstein(ROWS, a, rng=0, directions=2),
                           lambda a: metrics.sliced_wasserstein(ROWS, ROWS, rng=a, directions=2),
                           lambda a: metrics.sliced_wasserstein(ROWS, ROWS, rng=0, directions=a)],
    "swd": [lambda a: metrics.swd(a, GREY, rng=0), lambda a: metrics.swd(GREY, a, rng=0),
            *[lambda a, option=option: metrics.swd(GREY, GREY, **{"patches": 2, "directions": 2, "rng": 0, option: a})
              for option in ("patches", "size", "directions", "levels", "rng")]],
}
DATA = {
    "Loader": [lambda a: list(data.Loader(a, batch_size=2, shuffle=False)),
               lambda a: list(data.Loader(_X, a, batch_size=2, shuffle=False)),
               lambda a: data.Loader(_X, batch_size=a, shuffle=False), lambda a: data.Loader(_X, batch_size=1, rng=a),
               lambda a: data.Loader(_X, a, batch_size=1, classes=3, shuffle=False),
               lambda a: data.Loader(a, batch_size=1, tokens=3, shuffle=False),
               *[lambda a, option=option: data.Loader(_X, [0, 1], batch_size=1, rng=0, **{"classes": 2, option: a})
                 for option in ("classes", "tokens", "augment", "mixup", "device")]],
    "Characters": [data.Characters, lambda a: data.Characters("abc").encode(a),
                   lambda a: data.Characters("ab").decode(a)],
    "chunks": [lambda a: data.chunks(a, batch_size=1, steps=1), lambda a: data.chunks([1, 2], batch_size=a, steps=1),
               lambda a: data.chunks([1, 2], batch_size=1, steps=a)],
    "bars_and_stripes": [data.bars_and_stripes], "ring_centres": [data.ring_centres, lambda a: data.ring_centres(3, a)],
    "grid_centres": [data.grid_centres, lambda a: data.grid_centres(3, a)],
    **{f.__name__: [lambda a, f=f: f(a, rng=0), lambda a, f=f: f(3, rng=a), lambda a, f=f: f(3, rng=0, noise=a)]
       for f in (data.swiss_roll, data.two_moons)},
    **{f.__name__: [lambda a, f=f: f(a, rng=0), lambda a, f=f: f(3, rng=a), lambda a, f=f: f(3, rng=0, sd=a)]
       for f in (data.ring, data.grid)},
    "patches": [lambda a: data.patches(a, rng=0), lambda a: data.patches(1, a, rng=0),
                lambda a: data.patches(1, rng=a)],
    "crops": [lambda a: data.crops(a, 8, rng=0), lambda a: data.crops(1, a, rng=0), lambda a: data.crops(1, 8, rng=a),
              lambda a: data.crops(1, 8, rng=0, pictures=a)],
    **each("text", "load", "where", "fetch", "read_idx", "csv", "folder", room=data),
    "load from": [lambda a: data.load("mnist", root=a)],
    "augmentation": [
        lambda x: data.augmentation.shift(x, 0, pixels=1), lambda x: data.augmentation.shift_by(x, 1, 1),
        lambda x: data.augmentation.rotate(x, 0, degrees=9), lambda x: data.augmentation.rotate_by(x, 9.0),
        lambda x: data.augmentation.flip(x, 0), lambda x: data.augmentation.noise(x, 0, sd=0.1),
        lambda x: data.augmentation.mixup(x, _X, 0, alpha=1.0),
        lambda y: data.augmentation.mixup(_X, y, 0, alpha=1.0),
        lambda pixels: data.augmentation.shift(IMAGES, 0, pixels=pixels),
        lambda down: data.augmentation.shift_by(IMAGES, down, 1),
        lambda degrees: data.augmentation.rotate(IMAGES, 0, degrees=degrees),
        lambda degrees: data.augmentation.rotate_by(IMAGES, degrees),
        lambda zoom: data.augmentation.rotate_by(IMAGES, 9.0, zoom=zoom),
        lambda sd: data.augmentation.noise(IMAGES, 0, sd=sd), lambda rng: data.augmentation.flip(IMAGES, rng),
        lambda alpha: data.augmentation.mixup(_X, _X, 0, alpha=alpha)],
}

# A room is added by its line here. The names that it must have are those that its package exports.
ROOMS = {"operations": (OPERATIONS, md.__all__), "losses": (LOSSES, ()), "layers": (LAYERS, nn.__all__),
         "optimisers": (OPTIMIZERS, optim.__all__), "linear models": (LINEAR, linear.__all__),
         "measures": (METRICS, metrics.__all__), "data": (DATA, data.__all__),
         "machines of energy": (ENERGY, energy.__all__), "adversarial nets": (ADVERSARIAL, adversarial.__all__),
         "variational": (VARIATIONAL, variational.__all__)}

# No functions of data: modules, base classes, types, modes; and names that are in the table under another one.
EXEMPT = {"InputError", "Primitive", "__version__", "custom", "debug", "devices", "graph", "nn", "no_grad", "ops",
          "optim", "tune", "Activation", "Buffer", "Module", "init", "linear", "Optimizer", "Schedule", "RMSProp",
          "DescriptionLength", "Dataset", "Entry", "Units", "TEXTS", "augmentation", "cache_folder", "catalogue",
          "data_folders", "fetchable", "names", "Extra", "LOSSES", "Loss", "Modes", "Score", "Turn",
          "Estimate", "Memorisation", "MEASURES", "Measure", "PrecisionRecall", "Report", "SWD"}
CALLS = [pytest.param(call, id=f"{room}: {name} {i}") for room, (table, _) in ROOMS.items()
         for name, calls in table.items() for i, call in enumerate(calls)]


def test_every_public_name_is_in_the_table():
    known = {name for table, _ in ROOMS.values() for name in table}
    missing = {name for _, names in ROOMS.values() for name in names} - known - EXEMPT
    assert not missing, f"{sorted(missing)}: add calls of it to the table in {__file__}"


WRONG_CALL = r"missing \d+ required|takes .* positional arguments? but|unexpected keyword"         # Python's own words


def outcome(call, value):
    """What is wrong with the call, in a line, or None."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error")
            found = call(value)
    except (InputError, AssertionError):
        return None
    except TypeError as error:
        return None if re.search(WRONG_CALL, str(error)) else f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return f"a Tensor of {found.dtype}" if isinstance(found, Tensor) and found.dtype.kind not in "fiub" else None


@pytest.mark.parametrize("call", CALLS)
def test_odd_input_gives_a_value_or_a_sentence(call):
    wrong = {kind: what for kind, value in ODD.items() if (what := outcome(call, value))}
    assert not wrong, "\n".join(f"{kind}: {what}" for kind, what in wrong.items())
