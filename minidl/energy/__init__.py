"""Machines of energy: Boltzmann machines, restricted and not, their chains and their likelihood (slides 95-100)."""
from minidl.energy.boltzmann import BoltzmannMachine, hopfield, ising, recall
from minidl.energy.trainers import DifferenceOfStatistics

__all__ = ["BoltzmannMachine", "DifferenceOfStatistics", "hopfield", "ising", "recall"]
