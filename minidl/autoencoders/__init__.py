"""Autoencoders: networks that are trained to give back their input through a code (slides 8-22)."""
from minidl.autoencoders.base import Autoencoder
from minidl.autoencoders.deep import DeepAutoencoder

__all__ = ["Autoencoder", "DeepAutoencoder"]
