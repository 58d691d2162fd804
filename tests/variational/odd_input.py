"""Variational autoencoders in the table of `test_odd_input`: for each public name, functions of one odd value."""
import numpy as np

from minidl import nn, variational
from minidl.variational import VAE, ConvolutionalVAE, LinearGaussian, VariationalAutoencoder

ROWS = np.random.default_rng(0).random((2, 3)).astype(np.float32)
IMAGES = np.random.default_rng(0).random((2, 2, 2, 1)).astype(np.float32)
METHODS = ("posterior", "loss", "terms", "elbo", "bound", "encode", "decode", "reconstruct")


def model(**settings):
    return VAE([3, 2], rng=0, **settings)


def exact():
    return LinearGaussian(np.ones((2, 3), np.float32), ROWS[0], 1.0)


VARIATIONAL = {
    "VAE": [lambda a: VAE(a, rng=0), lambda a: VAE([3, a], rng=0), lambda a: model(output=a),
            lambda a: model(classes=a), lambda a: model(beta=a), lambda a: model(k=a),
            lambda a: model(output="linear", sd=a),
            *[lambda a, name=name, output=output: getattr(model(output=output), name)(a)
              for name in METHODS for output in ("logits", "linear")],
            *[lambda a, name=name: getattr(model(classes=3), name)(ROWS, a) for name in METHODS],
            *[lambda a, name=name: getattr(model(), name)(ROWS, a) for name in METHODS],
            lambda a: model().log_p(a, ROWS[:, :2]), lambda a: model().log_p(ROWS, a),
            lambda a: model().draw(a, a), lambda a: model().draw(ROWS, ROWS, k=a),
            lambda a: model().bound(ROWS, k=a), lambda a: model().log_likelihood(a, rng=0),
            lambda a: model().log_likelihood(ROWS, k=a, rng=0),
            lambda a: model(classes=3).log_likelihood(ROWS, a, rng=0),
            lambda a: model().sample(a, 0), lambda a: model(classes=3).sample(2, 0, a)],
    "VariationalAutoencoder": [
        lambda a: VariationalAutoencoder(nn.mlp([3, 4], rng=0), nn.mlp([2, 3], rng=0), input_shape=[3], code=a, rng=0)],
    "ConvolutionalVAE": [
        *[lambda a, name=name: getattr(ConvolutionalVAE((2, 2, 1), (2,), code=2, rng=0), name)(a)
          for name in ("loss", "encode", "decode")],
        lambda a: ConvolutionalVAE((2, 2, 1), (2,), code=2, classes=3, rng=0).loss(IMAGES, a),
        lambda a: ConvolutionalVAE((2, 2, 1), (2,), code=2, classes=a, rng=0)],
    "WarmUp": [variational.WarmUp, lambda a: variational.WarmUp(3, beta=a)],
    "LinearGaussian": [
        lambda a: LinearGaussian(a, ROWS[0], 1.0), lambda a: LinearGaussian(ROWS, a, 1.0),
        lambda a: LinearGaussian(ROWS, ROWS[0], a), lambda a: LinearGaussian.fit(a, 1),
        lambda a: LinearGaussian.fit(ROWS, a), lambda a: LinearGaussian.of(a), lambda a: exact().log_likelihood(a),
        lambda a: exact().posterior(a), lambda a: exact().elbo(a, ROWS[:, :2], np.eye(2, dtype=np.float32)),
        lambda a: exact().elbo(ROWS, a, np.eye(2, dtype=np.float32)), lambda a: exact().gap(ROWS, ROWS[:, :2], a)],
    "unit_activity": [lambda a: variational.unit_activity(model(), a),
                      lambda a: variational.unit_activity(model(classes=3), ROWS, a),
                      lambda a: variational.unit_activity(model(), ROWS, threshold=a)],
    "kl_by_sampling": [lambda a: variational.kl_by_sampling(a, ROWS, n=3, rng=0),
                       lambda a: variational.kl_by_sampling(ROWS, a, n=3, rng=0),
                       lambda a: variational.kl_by_sampling(ROWS, ROWS, n=a, rng=0)],
    "interpolate": [lambda a: variational.interpolate(a, ROWS[0], 3), lambda a: variational.interpolate(ROWS[0], a, 3),
                    lambda a: variational.interpolate(ROWS[0], ROWS[1], a),
                    lambda a: variational.interpolate(a, a, 3, spherical=True),
                    lambda a: variational.interpolate(ROWS[0], ROWS[1], 3, spherical=a)],
    "quantile_grid": [variational.quantile_grid]}
