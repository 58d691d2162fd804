"""Generative adversarial nets: the game of two players, its losses, penalties and variants (slides 28-74)."""
from minidl.adversarial.game import Extra, Turn, train
from minidl.adversarial.gan import GAN
from minidl.adversarial.losses import LOSSES, Loss, hinge, least_squares, minimax, non_saturating, wasserstein
from minidl.adversarial.penalties import Drift, GradientPenalty, WeightClipping

__all__ = ["GAN", "LOSSES", "Drift", "Extra", "GradientPenalty", "Loss", "Turn", "WeightClipping", "hinge",
           "least_squares", "minimax", "non_saturating", "train", "wasserstein"]
