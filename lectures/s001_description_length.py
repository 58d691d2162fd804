# %% [markdown]
# # Slides 1-4: short descriptions, and the manifold hypothesis
#
# Unsupervised learning has data and no labels. What is there to learn? One answer is William of Ockham's: of all
# explanations take the simplest. It can be counted. Whoever has understood the data can *send* them in fewer bits:
# first the model, then each item in the model's terms (its code), then what the model did not foresee (the residual),
# so that the receiver gets every pixel exactly. The best model is the one with the shortest message in all.
#
# The other answer is geometry: images fill only a thin, curved part of the space of all pixels. A short code is a place
# on this manifold.

# %%
from typing import Any

import numpy as np

from minidl import data, metrics, plotting
from minidl.autoencoders import DeepAutoencoder
from minidl.data import augmentation
from minidl.lectures import lecture
from minidl.lectures.pictures import description_length as pictures
from minidl.linear import PCA, KMeans
from minidl.metrics.messages import Message, message
from minidl.tuning import one_core

talk = lecture(1, data=["digits", "mnist"])
images = talk.load(flat=False)
small = talk.data == "digits"
levels = 17 if small else 256
x = talk.device.put(images.flat().x_train[:talk.short(None, 400)])
labels = np.asarray(images.y_train)
chosen = [int(np.argmax(labels == label)) for label in range(10)]

# %% [markdown]
# ## Without a model
#
# A pixel of the small digits has 17 levels, so a picture of 64 takes 64 log2 17 bits. That is what to beat. The first
# saving needs no understanding: corners are nearly always black, and a code for each pixel that adapts to how often its
# levels occur makes use of that. It knows nothing of how pixels hang together. Only what a model saves beyond it has to
# do with shapes.

# %% name="message" slides=[1, 2, 3]
raw = metrics.raw_length(x, levels=levels).total / len(x)
pixelwise = metrics.pixelwise_length(x, levels=levels).total / len(x)

# %% [markdown]
# ## With a model
#
# Everything that is sent is rounded first, for a real number has infinitely many digits. How coarsely is our choice, so
# we try a few precisions of the parameters and of the codes, and keep what makes the message shortest. Of an
# autoencoder only the decoder is sent: the receiver does not need the encoder.

# %% name="message"
def shortest(model, x, steps, bits):
    """The shortest message through this model, over precisions of codes and parameters."""
    return min((message(model, x, levels=levels, code_step=float(s), parameter_bits=b) for s in steps for b in bits),
               key=lambda sent: sent.length().total)


if small:
    numbers = {"PCA": [1, 2, 4, 8, 12, 16, 24, 40], "k-means": [1, 5, 10, 20, 40, 80, 160, 320],
               "autoencoder": [1, 2, 4, 6, 8, 12]}
    steps, shares, bits = [0.35, 0.5, 0.7, 1.0], np.array([0.2, 0.3, 0.4, 0.6, 0.8]), [4, 5, 6]
    rounds = dict(n_init=2, max_iter=100)
    settings: dict[str, Any] = dict(epochs=talk.epochs(80, fast=2), lr=4e-3, weight_decay=0.05)
else:
    numbers = {"PCA": [5, 20, 50, 80, 140], "k-means": [1, 10, 50, 200], "autoencoder": [10, 20, 30]}
    steps, shares, bits = [0.7, 1.0], np.array([0.2, 0.4, 0.8]), [6]
    rounds, settings = dict(max_iter=20), dict(epochs=talk.epochs(6, fast=2), lr=2e-3, batch_size=128)


def by_network(k):
    """The shortest message through an autoencoder, which chooses the units of its own code."""
    network = DeepAutoencoder([64, 16, k] if small else [784, 256, k], output="linear" if small else "logits",
                              rng=talk.rng)
    talk.train(network, x, name=f"autoencoder-{k}", **settings)
    return shortest(network, x, float(network.encode(x).std()) * shares, bits)


numbers = {name: ks[talk.short(slice(None), slice(1, None, 4))] for name, ks in numbers.items()}
with one_core():
    sent: dict[str, dict[int, Message]] = {
        "PCA": {k: shortest(PCA(k, rng=talk.seed).fit(x), x, steps, bits) for k in talk.each(numbers["PCA"], "PCA")},
        "k-means": {k: shortest(KMeans(k, rng=talk.rng, **rounds).fit(x), x, [1.0], bits)
                    for k in talk.each(numbers["k-means"], "k-means")},
        "autoencoder": {k: by_network(k) for k in numbers["autoencoder"]}}
lengths = {name: {k: np.array(m.length()) / len(x) for k, m in messages.items()} for name, messages in sent.items()}
best = {name: min(bars, key=lambda k: bars[k].sum()) for name, bars in lengths.items()}

# %% [markdown]
# The bars are the lesson. With a small k the model is cheap, and leaves nearly everything to be said pixel by pixel.
# With a large one the residual is short, but model and codes cost more than they save. In between lies the least total.
# No test set was needed to find it, and none was looked at.

# %% name="message" slides=[1, 2, 3]
talk.save(pictures.bit_bars({name: {k: list(bar[::-1]) for k, bar in bars.items()} for name, bars in lengths.items()},
                            parts=["residual", "code", "model"], x="k", level=pixelwise,
                            level_name="each pixel by itself",
                            title=f"Bits to send {len(x):,} images, per image (raw: {raw:,.0f})"), "bits")
winner = min(best, key=lambda name: lengths[name][best[name]].sum())
talk.say(f"Each pixel by itself takes {pixelwise:.0f} bits an image. The shortest message takes "
         f"{lengths[winner][best[winner]].sum():.0f}, the model included, through {winner} with k = {best[winner]}"
         + ("; a richer model costs more than it saves." if best[winner] < numbers[winner][-1] else "."))
talk.table(["message", "k", "model", "code", "residual", "bits per image"], [
    ["raw", "", 0.0, 0.0, raw, raw], ["each pixel by itself", "", 0.0, 0.0, pixelwise, pixelwise],
    *[[name, k, *lengths[name][k], lengths[name][k].sum()] for name, k in best.items()]])

# %% [markdown]
# ## What the receiver sees before the residual
#
# The models' predictions from rounded codes and rounded parameters, each at its best k. That they are so rough is not
# carelessness: a finer code would have cost more than it saves. K-means, with the name of one of its centres and
# nothing else, predicts the small digits best for its bits. The network is outdone here by both: it spends more on its
# weights and codes than it saves. On MNIST (`--data mnist`) forty times as many images share the cost of its weights:
# there it is a little ahead of PCA.

# %% name="message" slides=[1, 2, 3]
talk.rows("predictions", "What the model foresees", {"real data": (x[chosen], "bits"), **{
    f"{name}-{k}": (sent[name][k].shades[chosen] / (sent[name][k].contexts - 1), f"{lengths[name][k].sum():.0f}")
    for name, k in best.items()}})

# %% [markdown]
# ## More data can afford a richer model
#
# The same models fitted to fewer images. The model is sent once, so its cost is shared: the more images, the larger the
# best k. Occam's razor does not ask for few parameters, it asks for as many as the data pay for.

# %% name="more-data" slides=[3] needs=["message"]
sizes = [100, 200, 400, 800, len(x)] if small else [500, 2000, 8000, len(x)]
dimensions = [1, 3, 6, 12, 24] if small else [5, 20, 50]
sizes, order = talk.short(sizes, sizes[1:3]), talk.rng.permutation(len(x))
subsets = [x[talk.device.put(np.sort(order[:n]))] for n in sizes]
per_image = {k: [shortest(PCA(k, rng=talk.seed).fit(few), few, steps[1:], bits[-2:]).length().total / len(few)
                 for few in subsets] for k in talk.each(dimensions, "PCA of fewer images")}
best_by_size = [dimensions[i] for i in np.argmin(list(per_image.values()), axis=0)]
talk.save(plotting.curve_panels({"": {f"PCA-{k}": (sizes, values) for k, values in per_image.items()}}, log=True,
                                log_x=True, x="number of images", y="bits per image",
                                top=max(per_image[dimensions[0]]) * 1.25,
                                title="The best k grows with the number of images"), "more-data")

# %% [markdown]
# ## The manifold hypothesis (slide 4): a swiss roll
#
# Points in space that lie on a rolled-up sheet: two numbers, the place along the roll and the height, would describe
# them. PCA can only look at the roll from one side. A network with two numbers in the middle may bend its surface, and
# reconstructs far better; but nothing tells it to keep neighbours together, and it cuts the roll and folds the pieces
# over each other.
#
# What is close in space need not be close on the sheet. Only short straight lines stay on it, so a long way is measured
# as the shortest one along many short lines: the *geodesic* distance. From these distances alone the sheet can be laid
# out flat (Isomap).

# %% name="roll" slides=[4]
roll, t = data.swiss_roll(talk.short(800, 300), rng=talk.rng)
along = (t * np.sqrt(1 + t * t) + np.arcsinh(t)) / 2              # arc length: the integral of sqrt(1 + t^2)
sheet = np.stack([along, roll[:, 1]], axis=1)                     # the truth, which no method sees
centred = (roll - roll.mean(0)) / roll.std()
network = DeepAutoencoder([3, 64, 32, 2], rng=talk.rng)
talk.train(network, centred, name="roll", epochs=talk.epochs(200, fast=2), batch_size=50, lr=1e-2, device="cpu")
with talk.doing("shortest ways along the roll"), one_core():
    pca = PCA(2).fit(centred)
    straight, way = metrics.distances(roll), metrics.geodesic_distances(roll, neighbors=talk.short(5, 8))
    unrolled = metrics.classical_mds(way, 2)
a, b = divmod(int(np.argmax(way / (straight + 2.0))), len(roll))  # close in space, far along the roll
path = metrics.geodesic_path(way, a, b)
talk.save(pictures.embeddings(
    {"a swiss roll": roll, "PCA": pca.encode(centred), "autoencoder": network.encode(centred), "Isomap": unrolled},
    along, ways={f"straight: {straight[a, b]:.0f}": roll[[a, b]], f"along the roll: {way[a, b]:.0f}": roll[path]},
    place="place along the roll", title="Two numbers for each point in space"), "swiss-roll")
talk.say(f"Two points that are {straight[a, b]:.0f} apart in a straight line are {way[a, b]:.0f} apart along the "
         "roll: what is close in space need not be close on the manifold.")

# %% [markdown]
# In numbers: how well does the distance between two codes agree with the true distance on the sheet (correlation over
# all pairs)? And how large is the squared error, of a total variance of 3?

# %% name="roll" slides=[4]
def agreement(distances, true):
    """The correlation of two tables of distances, (N, N) each, over all pairs."""
    pairs = np.triu_indices(len(true), 1)
    return float(np.corrcoef(distances[pairs], true[pairs])[0, 1])


agreements = {name: agreement(distances, metrics.distances(sheet)) for name, distances in {
    "straight lines in space": straight, "PCA": metrics.distances(pca.encode(centred)),
    "autoencoder": metrics.distances(network.encode(centred)), "geodesic": way,
    "Isomap": metrics.distances(unrolled)}.items()}
errors = {name: metrics.squared_error(model.reconstruct(centred), centred)
          for name, model in (("PCA", pca), ("autoencoder", network))}
talk.table(["distances", "agreement with the sheet", "reconstruction error"],
           [[name, value, errors.get(name, "")] for name, value in agreements.items()])

# %% [markdown]
# ## The manifold of a turning digit
#
# A seven turned by every angle from 0 to 359 degrees: in the space of hundreds of pixels this is a closed curve. PCA's
# plane is the best plane, but a seven looks somewhat like a seven upside down: opposite angles get nearly the same two
# numbers. An autoencoder with as many numbers tells them apart. It has seen the even angles only; the errors are those
# of the odd ones.

# %% name="turning" slides=[4] needs=["roll"]
seven = images.x_train[chosen[7:8]]
if small:                                                         # 8x8 is drawn at twice its size, with room to turn
    seven = np.pad(seven, ((0, 0), (6, 6), (6, 6), (0, 0)))
size = seven.shape[1]


def turned(angles):
    """The seven at these angles, as rows of pixels."""
    sevens = seven.repeat(len(angles), axis=0)
    return augmentation.rotate_by(sevens, angles, zoom=2.0 if small else 1.0).reshape(len(angles), -1)


angles = np.arange(0.0, 360.0, 2.0)
turns, held_out = turned(angles), turned(angles + 1)
network = DeepAutoencoder([size * size, 128, 64, 2], output="logits", rng=talk.rng)
talk.train(network, turns, name="turns", epochs=talk.epochs(200, fast=2), batch_size=30, lr=4e-3, device="cpu")
with one_core():
    plane = PCA(2).fit(turns)
turn_errors = {name: metrics.squared_error(model.reconstruct(held_out), held_out)
               for name, model in (("PCA", plane), ("autoencoder", network))}
codes = network.encode(turns)
shown = {i: turns[i].reshape(size, size) for i in range(0, 180, 18)}
talk.save(pictures.embeddings({f"PCA: error {turn_errors['PCA']:.1f}": plane.encode(turns),
                               f"autoencoder: error {turn_errors['autoencoder']:.1f}": codes},
                              angles, cyclic=True, images=shown, place="angle in degrees",
                              title="A turning seven, in two numbers"), "turning")

# %% [markdown]
# How far is a seven from a turned one? In a straight line the distance soon stops growing, once the strokes no longer
# overlap; it even falls again, for upside down it looks a little like itself. Along the manifold it grows with the
# angle.

# %% name="turning" slides=[4]
way, straight = metrics.geodesic_distances(turns, neighbors=2), metrics.distances(turns)
talk.save(plotting.curves({"along the\nmanifold": (angles[:91], way[0, :91]),
                           "straight\nline": (angles[:91], straight[0, :91])},
                          x="turned by (degrees)", y="distance from the upright seven",
                          title="Distance between a digit and itself, turned"), "geodesic")
apart = np.minimum(np.abs(angles[:, None] - angles), 360 - np.abs(angles[:, None] - angles))
by_angle = {"geodesic": agreement(way, apart), "straight": agreement(straight, apart)}

# %% [markdown]
# ## From one seven to another
#
# The straight line between two images leaves the manifold: it fades one out and the other in. The way along the
# manifold passes the codes of the images on the shortest path; between them the network fills in. The number is how far
# a picture is from the nearest seven at any angle (squared error): the ghosts are far from all.

# %% name="turning" slides=[4]
path = metrics.geodesic_path(way, 0, 65)                          # from 0 to 130 degrees
share = np.linspace(0, 1, talk.short(24, 2), dtype=np.float32)
steps_on = np.stack([np.interp(share, np.linspace(0, 1, len(path)), codes[path, i]) for i in range(2)],
                    axis=1).astype(np.float32)
faded = turns[0] + share[:, None] * (turns[65] - turns[0])
walked = network.decode(steps_on)
every_angle = turned(np.arange(720) / 2)
ghosts, walks = (np.array([((every_angle - row)**2).sum(1).min() for row in rows]) for rows in (faded, walked))
talk.save([pictures.walk({f"straight line: off by {ghosts[i]:.1f}": faded[i].reshape(size, size),
                          f"along the manifold: {walks[i]:.1f}": walked[i].reshape(size, size)},
                         codes, angles, steps_on[i])
           for i in talk.each(range(len(share)), "the film of the walk")], "walk")
talk.say(f"On the straight line from one seven to the other the images are off by up to {ghosts.max():.1f} from "
         f"every seven that there is, on the way along the manifold by up to {walks.max():.1f}.")

# %% [markdown]
# ## What must come out
#
# The least total lies between the smallest and the largest k (on MNIST k-means would go on with more than 200 centres),
# and with more data at a larger k; all models beat the code that knows of single pixels only. The geodesic distance is
# that on the sheet, the straight one is not; the walk along the manifold stays near it.

# %% name="bounds"
bounds: dict[str, Any] = {"digits": {"PCA": (147, 8, 16), "k-means": (141, 20, 80), "autoencoder": (154,)},
                          "mnist": {"PCA": (1090, 50, 80), "k-means": (1200,), "autoencoder": (1090,)}}[talk.data]
talk.metrics(raw=raw, pixelwise=pixelwise, agreement_pca=agreements["PCA"], roll_error_pca=errors["PCA"],
             agreement_autoencoder=agreements["autoencoder"], turn_error_pca=turn_errors["PCA"],
             angle_straight=by_angle["straight"], ghosts=ghosts.mean())
for name, (longest, *k) in bounds.items():
    short, (least_k, most_k) = name.lower().replace("-", ""), k or (None, None)
    talk.metric(short, lengths[name][best[name]].sum(), at_most=longest)
    talk.metric(f"{short}_k", best[name], at_least=least_k, at_most=most_k)
talk.metric("too_rich", lengths["PCA"][numbers["PCA"][-1]].sum() - lengths["PCA"][best["PCA"]].sum(), at_least=5)
talk.metric("best_k_of_few", best_by_size[0], at_most=dimensions[1])
talk.metric("best_k_of_all", best_by_size[-1], at_least=dimensions[2])
talk.metric("agreement_straight", agreements["straight lines in space"], at_most=0.4)
talk.metric("agreement_geodesic", agreements["geodesic"], at_least=0.98)
talk.metric("roll_error_autoencoder", errors["autoencoder"], at_most=0.4 * errors["PCA"])
talk.metric("turn_error_autoencoder", turn_errors["autoencoder"], at_most=0.2 * turn_errors["PCA"])
talk.metric("angle_geodesic", by_angle["geodesic"], at_least=0.99)
talk.metric("walk", walks.mean(), at_most=0.25 * ghosts.mean())
talk.finish()
