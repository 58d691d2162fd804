"""Machines of energy: Boltzmann machines, restricted and not, their chains and their likelihood (slides 95-100)."""
from minidl.energy.boltzmann import BoltzmannMachine, hopfield, ising, recall
from minidl.energy.rbm import RBM
from minidl.energy.samplers import GibbsChains, TemperedChains, complete
from minidl.energy.trainers import DifferenceOfStatistics
from minidl.energy.units import Bernoulli, Gaussian, Joint, Softmax, Units

__all__ = [
    "RBM", "Bernoulli", "BoltzmannMachine", "DifferenceOfStatistics", "Gaussian", "GibbsChains", "Joint", "Softmax",
    "TemperedChains", "Units", "complete", "hopfield", "ising", "recall",
]
