# %% [markdown]
# # Slides 5-7: a subspace as an autoencoder
#
# Slide 5 asks for a lower-dimensional subspace to represent the data: with a mean $m$ and orthonormal directions $V$,
# an image $x$ has the coordinates $z = V(x - m)$, and from these few numbers it is reconstructed as $m + V^\top z$.
# Without further constraints, the subspace with the least squared error is that of principal component analysis (PCA),
# and slide 7 finds it by a singular value decomposition.
#
# Slide 7 also says what this lecture shows at its end: PCA can be treated as an autoencoder. It encodes, it decodes,
# and whoever draws codes and decodes them has a generative model.

# %%
import numpy as np

from lectures.runner import lecture
from minidl import plotting
from minidl.linear import PCA

talk = lecture(7, data=["digits", "mnist", "fashion-mnist"])
data = talk.load()
labels = np.asarray(data.y_test)
x_train, x_test = talk.device.put(data.x_train), talk.device.put(data.x_test)


# %% [markdown]
# ## The decomposition
#
# One fit gives all components, by falling variance: the first $k$ of them are the answer for every smaller $k$.

# %%
numbers = {"digits": [2, 5, 10, 20, 40], "mnist": [2, 6, 10, 20, 30, 64, 100],
           "fashion-mnist": [2, 6, 10, 20, 30, 64, 100]}[talk.data]
pca = PCA(numbers[-1], rng=talk.seed).fit(x_train)
shares = talk.on_host(pca.explained_variance_ratio_)
talk.save(plotting.explained_variance(shares, marks=numbers[1:5], title="How much do k numbers explain?"),
          "explained-variance")

# %% [markdown]
# ## Geometry (slide 6)
#
# The first two coordinates of every test image: the plane on which the data's shadow is widest. No label was used to
# find it; the colours show how far it tells the classes apart all the same.

# %%
coordinates = talk.on_host(pca.encode(x_test[:3000]))
talk.save(plotting.codes(coordinates[:, :2], labels[:3000], title="Test images in PCA's first two directions"),
          "subspace")

# %% [markdown]
# ## Components
#
# Each component is itself an image: what is added to (red) or taken from (blue) the mean image as its coordinate grows.

# %%
talk.save(plotting.image_grid(talk.images(pca.components_[:10]), columns=5, symmetric=True,
                              captions=[f"{i + 1}: {share:.1%}" for i, share in enumerate(shares[:10])],
                              title="Ten components: red adds, blue takes away; the variance each explains"),
          "components")

# %% [markdown]
# ## Reconstruction (slide 7)
#
# The error is that of held-out images: squared differences summed over an image's pixels, averaged over the images.
# With no numbers at all, every image is reconstructed as the mean image. Ten numbers explain about 74 % of the small
# digits; on MNIST thirty numbers leave an error of 13.87, the figure that G. Hinton and R. Salakhutdinov give for PCA
# in their paper on slide 17's network; on Fashion-MNIST 12.24.

# %%
first_of_each = [int(np.flatnonzero(labels == label)[0]) for label in range(10)]
bounds = {"digits": {}, "mnist": {30: (13.864, 13.868)}, "fashion-mnist": {30: (12.241, 12.245)}}[talk.data]
code = pca.encode(x_test)
mean_error = float(((x_test - pca.mean_)**2).sum(1).mean())
rows = [plotting.Row("real data", talk.images(x_test[first_of_each]), "squared\nerror")]
table: list[list[str | float]] = [["mean image", 0, mean_error, "0.0%"]]
for k in numbers:
    reconstruction = pca.mean_ + code[:, :k] @ pca.components_[:k]
    error = float(((x_test - reconstruction)**2).sum(1).mean())
    explained = float(shares[:k].sum())
    rows.append(plotting.Row(f"{k}-D PCA", talk.images(reconstruction[first_of_each]), f"{error:.2f}"))
    table.append([f"PCA-{k}", k, error, f"{explained:.1%}"])
    low, high = bounds.get(k, (None, None))
    talk.metric(f"error_{k}", error, at_least=low, at_most=high)
    low, high = (0.73, 0.75) if (talk.data, k) == ("digits", 10) else (None, None)
    talk.metric(f"explained_{k}", explained, at_least=low, at_most=high)
talk.save(plotting.image_rows(rows[:6], title="Test images from k numbers"), "reconstructions")
talk.table(["model", "numbers", "squared error per test image", "variance explained"], table)

# %% [markdown]
# ## Sampling from the code space: a generative model!
#
# Codes drawn from a Gaussian with the variances that PCA found, decoded. They have the strokes' texture, but few are
# digits: the codes of real images do not fill a Gaussian. The models of the later slides are about this gap.

# %%
drawn = talk.images(pca.sample(20, talk.rng))
talk.save(plotting.image_rows([plotting.Row("real data", talk.images(x_test[first_of_each])),
                               plotting.Row(f"{numbers[-1]}-D PCA,\nsampled", drawn[:10]),
                               plotting.Row("sampled again", drawn[10:])], title="Sampling from the code space"),
          "samples")

# %%
talk.finish()
