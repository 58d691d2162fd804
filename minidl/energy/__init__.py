"""Machines of energy: Boltzmann machines, restricted and not, their chains and their likelihood (slides 95-114)."""
from minidl.energy.ais import Estimate, ais, reverse_ais
from minidl.energy.belief_net import SigmoidBeliefNet, narrow_net, tied_net
from minidl.energy.boltzmann import BoltzmannMachine, hopfield, ising, recall
from minidl.energy.deep_belief import DeepBeliefNet
from minidl.energy.deep_boltzmann import DeepBoltzmannMachine, ShapeBM
from minidl.energy.estimator import BernoulliRBM
from minidl.energy.greedy import pretrain
from minidl.energy.likelihood import exact_loss, log_likelihood, log_partition, pseudo_likelihood, reconstruction_error
from minidl.energy.mean_field import MeanFieldPCD, lower_bound
from minidl.energy.rbm import RBM
from minidl.energy.samplers import GibbsChains, TemperedChains, complete
from minidl.energy.trainers import ContrastiveDivergence, DifferenceOfStatistics, train
from minidl.energy.units import Bernoulli, Gaussian, Joint, Softmax, Units
from minidl.energy.wake_sleep import WakeSleep

__all__ = [
    "RBM", "Bernoulli", "BernoulliRBM", "BoltzmannMachine", "ContrastiveDivergence", "DeepBeliefNet",
    "DeepBoltzmannMachine", "DifferenceOfStatistics", "Estimate", "Gaussian", "GibbsChains", "Joint", "MeanFieldPCD",
    "ShapeBM", "SigmoidBeliefNet", "Softmax", "TemperedChains", "Units", "WakeSleep", "ais", "complete", "exact_loss",
    "hopfield", "ising", "log_likelihood", "log_partition", "lower_bound", "narrow_net", "pretrain",
    "pseudo_likelihood", "recall", "reconstruction_error", "reverse_ais", "tied_net", "train",
]
