# %% [markdown]
# # Slides 18-21: Krizhevsky's deep autoencoder, binary codes, and retrieval with them
#
# An autoencoder whose code is 256 bits turns an image into 32 bytes. Images that look alike get codes that differ in
# few bits, and a computer compares bits faster than anything else. So the codes find images (slides 20-21), often
# better ones than a comparison of pixels does, which has to look at 3072 numbers of each 32x32 colour image. No label
# is used to learn the codes. Labels only count, at the end, how often what was found shows the same kind of thing.

# %%
import itertools
from typing import Any, NamedTuple

import numpy as np

from minidl import Tensor, optim, plotting
from minidl.autoencoders import BinaryAutoencoder
from minidl.lectures import lecture
from minidl.lectures.pictures import binary_codes as pictures
from minidl.linear import PCA
from minidl.metrics import EuclideanIndex, HammingIndex, hits, precision_at_k, precision_by_class, squared_error
from minidl.tuning import one_core

talk = lecture(18, data=["digits", "fashion-mnist", "cifar10", "mnist"])
images = talk.load()
labels, query_labels = np.asarray(images.y_train), np.asarray(images.y_test)[:talk.short(None, 1000)]
x_train, queries = talk.device.put(images.x_train), talk.device.put(images.x_test[:talk.short(None, 1000)])
pixels = images.x_train.shape[1]

# %% [markdown]
# The **database** is the first 10,000 training images (of the small digits all 1437). The **queries** are the test
# images, which no network has seen. For each query the search returns the $k = 10$ nearest images, and precision@10 is
# the share of them that have the query's class.

# %%
K, database, labels = 10, x_train[:talk.short(10_000, 4000)], labels[:talk.short(10_000, 4000)]


class Plan(NamedTuple):
    bits: int = 256
    epochs: int = 6         # of the network whose codes we search by, and of those it is compared with
    others: int = 6
    hidden: int = 512       # units of the hidden layer, where there is one
    batch_size: int = 128
    lr: float = 1e-3


plan = {"digits": Plan(bits=64, epochs=40, others=40, hidden=128, batch_size=32, lr=3e-3), "mnist": Plan(),
        "fashion-mnist": Plan(), "cifar10": Plan(others=3, lr=5e-4)}[talk.data]
seen = images.x_train[:talk.short(None, 2000)]

# %% [markdown]
# ## Slide 18: the network
#
# 3072-8192-4096-2048-1024-512-256, and back. That is one line:
#
#     BinaryAutoencoder([3072, 8192, 4096, 2048, 1024, 512, 256], rng=0)
#
# By these layers its encoder has 69.9 million parameters (the slide says "about 67,000,000"). With `--data cifar10` we
# build it and take some steps of training: the table says how long two million images would take here. The slide's
# GTX 285 needed "a few days". The codes below come from smaller networks, whose training ends while we wait.

# %% name="size" slides=[18]
KRIZHEVSKY = [3072, 8192, 4096, 2048, 1024, 512, 256]
talk.metric("encoder_parameters", sum((n + 1) * m for n, m in itertools.pairwise(KRIZHEVSKY)))
if talk.data == "cifar10" and not talk.fast:
    krizhevsky = BinaryAutoencoder(KRIZHEVSKY, rng=talk.rng)
    krizhevsky.to(talk.device)
    optimizer, batch = optim.SGD(krizhevsky.parameters(), lr=1e-4), Tensor(x_train[:128])

    def step() -> None:
        optimizer.zero_grad()
        krizhevsky.loss(batch).backward()
        optimizer.step()

    trained = len(batch) / talk.seconds(step, repeat=3)[0]
    encoded = 1024 / talk.seconds(lambda: krizhevsky.encode(x_train[:1024]), repeat=1)[0]
    talk.table(["slide 18's network, here", "images a second", "2 million images, days", "ten times, days"], [
        ["to train", trained, 2e6 / trained / 86400, 2e7 / trained / 86400],
        ["to encode", encoded, 2e6 / encoded / 86400, ""]])
    talk.metric("krizhevsky_images_per_second", trained)
    del krizhevsky, optimizer, batch

# %% [markdown]
# ## How a code becomes bits
#
# The code units are logistic, and a unit's bit says whether it is above one half. A threshold has no gradient, so
# training has to be talked into bits:
#
# - **Noise.** Add Gaussian noise with a deviation of 4 to the units' inputs while training. What is to come through
#   that must be large, and a logistic unit with a large input, positive or negative, is at 1 or 0. Threshold it then.
# - **Straight through.** Decode the bits themselves, and pretend on the way back that the threshold had been the
#   logistic function.
#
# `start_from` sets the biases so that each bit divides the images in half, for a bit that is the same for all says
# nothing, and so that decoding begins at the mean image.

# %% name="networks"
took: dict[str, float] = {}


def train(name: str, sizes: list[int], epochs: int, **options: Any) -> BinaryAutoencoder:
    """A network whose loss has been made small: cross-entropy of the pixels."""
    model = BinaryAutoencoder(sizes, rng=talk.rng, **options)
    model.to(talk.device)
    model.start_from(database)
    took[name] = sum(talk.train(model, seen, name=name, epochs=talk.epochs(epochs, fast=max(1, epochs // 10)),
                                batch_size=plan.batch_size,
                                optimizer=optim.Adam(model.parameters(), lr=plan.lr)).seconds)
    return model


shallow, deep = [pixels, plan.bits], [pixels, plan.hidden, plan.bits]
models = {
    "straight through": train("straight through", shallow, plan.epochs, code="straight-through"),
    "no noise": train("no noise", shallow, plan.others, code="noise", noise=0.0),
    "noise": train("noise", shallow, plan.others, code="noise"),
    "deep, straight through": train("deep, straight through", deep, plan.others, code="straight-through"),
    "deep, noise": train("deep, noise", deep, plan.others, code="noise")}
model = models["straight through"]
print(model)

# %% [markdown]
# Without noise most units hover between 0 and 1, and their threshold throws away what the decoder was trained with. The
# noise drives them to the ends.

# %% name="code-units" slides=[18] needs=["networks"]
units = {"without noise": models["no noise"].activities(queries), "with noise": models["noise"].activities(queries)}
talk.save(pictures.activities(units, title="Code units for test images, before the threshold"), "code-units")
undecided = {name: float(((u > 0.1) & (u < 0.9)).mean()) for name, u in units.items()}

# %% [markdown]
# ## Slide 19: reconstructions from bits
#
# Beside the network stands PCA with as many bits: a float32 takes 32 of them, so 256 bits are 8 numbers. The last row
# decodes codes that no image has: a Gaussian, thresholded, so that the bits are 1 as often as in the training images
# and hang together as they do there.

# %% name="reconstruction" slides=[19] needs=["networks"]
chosen = images.one_of_each().tolist()
with talk.doing("PCA"):
    pca = PCA(plan.bits, rng=talk.seed).fit(x_train[:talk.short(None, 4000)])
few = plan.bits // 32
by_pca = pca.mean_ + pca.encode(queries)[:, :few] @ pca.components_[:few]
pca_error = squared_error(by_pca, queries)
model.remember_codes(database)
errors = {name: squared_error(one.reconstruct(queries), queries) for name, one in models.items()}
talk.rows("reconstructions", f"Images from {plan.bits} bits", {"real data": (queries[chosen], "squared\nerror"), **{
    f"{plan.bits} bits{which}": (models[name].reconstruct(queries[chosen]), f"{errors[name]:.2f}")
    for name, which in (("straight through", ""), ("deep, straight through", ",\ndeep"))},
    f"{few} numbers,\nPCA": (by_pca[chosen], f"{pca_error:.2f}"), "sampled": model.sample(10, talk.rng)})
talk.say(f"{plan.bits} bits give an image back with a squared error of {errors['straight through']:.2f}; the {few} "
         f"numbers of PCA that fit in as many bits, with {pca_error:.2f}.")

# %% [markdown]
# ## A walk through the codes
#
# From one image's code to another's, flipping one bit after the other: every code on the way can be decoded.

# %% name="walk" slides=[19] needs=["reconstruction"]
ends = queries[[chosen[1], chosen[8]]]
start, end = model.encode(ends)
differ = talk.rng.permutation(np.flatnonzero(talk.on_host(start != end)))
frames = []
for flipped in np.linspace(0, len(differ), talk.short(16, 2)).round().astype(int):
    code = start.copy()
    code[talk.device.put(differ[:flipped])] ^= 1
    frames.append(pictures.flipping(*talk.images(ends), talk.images(model.decode(code[None]))[0], flipped, len(differ)))
talk.save(frames, "walk")

# %% [markdown]
# ## Slides 20 and 21: retrieval
#
# By the code: the ten codes with the smallest Hamming distance, the number of bits that differ. By pixels: Euclidean
# distance. That takes the brightness and the contrast of two images for a difference; so we also compare pixels after
# each image was given mean 0 and deviation 1. The cheap ways to bits are signs: of PCA's coordinates, and of random
# projections.

# %% name="retrieval" slides=[20, 21] needs=["reconstruction"]
def by_code(encode: Any) -> Any:
    """What Hamming search among these bits finds for all queries."""
    return HammingIndex(encode(database)).search(encode(queries), K)[1]


standardised = lambda x: (x - x.mean(1, keepdims=True)) / (x.std(1, keepdims=True) + 1e-6)
planes = talk.device.put(talk.rng.standard_normal((pixels, plan.bits), dtype=np.float32))
with talk.doing("the nearest images, by pixels and by bits"), one_core():
    found = {"pixels": EuclideanIndex(database).search(queries, K)[1],
             "pixels, standardised": EuclideanIndex(standardised(database)).search(standardised(queries), K)[1],
             "random projections": by_code(lambda x: (x - pca.mean_) @ planes > 0),
             "signs of PCA": by_code(lambda x: pca.encode(x) > 0)}
    found |= {name: by_code(one.encode) for name, one in models.items()}
precision = {name: precision_at_k(indices, labels, query_labels) for name, indices in found.items()}
talk.table(["search by", "bytes", f"precision@{K}", "squared error", "seconds to train"], [
    [name, pixels if "pixels" in name else plan.bits // 8, precision[name],
     *((f"{errors[name]:.2f}", f"{took[name]:.0f}") if name in models else ("", ""))] for name in found])

# %% [markdown]
# The bits of one linear layer find about as much as those of a deeper network; depth shows in the reconstruction. Units
# that were never told to be bits ("no noise") lose little in the search when they are thresholded, and much in the
# reconstruction. Noise costs precision in trainings as short as these.
#
# The pictures of slides 20 and 21 for ten of our queries: the first of each class in the test set.

# %% name="retrieval" slides=[20, 21]
def first_found(title: str, name: str, which: list[int], count: int = 7) -> pictures.Found:
    """The first images that a search found for these queries."""
    indices = talk.on_host(found[name])[which, :count]
    shown = talk.images(talk.on_host(database)[indices.ravel()])
    return pictures.Found(title, shown.reshape(len(which), count, *shown.shape[1:]),
                          hits(indices, labels, query_labels[which]))


of_codes, of_pixels = precision["straight through"], precision["pixels"]
if of_codes > of_pixels:
    verdict = f"the codes find more, in a {pixels * 8 // plan.bits}th of the bytes."
elif talk.fast:
    verdict = "the codes were trained for too short a time."
else:
    verdict = ("the opposite of the slide. These images are all of a size and in their place, which suits pixels; with "
               "--data fashion-mnist or cifar10 the codes win.")
for slide, some in ((20, chosen[:5]), (21, chosen[5:])):
    talk.save(pictures.retrieved(talk.images(queries[some]), [
        first_found(f"by {plan.bits}-bit code: {precision['straight through']:.1%} right", "straight through", some),
        first_found(f"by distance of pixels: {precision['pixels']:.1%} right", "pixels", some)],
        title="The nearest images"), "nearest", slides=[slide])
    if slide == 20:
        talk.say(f"Of the ten images with the nearest codes {100 * of_codes:.0f} % are of the query's class, of the "
                 f"ten with the nearest pixels {100 * of_pixels:.0f} %: {verdict}")

# %% [markdown]
# Class by class: where the code is better than the pixels, and where not.

# %% name="retrieval" slides=[20, 21]
by_class = {name: precision_by_class(found[name], labels, query_labels)
            for name in ("pixels", "pixels, standardised", "straight through")}
talk.table([f"precision@{K}", "pixels", "standardised", "code", "code - pixels"], [
    [name, *(by_class[way][c] for way in by_class), by_class["straight through"][c] - by_class["pixels"][c]]
    for c, name in enumerate(images.classes)])

# %% [markdown]
# ## How fast, and how small
#
# A code lies in memory as words of 64 bits. Comparing two codes is an exclusive or and a count of ones for each word;
# Euclidean distances of all pairs are one matrix product, the best that a processor can do with numbers. Both searches
# are exact, run on one core, and take turns while they are timed; the table has medians.

# %% name="speed" slides=[20, 21] needs=["retrieval"]
by_bits, by_pixels = HammingIndex(model.encode(database)), EuclideanIndex(database)
many, codes = queries[:1000], model.encode(queries[:1000])
with talk.doing("the searches, with a watch"), one_core():
    together, alone = (1e6 / n * np.array(talk.seconds(
        lambda: by_bits.search(codes[:n], K), lambda: by_pixels.search(many[:n], K), repeat=repeat))
        for n, repeat in ((len(many), talk.short(9, 1)), (1, talk.short(51, 3))))
bytes_code, gain_together, gain_alone = by_bits.nbytes / len(by_bits), together[1] / together[0], alone[1] / alone[0]
talk.table([f"search among {len(database):,} images", "bytes", "us a query, 1000 together", "us, one alone"], [
    [f"{plan.bits}-bit code, Hamming", f"{bytes_code:.0f}", f"{together[0]:.1f}", f"{alone[0]:.0f}"],
    ["pixels, Euclid in float32", pixels, f"{together[1]:.1f}", f"{alone[1]:.0f}"],
    ["the code's gain", f"{pixels / bytes_code:.1f}", f"{gain_together:.1f}", f"{gain_alone:.1f}"]])

# %% [markdown]
# ## Semantic hashing: the code is an address
#
# With a code as short as 20 bits there is no need to compare at all. The code is an address in memory, and images that
# look alike lie at addresses that differ in few bits: flip each bit of the query's code, and each pair, and look there
# (Salakhutdinov and Hinton, 2009). That is 1 + 20 + 190 places, however many images there are.

# %% name="address" slides=[21] needs=["networks"]
BITS, RADIUS = 20, 2
short = train("short", [pixels, plan.hidden, BITS], plan.others, code="noise")
addresses = HammingIndex(short.encode(database))
ball_sizes = [len(addresses.lookup(code, RADIUS)[1]) for code in short.encode(queries[:200])]
typical = int(np.argsort(ball_sizes)[len(ball_sizes) // 2])
distances, indices = (talk.on_host(a) for a in addresses.lookup(short.encode(queries[typical][None])[0], RADIUS))
ball = {}
for r, places in enumerate(("1 address", "20 addresses", "190 addresses")):
    there = indices[distances == r]
    ball[f"{places}:\n{len(there)} image{'s' * (len(there) != 1)}"] = (
        talk.images(talk.on_host(database)[there]), labels[there] == query_labels[typical])
talk.save(pictures.rings(talk.images(queries[typical][None])[0], ball,
                         title=f"What lies within {RADIUS} bits of the query's {BITS}-bit address"), "ball")

# %% [markdown]
# More images than we have are quickly made: codes drawn from the model, up to a million. Comparing takes longer and
# longer; looking up takes as long as there is something to find.

# %% name="address" slides=[21]
short.remember_codes(database)
address = short.encode(queries[typical][None])[0]
thousands = talk.short([1, 10, 100, 1000], [1, 10])
among, times = [], []
for size in thousands:
    index = HammingIndex(short.draw_codes(1000 * size, talk.rng))
    among.append(len(index.lookup(address, RADIUS)[1]))              # the first look-up makes the table
    with one_core():
        times.append(talk.seconds(lambda: index.scan(address, RADIUS), lambda: index.lookup(address, RADIUS),
                                  repeat=talk.short(15, 3)))
microseconds = 1e6 * np.array(times)
talk.table(["codes", "within the ball", "us to compare all", "us to look up"],
           [[f"{1000 * size:,}", f"{found:,}", f"{scan:.0f}", f"{look_up:.0f}"]
            for size, found, (scan, look_up) in zip(thousands, among, microseconds, strict=True)])
talk.save(plotting.curve_panels({f"What lies within {RADIUS} bits of a {BITS}-bit code?": {
    name: (thousands, values) for name, values in zip(("compare all", "look up"), microseconds.T, strict=True)}},
                                x="thousands of codes", y="microseconds a query", log=True, log_x=True), "look-up")

# %% [markdown]
# ## What must come out
#
# On Fashion-MNIST the code finds the right class at least 0.015 more often than pixels do, on CIFAR-10 at least 0.025,
# in a 24th and a 96th of the bytes. The search is several times faster, most of all for a single query; a time depends
# on what else the machine does, so no bound is set. What makes raw pixels poor on CIFAR-10 is mostly brightness and
# contrast: once these are taken away from each image, pixels find about as much as the code does. The small digits are
# all of a size and in their place; pixels are hard to beat there, and eight bytes come near.

# %% name="bounds"
bounds: dict[str, float] = {
    "digits": {"precision": 0.91, "gain": -0.05, "of_pca": 0.3}, "mnist": {"precision": 0.88, "of_pca": 0.3},
    "fashion-mnist": {"gain": 0.015, "of_pca": 0.6}, "cifar10": {"gain": 0.025, "of_pca": 0.75}}[talk.data]
for name, value in precision.items():
    talk.metric(f"precision_{name.replace(',', '').replace(' ', '_')}", value,
                at_least=bounds.get("precision") if name == "straight through" else None)
talk.metric("precision_gain", precision["straight through"] - precision["pixels"], at_least=bounds.get("gain"))
talk.metrics(bytes_gain=pixels / bytes_code, faster_together=gain_together, faster_alone=gain_alone,
             error_straight_through=errors["straight through"],
             undecided_without_noise=undecided["without noise"])
talk.metric("error_of_pca", errors["straight through"] / pca_error, at_most=bounds.get("of_pca"))
talk.metric("undecided_with_noise", undecided["with noise"], at_most=0.6 * undecided["without noise"])
talk.finish()
