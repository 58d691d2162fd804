"""Autoencoders: networks that are trained to give back their input through a code (slides 8-22)."""
from minidl.autoencoders.base import Autoencoder
from minidl.autoencoders.binary import BinaryAutoencoder
from minidl.autoencoders.contractive import ContractiveAutoencoder, jacobian
from minidl.autoencoders.convolutional import ConvolutionalAutoencoder
from minidl.autoencoders.deep import DeepAutoencoder, start_centred
from minidl.autoencoders.denoising import DenoisingAutoencoder
from minidl.autoencoders.sparse import SparseAutoencoder
from minidl.autoencoders.stacked import StackedAutoencoder

__all__ = ["Autoencoder", "BinaryAutoencoder", "ContractiveAutoencoder", "ConvolutionalAutoencoder",
           "DeepAutoencoder", "DenoisingAutoencoder", "SparseAutoencoder", "StackedAutoencoder", "jacobian",
           "start_centred"]
