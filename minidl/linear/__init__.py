"""Linear models of data: principal components, k-means, whitening (slides 5-7)."""
from minidl.linear.angles import principal_angles
from minidl.linear.kmeans import KMeans, MiniBatchKMeans
from minidl.linear.logistic_pca import LogisticPCA
from minidl.linear.pca import PCA
from minidl.linear.whitening import Whitening

__all__ = ["PCA", "KMeans", "LogisticPCA", "MiniBatchKMeans", "Whitening", "principal_angles"]
