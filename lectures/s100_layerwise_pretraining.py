# %% [markdown]
# # Slide 100: layerwise pretraining of a deep autoencoder
#
# Deep autoencoders always looked like a really nice way to reduce dimensions: the mapping is as flexible as one likes,
# learning takes time linear in the number of images, and the finished encoder is fast. For twenty years nobody could
# train them. From small random weights the gradients died on their way down; from large ones the network was lost.
#
# In 2006 G. Hinton and R. Salakhutdinov found a start from which backpropagation works: a stack of restricted Boltzmann
# machines, each trained on what the one below makes of the images, then *unrolled* into an encoder and a decoder.

# %%
from typing import Any

import numpy as np

from minidl import nn, optim, plotting
from minidl.autoencoders import DeepAutoencoder
from minidl.energy import DeepBeliefNet, Gaussian, pretrain
from minidl.lectures import lecture
from minidl.lectures.pictures import layerwise_pretraining as pictures
from minidl.linear import PCA, LogisticPCA
from minidl.metrics import squared_error
from minidl.metrics.neighbours import nearest_neighbours
from minidl.tuning import one_core

talk = lecture(100, data=["digits", "mnist"])
images = talk.load()
x_train = talk.device.put(images.x_train[:talk.short(None, 500)])
x_test, chosen = talk.device.put(images.x_test), images.one_of_each().tolist()
error = lambda reconstruction: squared_error(reconstruction, x_test)
mean_error = error(x_train.mean(0) + 0 * x_test)
of_machines: dict[str, Any]
of_network: dict[str, Any]
hidden, k, sd, of_machines, of_network, lr = {
    "digits": ([256, 128, 64], 10, 0.1,
               dict(epochs=talk.epochs(60, fast=2), lr=[0.1, 0.1, 0.1, 0.005], momentum=0.9, batch_size=20),
               dict(epochs=talk.epochs(80, fast=3), batch_size=20), 5e-3),
    "mnist": ([1000, 500, 250], 30, 0.01,
              dict(epochs=talk.epochs(8), lr=[0.1, 0.1, 0.1, 0.002], momentum=0.9, weight_cost=2e-4),
              dict(epochs=talk.epochs(12), batch_size=100), 1e-3)}[talk.data]

# %% [markdown]
# ## 1. Pretraining
#
# The images are the visible units of the first machine; the means of its hidden units are the data of the second; and
# so on. None of them sees a label, and each has two layers only, so that no gradient has to travel far. The last one's
# hidden units are Gaussian with variance 1, the slide's *linear units*: their numbers are the code, free to take any
# value. They are not bounded as binary units are, and need a rate that is much smaller.

# %%
def stacked(code, below=()):
    """A stack down to so many numbers, pretrained; the machines `below` are already."""
    net = DeepBeliefNet([x_train.shape[1], *hidden, Gaussian(code)], rng=talk.rng, sd=sd).to(talk.device)
    for machine, trained in zip(net.layers, below, strict=False):
        machine.load_state_dict(trained.state_dict())
    with one_core():
        pretrain(net, x_train, first=len(below), rng=talk.rng, **of_machines,
                 **talk.shown(net, f"down to {code} numbers, machine", name=f"down to {code}"))
    return net


stack = stacked(k)
print(stack)

# %% [markdown]
# ## 2. Unrolling
#
# Each machine's weights are used twice: $W$ on the way up to the code, $W^\top$ on the way down from it, with the
# hidden biases up and the visible ones down. States are replaced by their means, so that the whole is an ordinary
# network, and its reconstruction is no longer a draw.
#
# ## 3. Fine-tuning
#
# Backpropagation of the cross-entropy through everything. From here on the two directions go their own ways.
#
# Beside it trains the same network from the usual random weights, at the same rate for as many epochs. A logistic
# unit's slope is 1/4 at most, and four of them in a row leave little of a gradient: the layers above see a constant,
# and the best answer to a constant is the mean image. There it goes at once, and there it stays until the gradients
# have crept down.

# %%
some = talk.images(x_test[chosen])


def tune(model, name, **options):
    """Backpropagation through all of a network."""
    return talk.train(model, x_train, name=name, **of_network, **options,
                      optimizer=optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.99)))


def course(model, name):
    """Errors of the test images before the training and after each epoch, and ten reconstructions of each time."""
    before = error(model.reconstruct(x_test))
    shown = [talk.images(model.reconstruct(x_test[chosen]))]

    def validate(model):
        shown.append(talk.images(model.reconstruct(x_test[chosen])))
        return error(model.reconstruct(x_test))

    return [before, *tune(model, name, validate=validate).validation], shown


ways = {"pretrained": stack.autoencoder(),
        "not pretrained": DeepAutoencoder([x_train.shape[1], *hidden, k], output="logits", activation=nn.Sigmoid,
                                          rng=talk.rng).to(talk.device)}
unrolled = ways["pretrained"].reconstruct(x_test)
filters = {"pretrained": talk.on_host(ways["pretrained"].encoder[0].weight.data).copy()}
courses = {way: course(model, way) for way, model in ways.items()}
pca = PCA(k).fit(x_train)
with talk.doing("logistic PCA"):
    logistic = LogisticPCA(k, max_iter=8).fit(x_train)
    given_back = {"pretrained,\nfine-tuned": ways["pretrained"].reconstruct(x_test), "logistic PCA":
                  logistic.reconstruct(x_test), "PCA": pca.reconstruct(x_test)}
errors = {name.replace("\n", " "): error(reconstruction) for name, reconstruction in given_back.items()}
talk.save(plotting.curves({way: (np.arange(len(values)), values) for way, (values, _) in courses.items()},
                          levels={"mean image": mean_error, f"PCA-{k}": errors["PCA"],
                                  f"logistic PCA-{k}": errors["logistic PCA"]},
                          x="epoch of fine-tuning", y="squared error per test image", log=True,
                          title="The same network from two starts"), "two-starts")
(with_start, _), (without, _) = courses.values()
until = sum(value > 0.95 * mean_error for value in without) - 1
talk.say(f"From the pretrained start the error is {with_start[0]:.2f} before any backpropagation and "
         f"{with_start[-1]:.2f} at the end. The network without it is no better than the mean image for "
         f"{until if until < len(without) - 1 else 'all'} epochs, and ends at {without[-1]:.2f}.")

# %% [markdown]
# ## What came back
#
# The paper's own numbers on MNIST, for a code of 30: 3.00 for the network, 8.01 for logistic PCA, 13.87 for PCA. Ours
# looks for each image's best code, where theirs had one linear layer to find it, and is much better for that; slide 17
# has more about it.

# %%
talk.rows("reconstructions", f"Test images from {k} numbers", {"real data": (some, "squared\nerror"), **{
    name: (row[chosen], f"{error(row):.2f}") for name, row in {
        "pretrained": unrolled, **given_back,
        "not pretrained,\ntrained as long": ways["not pretrained"].reconstruct(x_test)}.items()}})
talk.say(f"Unrolled and not yet fine-tuned, the stack gives test images back with a squared error of "
         f"{with_start[0]:.2f}, the mean image has {mean_error:.2f}. Fine-tuned it comes to {with_start[-1]:.2f}, PCA "
         f"with as many numbers to {errors['PCA']:.2f}.")
talk.table(["model", "squared error", "of PCA's"], [[name, value, value / errors["PCA"]] for name, value in {
    "mean image": mean_error, **errors, "pretrained, before fine-tuning": with_start[0],
    "not pretrained, trained as long": without[-1]}.items()])
moments = np.unique(np.geomspace(1, len(with_start), 12).astype(int)) - 1
if not talk.fast:
    talk.save([plotting.image_rows([
        plotting.Row("real data", some, "squared\nerror"),
        *(plotting.Row(f"{way},\nepoch {i}", shown[i], f"{values[i]:.2f}")
          for way, (values, shown) in courses.items())],
        title="What the two networks give back") for i in moments if i < len(with_start)], "fine-tuning")

# %% [markdown]
# ## What fine-tuning changes
#
# The weights of the first machine's units as images, after pretraining above and after fine-tuning below. The
# paper's view: pretraining finds the features, and backpropagation only has to adjust them. How true that is depends on
# how long one fine-tunes, and at which rate.

# %%
filters["fine-tuned"] = talk.on_host(ways["pretrained"].encoder[0].weight.data)
talk.save(pictures.filters(filters["pretrained"], filters["fine-tuned"],
                           title="What units look for: pretrained (above), fine-tuned (below)"), "filters")
alike = float(np.median([np.corrcoef(w, v)[0, 1] for w, v in zip(*(f.T for f in filters.values()), strict=True)]))
talk.say(f"A unit's weights before and after fine-tuning have a correlation of {alike:.2f} (median): "
         + ("backpropagation only adjusts what pretraining has found." if alike > 0.7 else
            "backpropagation has changed much of what pretraining had found."))

# %% [markdown]
# ## Two numbers
#
# A code of two can be seen. Only the top machine is a new one; those below are as they were. Colours and numbers are
# the digits, which neither the network nor PCA has been told. How well a plane keeps them apart: how many test images
# have, as the nearest training image in the plane, one of the same digit.

# %%
flat = stacked(2, stack.layers[:-1]).autoencoder()
tune(flat, "the plane")
y_train, y_test = np.asarray(images.y_train)[:len(x_train)], np.asarray(images.y_test)
with_2 = {"PCA": PCA(2).fit(x_train), "deep autoencoder": flat}
apart, codes, plane_errors = {}, {}, {}
for name, model in with_2.items():
    nearest = nearest_neighbours(model.encode(x_train), model.encode(x_test), 1)[1][:, 0]
    apart[name] = 100 * float((y_train[talk.on_host(nearest)] == y_test).mean())
    plane_errors[name] = error(model.reconstruct(x_test))
    codes[f"{name}: squared error {plane_errors[name]:.2f}"] = model.encode(x_test[:3000])
talk.save(pictures.planes(codes, y_test[:3000], title="Test images as points in the plane"), "plane")
talk.say(f"In the network's plane {apart['deep autoencoder']:.0f} % of the test images lie beside one of their own "
         f"digit, in PCA's {apart['PCA']:.0f} %.")

# %% [markdown]
# ## What must come out
#
# On MNIST a squared error below 6, in a quarter of an hour; on the small digits one below PCA's. On both the network
# without pretraining goes to the mean image first, and at the end it is still behind. With a code of two numbers the
# network is far ahead of PCA.

# %%
talk.metric("fine_tuned_error", with_start[-1], at_most=6 if talk.data == "mnist" else 0.95 * errors["PCA"])
talk.metric("before_fine_tuning_of_mean_image", with_start[0] / mean_error, at_most=0.9 if talk.data == "mnist" else 1)
talk.metric("not_pretrained_at_first", without[1] / mean_error, at_least=0.95)
talk.metric("pretrained_of_not_pretrained", with_start[-1] / without[-1], at_most=0.95)
talk.metrics(pca_error=errors["PCA"], logistic_pca_error=errors["logistic PCA"], mean_image_error=mean_error,
             not_pretrained_error=without[-1], epochs_at_the_mean_image=until, filters_alike=alike)
talk.metric("plane_apart", apart["deep autoencoder"], at_least=apart["PCA"] + 10)
talk.metric("plane_error_of_pca", plane_errors["deep autoencoder"] / plane_errors["PCA"], at_most=0.7)
talk.finish()
