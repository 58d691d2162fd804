# %% [markdown]
# # Slides 8, 9 and 17: a deep autoencoder against PCA
#
# An autoencoder is trained to give back its input (slide 9). That is trivial, unless its middle layer is narrow: then
# it has to find a short description of the data. PCA does so with straight lines and planes only; here both sides of
# the code are deep networks (slide 8), which can follow a curved manifold (slide 4).
#
# The comparison is slide 17's: real images, their reconstruction from the network's code, and that from as many
# principal components.

# %%
import numpy as np

from lectures.runner import lecture
from minidl import data, optim, plotting, training
from minidl.autoencoders import DeepAutoencoder
from minidl.linear import PCA
from minidl.tuning import one_core

talk = lecture(17, data=["digits", "mnist", "fashion-mnist"])
images = talk.load()
x_train, x_test = talk.device.put(images.x_train), talk.device.put(images.x_test)


def error(reconstruction):
    """Squared error of held-out images: summed over the pixels, averaged over the images."""
    return float(((reconstruction - x_test)**2).sum(1).mean())


# %% [markdown]
# ## The network
#
# The embedded digits have 64 pixels; ten numbers are to describe them. MNIST's 784 pixels go through the network of
# G. Hinton and R. Salakhutdinov (2006), 784-1000-500-250-30, whose mirror image decodes. They had to pretrain it layer
# by layer (slide 100). Units that don't saturate, initial weights of the right size and Adam have made that needless.
#
# The output on MNIST is a logit for each pixel, trained by the cross-entropy; the error that we report is the squared
# one all the same.

# %%
if talk.data == "digits":
    model = DeepAutoencoder([64, 128, 64, 10], output="linear", rng=talk.rng)
    epochs, batch_size = (10 if talk.fast else 200), 64
else:
    model = DeepAutoencoder([784, 1000, 500, 250, 30], output="logits", rng=talk.rng)
    epochs, batch_size = (1 if talk.fast else 18), 128
model.to(talk.device)
print(model)

# %% [markdown]
# ## Training
#
# The learning rate falls along half a cosine to zero: large steps to get near, small ones to settle.

# %%
seen = images.x_train[:4000] if talk.fast else images.x_train
loader = data.Loader(seen, batch_size=batch_size, rng=talk.rng, device=talk.device)
optimizer: optim.Optimizer
if talk.data == "digits":
    optimizer = optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.05)
else:
    optimizer = optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.99))
schedule = optim.CosineAnnealingLR(optimizer, T_max=epochs * len(loader))
with one_core():                   # several would spend more time on waiting for each other than on these products
    history = training.fit(model, DeepAutoencoder.loss, loader, optimizer, epochs=epochs, schedule=schedule,
                           validate=lambda _: error(model.reconstruct(x_test)))

# %% [markdown]
# ## Slide 17
#
# PCA gets as many numbers as the network's code has. Both have seen the training images only; all errors are of the
# test images.

# %%
k = model.sizes[-1]
pca = PCA(k).fit(x_train)
by_network, by_pca = model.reconstruct(x_test), pca.reconstruct(x_test)
deep_error, pca_error, mean_error = error(by_network), error(by_pca), error(pca.mean_)
first_of_each = [int(np.flatnonzero(np.asarray(images.y_test) == label)[0]) for label in range(10)]
talk.save(plotting.image_rows([
    plotting.Row("real data", talk.images(x_test[first_of_each]), "squared\nerror"),
    plotting.Row(f"{k}-D deep auto", talk.images(by_network[first_of_each]), f"{deep_error:.2f}"),
    plotting.Row(f"{k}-D PCA", talk.images(by_pca[first_of_each]), f"{pca_error:.2f}")],
    title=f"Compressing images to {k} real numbers"), "slide-17")
talk.table(["model", "numbers", "squared error per test image", "of PCA's"], [
    ["mean image", 0, mean_error, mean_error / pca_error],
    [f"PCA-{k}", k, pca_error, 1.0],
    ["deep autoencoder", k, deep_error, deep_error / pca_error]])

# %% [markdown]
# ## How training went
#
# The network begins worse than PCA; in a few epochs it is better.

# %%
talk.save(plotting.curves({"deep autoencoder": (np.arange(1, epochs + 1), history.validation)},
                          levels={f"PCA-{k}": pca_error, "mean image": mean_error},
                          x="epoch", y="squared error per test image", log=True,
                          title="Error of held-out images while training"), "training")

# %% [markdown]
# ## Sampling from the code space
#
# As with PCA (slide 7), codes drawn from a Gaussian can be decoded. Nothing in the training has told the codes to be
# Gaussian, so some of these images are between digits; slides 23-27 mend that.

# %%
model.remember_codes(x_train)
talk.save(plotting.image_rows([
    plotting.Row("real data", talk.images(x_test[first_of_each])),
    plotting.Row("deep auto,\nsampled", talk.images(model.sample(10, talk.rng))),
    plotting.Row("PCA, sampled", talk.images(pca.sample(10, talk.rng)))],
    title="Decoding random codes"), "samples")

# %% [markdown]
# ## What must come out
#
# On the small digits at most 0.55 of PCA's error; on MNIST at most 3.5 per image (the paper's network reached 3.00).

# %%
if talk.fast:
    at_most = {}
else:
    at_most = {"digits": {"ratio": 0.55}, "mnist": {"deep_error": 3.5}, "fashion-mnist": {"ratio": 0.8}}[talk.data]
talk.metric("deep_error", deep_error, at_most=at_most.get("deep_error", mean_error))
talk.metric("pca_error", pca_error)
talk.metric("mean_image_error", mean_error)
talk.metric("ratio", deep_error / pca_error, at_most=at_most.get("ratio"))
talk.metric("training_seconds", sum(history.seconds))
talk.finish()
