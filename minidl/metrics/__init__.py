"""Measures of what a model has learned: of its codes, of the lengths of its descriptions, and of what it generates."""
from minidl.metrics.classifier import Judge, load_judge, save_judge, train_judge
from minidl.metrics.coverage import Memorisation, PrecisionRecall, memorisation, precision_recall
from minidl.metrics.frechet import frechet_distance
from minidl.metrics.hashing import HammingIndex, pack_bits, unpack_bits
from minidl.metrics.manifold import classical_mds, distances, geodesic_distances, geodesic_path, trustworthiness
from minidl.metrics.messages import DescriptionLength, description_length, pixelwise_length, raw_length
from minidl.metrics.modes import Modes, Score, classifier_score, labelled_modes, mixture_modes
from minidl.metrics.neighbours import EuclideanIndex, nearest_neighbours
from minidl.metrics.ngrams import ngram_bits
from minidl.metrics.pyramid import collapse_pyramid, laplacian_pyramid, random_patches
from minidl.metrics.reconstruction import squared_error
from minidl.metrics.report import MEASURES, Measure, Report, generator_report
from minidl.metrics.resampling import Estimate, resampled
from minidl.metrics.retrieval import hits, precision_at_k, precision_by_class
from minidl.metrics.similarity import ms_ssim, ms_ssim_within, ssim
from minidl.metrics.wasserstein import SWD, sliced_wasserstein, swd, wasserstein_1d, wasserstein_along

__all__ = [
    "MEASURES", "SWD", "DescriptionLength", "Estimate", "EuclideanIndex", "HammingIndex", "Judge", "Measure",
    "Memorisation", "Modes", "PrecisionRecall", "Report", "Score", "classical_mds", "classifier_score",
    "collapse_pyramid", "description_length", "distances", "frechet_distance", "generator_report",
    "geodesic_distances", "geodesic_path", "hits", "labelled_modes", "laplacian_pyramid", "load_judge", "memorisation",
    "mixture_modes", "ms_ssim", "ms_ssim_within", "nearest_neighbours", "ngram_bits", "pack_bits", "pixelwise_length",
    "precision_at_k", "precision_by_class", "precision_recall", "random_patches", "raw_length", "resampled",
    "save_judge", "sliced_wasserstein", "squared_error", "ssim", "swd", "train_judge", "trustworthiness",
    "unpack_bits", "wasserstein_1d", "wasserstein_along",
]
