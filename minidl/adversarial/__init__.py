"""Generative adversarial nets: the game of two players, its losses, penalties and variants (slides 28-74)."""
from minidl.adversarial.critics import fit_critic, score_gap, slopes
from minidl.adversarial.cyclegan import Cycle, CycleGAN
from minidl.adversarial.dcgan import dcgan_discriminator, dcgan_generator, dcgan_rules
from minidl.adversarial.game import Extra, Turn, train
from minidl.adversarial.gan import GAN
from minidl.adversarial.growing import FadeIn, Stage, grow, shrunk, stages
from minidl.adversarial.hacks import FeatureMatching, HistoricalAveraging, Unrolled
from minidl.adversarial.layers import MinibatchDiscrimination, MinibatchStd, Virtual, VirtualBatchNorm
from minidl.adversarial.losses import LOSSES, Loss, hinge, least_squares, minimax, non_saturating, wasserstein
from minidl.adversarial.pairings import (
    AuxiliaryGAN,
    BiGAN,
    ConditionalGAN,
    InfoGAN,
    Information,
    Joined,
    Naming,
    TwoHeads,
)
from minidl.adversarial.penalties import Drift, GradientPenalty, WeightClipping
from minidl.adversarial.progressive import ProgressiveGAN, Tricks
from minidl.adversarial.vaegan import VAEGAN, Similarity

__all__ = [
    "GAN", "LOSSES", "VAEGAN", "AuxiliaryGAN", "BiGAN", "ConditionalGAN", "Cycle", "CycleGAN", "Drift", "Extra",
    "FadeIn", "FeatureMatching", "GradientPenalty", "HistoricalAveraging", "InfoGAN", "Information", "Joined", "Loss",
    "MinibatchDiscrimination", "MinibatchStd", "Naming", "ProgressiveGAN", "Similarity", "Stage", "Tricks", "Turn",
    "TwoHeads", "Unrolled", "Virtual", "VirtualBatchNorm", "WeightClipping", "dcgan_discriminator", "dcgan_generator",
    "dcgan_rules", "fit_critic", "grow", "hinge", "least_squares", "minimax", "non_saturating", "score_gap", "shrunk",
    "slopes", "stages", "train", "wasserstein",
]
