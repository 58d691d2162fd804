"""Variational autoencoders (slides 23-27): codes are distributions, and a bound on the likelihood is maximised."""
from minidl.variational.base import VariationalAutoencoder, WarmUp
from minidl.variational.convolutional import ConvolutionalVAE
from minidl.variational.linear_gaussian import LinearGaussian
from minidl.variational.measures import Units, kl_by_sampling, unit_activity
from minidl.variational.vae import VAE
from minidl.variational.walks import interpolate, quantile_grid

__all__ = ["ConvolutionalVAE", "LinearGaussian", "Units", "VAE", "VariationalAutoencoder", "WarmUp", "interpolate",
           "kl_by_sampling", "quantile_grid", "unit_activity"]
