# %% [markdown]
# # Slides 96-97: restricted Boltzmann machines, and what the restriction gains
#
# A Boltzmann machine of images is slow: to draw one unit takes all the others, and the next one waits for it. Leave out
# the weights within the visible and within the hidden units, and a whole layer is drawn at once (slide 96). This
# lecture checks the formulas of such a machine by counting, lets it learn digits, and shows what that is good for:
# features, labels, completion and new images (slide 97).

# %%
from typing import NamedTuple

import numpy as np

import minidl as md
from minidl import data, energy, nn, optim, plotting
from minidl.energy.enumeration import states
from minidl.lectures import lecture
from minidl.lectures.pictures import restricted_boltzmann_machines as pictures
from minidl.metrics import EuclideanIndex
from minidl.tuning import one_core

talk = lecture(96, data=["digits", "mnist"])
rng = np.random.Generator(np.random.SFC64(talk.seed))
images = talk.load()
black_and_white = lambda x: (x > 127 / 255).astype(np.float32)
seen = slice(talk.short(None, 500))
x_train, y_train = black_and_white(images.x_train[seen]), np.asarray(images.y_train)[seen]
x_test, y_test = black_and_white(images.x_test), np.asarray(images.y_test)
pixels = x_train.shape[1]

# %% [markdown]
# ## Slide 96: the restriction
#
# Divide the units into visible $v$ and hidden $h$, and leave out the weights within each layer:
# $E(v, h) = -v^T W h - b^T v - c^T h$. Given $v$ the hidden units do not know of each other, so
# $p(h_j = 1 \mid v) = \sigma(c_j + \sum_i v_i w_{ij})$ holds for all of them at once: *one* step, and the hidden
# units are in equilibrium. The sum over all $h$ has a closed form too, the **free energy**
#
# $$F(v) = -b^T v - \sum_j \log(1 + e^{c_j + (v^T W)_j}), \qquad P(v) = e^{-F(v)} / Z.$$
#
# A small machine, counted out: the table of all $2^{5+4}$ probabilities against these formulas.

# %% name="restriction" slides=[96]
little = energy.RBM(5, 4, rng=rng, sd=1.0).astype(np.float64)
little.b.data[...], little.c.data[...] = rng.normal(size=5), rng.normal(size=4)
all_v, all_h = states(5, little.b.data), states(4, little.b.data)
joint = np.exp(-little.energy(np.repeat(all_v, 16, 0), np.tile(all_h, (32, 1)))).reshape(32, 16)      # not yet / Z
h_given_v = joint @ all_h / joint.sum(1, keepdims=True)
v_given_h = joint.T @ all_v / joint.sum(0)[:, None]
conditional_error = max(float(abs(h_given_v - little.propup(all_v)).max()),
                        float(abs(v_given_h - little.propdown(all_h)).max()))
free_energy_error = float(abs(np.log(joint.sum(1)) + little.free_energy(all_v)).max())
talk.table(["slide 96, against the table of 512 states", "largest difference"], [
    ["p(h | v) and p(v | h)", f"{conditional_error:.0e}"], ["free energy", f"{free_energy_error:.0e}"]])

# %% [markdown]
# ## A machine of digits
#
# Now the same with pixels as visible units. How it is trained is slide 99; here it is one call. While it trains, the
# window shows its filters and its chains.

# %% name="machine" slides=[96, 97]
class Plan(NamedTuple):
    hidden: tuple[int, int]     # units, as rows and columns of a picture
    epochs: int
    batch_size: int
    lr: float
    weight_cost: float


plan = {"digits": Plan((10, 10), epochs=600, batch_size=50, lr=0.3, weight_cost=1e-3),
        "mnist": Plan((20, 25), epochs=20, batch_size=100, lr=0.05, weight_cost=0.0)}[talk.data]
filters = lambda rbm, n=50: talk.images(talk.on_host(rbm.W.data)[:pixels].T[:n])


def learned(visible, x, name):
    """A restricted machine of these visible units, trained on rows x."""
    rbm = energy.RBM(visible, int(np.prod(plan.hidden)), rng=rng).to(talk.device).set_biases(talk.device.put(x))
    trainer = energy.ContrastiveDivergence(rbm, chains=100, centred=True, rng=rng)
    loader = data.Loader(x, batch_size=plan.batch_size, rng=rng, device=talk.device)
    optimizer = optim.SGD(rbm.named_parameters(), lr=plan.lr,
                          weight_decay=lambda name, p: plan.weight_cost if name == "W" else 0.0)
    epochs = talk.epochs(plan.epochs, fast=2)
    look = lambda rbm: {"chains": talk.images(trainer.fantasy[:20, :pixels]),
                        "filters": plotting.image_grid(filters(rbm), symmetric=True)}
    with one_core():
        energy.train(rbm, loader, optimizer, trainer, epochs=epochs,
                     schedule=optim.LinearLR(optimizer, 1.0, 0.0, total_iters=epochs * len(loader)),
                     **talk.shown(rbm, name, name=name, look=look))
    return rbm


rbm = learned(pixels, x_train, "pixels")

# %% [markdown]
# **Block Gibbs sampling**: all hidden units at once given the visible, then all visible ones given the hidden. Clamped
# to an image, one step up is equilibrium. Let go, the chain wanders: the strip shows its first steps from a test image,
# the film many chains that begin as noise.

# %% name="chains" slides=[96] needs=["machine"]
stream = md.RandomStream(rng)
v = talk.device.put(x_test[images.one_of_each()[3]][None])
strip = [("v: a test image", talk.images(v)[0])]
for _ in range(3):
    h = rbm.hidden.draw(rbm.propup(v), stream)
    v = rbm.visible.draw(rbm.propdown(h), stream)
    strip += [("h, drawn given v", talk.on_host(h).reshape(plan.hidden)), ("v, drawn given h", talk.images(v)[0])]
talk.save(pictures.strip(strip, title="Up, down, up, down: block Gibbs sampling"), "block-gibbs")
chains, frames, done = energy.GibbsChains(rbm, 60, rng=rng), [], 0
for step in talk.short([0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048], [0, 1, 4]):
    if step:
        chains.advance(rbm, step - done)
    done = step
    frames.append(plotting.image_grid(talk.images(rbm.propdown(chains.h.data)), columns=12,
                                      title=f"60 chains after {step} steps, from noise"))
talk.save(frames, "chains")

# %% [markdown]
# The free energy is all that a machine says of an image: the lower, the likelier. It says so without $Z$, as long as
# images are compared with each other.

# %% name="free-energy" slides=[96] needs=["machine"]
F = lambda x: talk.on_host(rbm.free_energy(talk.device.put(np.ascontiguousarray(x))))
upside_down = talk.images(x_test)[:, ::-1].reshape(x_test.shape)
shuffled = x_test[:, rng.permutation(pixels)]
independent = (rng.random(x_test.shape) < x_train.mean(0)).astype(np.float32)
kinds = {"training digits": F(x_train), "test digits": F(x_test), "upside down": F(upside_down),
         "each pixel\ndrawn alone": F(independent), "pixels shuffled": F(shuffled)}
talk.save(pictures.free_energies(kinds), "free-energy")
told_apart = float((kinds["upside down"] > kinds["test digits"]).mean())
talk.say(f"Turned upside down, {100 * told_apart:.0f} % of the test digits get a higher free energy. Pixels drawn each "
         f"alone lie {np.mean(kinds[list(kinds)[3]]) - np.mean(kinds['test digits']):.0f} nats above the test digits "
         f"in the mean, these {np.mean(kinds['test digits']) - np.mean(kinds['training digits']):.1f} above the "
         "training digits.")

# %% [markdown]
# ## Slide 97, what you gain: features
#
# The hidden units are detectors that nobody has labelled. Their weights, as pictures, are strokes and gaps. A linear
# classifier learns from the pixels, and another from the hidden units' probabilities, both in the same way.

# %% name="features" slides=[97] needs=["machine"]
talk.save(plotting.image_grid(filters(rbm), symmetric=True, title="What 50 of the hidden units look for"), "filters")


def wrong(x, x_new, about):
    """Wrong test images, in percent, of a softmax classifier that learned from x."""
    classifier = nn.Linear(x.shape[1], 10, rng=talk.seed)
    talk.train(classifier, x, y_train, epochs=talk.epochs(40 if pixels == 64 else 10), batch_size=50, lr=1e-2,
               loss=lambda model, x, y: nn.cross_entropy(model(x), y) + 1e-4 * md.sum(model.weight * model.weight),
               about=about)
    return 100 - 100 * talk.right(classifier, x_new, y_test) / len(y_test)


code = lambda x: talk.on_host(rbm.encode(talk.device.put(x)))
errors = {"softmax of the pixels": wrong(x_train, x_test, "softmax of the pixels"),
          "softmax of the\nhidden units": wrong(code(x_train), code(x_test), "softmax of the hidden units")}

# %% [markdown]
# ## Classification without a classifier
#
# Put ten label units beside the pixels, a softmax group, and let the machine learn images and labels together. To
# classify an image, ask for the free energy of the image with each of the ten labels: the lowest is the answer. By
# Bayes' rule that is exact.

# %% name="labels" slides=[97] needs=["features"]
with_labels = np.concatenate([x_train, np.eye(10, dtype=np.float32)[y_train]], 1)
labelled = learned([pixels, energy.Softmax(10)], with_labels, "pixels and labels")
errors["free energy with\nlabel units"] = float(100 * (talk.on_host(labelled.predict(talk.device.put(x_test)))
                                                       != y_test).mean())
talk.save(pictures.bars(errors, x="wrong test images, %"), "errors")
on_pixels, on_hidden, by_free_energy = errors.values()
talk.say(f"From the pixels a softmax is wrong on {on_pixels:.1f} % of the test images, from the hidden units on "
         f"{on_hidden:.1f} %. The machine that models images and labels is wrong on {by_free_energy:.1f} %.")

# %% [markdown]
# The same machine also runs the other way: hold the label, and let the pixels go.

# %% name="labels" slides=[97]
RUNS = 5
v = labelled.start(10 * RUNS, stream)
wanted = talk.device.put(np.tile(np.eye(10, dtype=np.float32), (RUNS, 1)))
for _ in range(talk.short(300, 5)):
    v[:, pixels:] = wanted
    p = labelled.propdown(labelled.hidden.draw(labelled.propup(v), stream))
    v = labelled.visible.draw(p, stream)
talk.save(plotting.image_grid(talk.images(p[:, :pixels]), columns=10, captions=[*[""] * (10 * RUNS - 10), *map(
    str, range(10))], title="Chains with the label held"), "by-label")

# %% [markdown]
# ## Completion
#
# A model of all pixels can fill in those that are missing: hold the upper half, and sample the rest. For each test
# image ten chains run for 100 steps, and their mean says how likely each missing pixel is to be on. What it is compared
# with: *independent* pixels, each as likely as in the training set; the lower half of the *nearest* training image, by
# the upper halves; the mean of the ten nearest. A completion costs $-\log p$ of the true pixels; a copied 0 or 1 would
# cost infinitely much when it is wrong, so neighbours are mixed with two images' worth of the independent guess.

# %% name="completion" slides=[97] needs=["machine"]
known = np.arange(pixels) < pixels // 2
given = x_test[:talk.short(500, 20)]
alone = (len(x_train) * x_train.mean(0) + 1) / (len(x_train) + 2)
nearest = talk.on_host(EuclideanIndex(talk.device.put(x_train[:, known])).search(talk.device.put(given[:, known]),
                                                                                   10)[1])
neighbours = lambda k: (x_train[nearest[:, :k]].sum(1) + 2 * alone) / (k + 2)
with talk.doing("ten chains for each image"), one_core():
    mean = np.mean([talk.on_host(energy.complete(rbm, talk.device.put(given), known, steps=talk.short(100, 4), rng=rng))
                    for _ in range(talk.short(10, 2))], 0)
answers = {"independent": np.tile(alone, (len(given), 1)), "nearest": neighbours(1), "ten nearest": neighbours(10),
           "the machine": mean}


def cost(p):
    """-log p of the true lower halves, in nats an image, and the squared error."""
    p, truth = np.clip(p, 1e-3, 1 - 1e-3)[:, ~known], given[:, ~known]
    return (float(-np.log(np.where(truth == 1, p, 1 - p)).sum(1).mean()), float(((p - truth)**2).sum(1).mean()))


costs = {name: cost(p) for name, p in answers.items()}
talk.table(["lower half, given the upper", "nats an image", "squared error"],
           [[name, *values] for name, values in costs.items()])
shown = [int(np.flatnonzero(y_test[:len(given)] == c)[0]) for c in range(10) if c in y_test[:len(given)]]
talk.rows("completion", "The lower half, from the upper", {
    "image": (given[shown], "nats"), "given": (np.where(known, given[shown], 0.3), ""),
    **{name: (np.where(known, given[shown], p[shown]), f"{costs[name][0]:.1f}") for name, p in answers.items()}})
nats = {name: value for name, (value, _) in costs.items()}
best = min(list(nats)[:3], key=lambda name: nats[name])
talk.say(f"The machine's lower halves cost {nats['the machine']:.1f} nats an image, the nearest neighbour's "
         f"{nats['nearest']:.1f}, independent pixels' {nats['independent']:.1f}. The best of the others is "
         f"{best if best == 'independent' else 'the ' + best} with {nats[best]:.1f}.")

# %% [markdown]
# ## Sampling
#
# And it can be left alone: chains from noise, after many steps. Below each sample stands the training image that is
# nearest to it, so that one sees what has been learned by heart.

# %% name="samples" slides=[97] needs=["chains"]
chains.advance(rbm, talk.short(1000, 2))
samples = chains.v.data[:10]
distance, which = (talk.on_host(a) for a in EuclideanIndex(talk.device.put(x_train)).search(samples, 1))
talk.rows("samples", "Samples, and the training images nearest to them", {
    "samples": rbm.propdown(chains.h.data[:10]), "drawn\npixels": samples, "nearest": x_train[which[:, 0]]})
talk.say(f"A sample and the training image nearest to it differ in {float((distance**2).mean()):.1f} of {pixels} "
         "pixels in the mean.")

# %% [markdown]
# ## What must come out
#
# The identities hold to 1e-8. Hidden units classify better than pixels, and so do label units. Lower halves cost less
# than with independent pixels or the nearest neighbour.

# %% name="bounds"
bounds: dict[str, float] = {"digits": {"features": 0.0, "labels": 7.0}, "mnist": {"features": 1.0}}[talk.data]
talk.metric("conditional_difference", conditional_error, at_most=1e-8, always=True)
talk.metric("free_energy_difference", free_energy_error, at_most=1e-8, always=True)
talk.metric("upside_down_told_apart", told_apart, at_least=0.8)
talk.metrics(error_pixels=on_pixels, error_hidden=on_hidden)
talk.metric("features_gain", on_pixels - on_hidden, at_least=bounds["features"])
talk.metric("error_label_units", by_free_energy, at_most=bounds.get("labels"))
talk.metrics(completion_nats=nats["the machine"], completion_ten_nearest=nats["ten nearest"])
talk.metric("completion_below_independent", nats["independent"] - nats["the machine"], at_least=2)
talk.metric("completion_below_nearest", nats["nearest"] - nats["the machine"], at_least=1)
talk.finish()
