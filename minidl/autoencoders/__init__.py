"""Autoencoders: networks that learn to give back their input through a code (slides 8-22)."""
from minidl.autoencoders.deep import DeepAutoencoder

__all__ = ["DeepAutoencoder"]
