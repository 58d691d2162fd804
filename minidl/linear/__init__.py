"""Linear models of data: principal components (slides 5-7)."""
from minidl.linear.pca import PCA

__all__ = ["PCA"]
