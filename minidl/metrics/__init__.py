"""Measures of what a model has learned: how well its codes find what belongs together, how short it describes data."""
from minidl.metrics.hashing import HammingIndex, pack_bits, unpack_bits
from minidl.metrics.manifold import classical_mds, distances, geodesic_distances, geodesic_path, trustworthiness
from minidl.metrics.messages import DescriptionLength, description_length, pixelwise_length, raw_length
from minidl.metrics.modes import Modes, Score, classifier_score, labelled_modes, mixture_modes
from minidl.metrics.neighbours import EuclideanIndex, nearest_neighbours
from minidl.metrics.ngrams import ngram_bits
from minidl.metrics.reconstruction import squared_error
from minidl.metrics.retrieval import hits, precision_at_k, precision_by_class

__all__ = [
    "DescriptionLength", "EuclideanIndex", "HammingIndex", "Modes", "Score", "classical_mds", "classifier_score",
    "description_length", "distances", "geodesic_distances", "geodesic_path", "hits", "labelled_modes",
    "mixture_modes", "nearest_neighbours", "ngram_bits", "pack_bits", "pixelwise_length", "precision_at_k",
    "precision_by_class", "raw_length", "squared_error", "trustworthiness", "unpack_bits",
]
