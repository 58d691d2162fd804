# %% [markdown]
# # Slides 10-16: sparse autoencoders, and stacks of them
#
# An autoencoder that may use as many hidden units as it likes can copy its input and learn nothing. Slide 9 names two
# ways out: few units, or units that are *sparse*, most of them silent most of the time. This lecture takes the second
# way. On patches of photographs the units become detectors of edges, as in our own visual cortex (slide 10); then such
# layers are put on top of each other, trained one at a time, and turned into a classifier (slides 11-16).
#
# The recipe is that of Andrew Ng's exercise, from which the slides' pictures come.

# %%
import numpy as np

import minidl as md
from minidl import data, nn, optim, plotting
from minidl.autoencoders import SparseAutoencoder, StackedAutoencoder
from minidl.lectures import lecture
from minidl.lectures.pictures import sparse_autoencoder as pictures
from minidl.linear import PCA
from minidl.metrics import squared_error
from minidl.metrics.filters import gabor_fit, orientation_selectivity

talk = lecture(10, data=["digits", "mnist"])
patches = data.load("patches").flat().x_train[:talk.short(None, 1000)]
filters_of = lambda model, side=8: talk.on_host(model.maximising_inputs()).reshape(-1, side, side)
lbfgs = lambda parameters: optim.LBFGS(parameters, max_iter=10)

# %% [markdown]
# ## What "sparse" costs
#
# Let $\hat\rho_j$ be the mean activation of unit $j$ over all patches; it is wanted to be $\rho = 0.01$. Being away
# from that costs $\mathrm{KL}(\rho\,\|\,\hat\rho_j) = \rho\log\frac{\rho}{\hat\rho_j} +
# (1-\rho)\log\frac{1-\rho}{1-\hat\rho_j}$, and the whole cost of the autoencoder is
#
# $$J = \frac1m\sum\tfrac12|\hat x - x|^2 + \frac\lambda2\sum W^2 + \beta\sum_j\mathrm{KL}(\rho\,\|\,\hat\rho_j).$$

# %% name="cost" slides=[10]
means = np.linspace(0.002, 0.6, 300)
talk.save(plotting.curves({
    f"rho = {rho}": (means, [nn.kl_sparsity(md.Tensor([[float(mean)]]), rho).item() for mean in means])
    for rho in (0.01, 0.1, 0.3)}, x="a unit's mean activation", y="penalty, in nats",
    title="What it costs to be active too often, or too seldom"), "penalty")

# %% [markdown]
# ## Is the gradient right?
#
# The exercise's own check: every parameter is moved up and down a little, and the slope of $J$ is compared with what
# backpropagation says, as $|g - \tilde g| / |g + \tilde g|$ over all of them. In float64 it has to be below $10^{-9}$.

# %% name="cost" slides=[10]
checked = SparseAutoencoder(64, 25, rng=talk.seed)
checked.astype(np.float64)
few = md.Tensor(patches[:10].astype(np.float64))
slopes, gradients, step = [], [], 1e-4
for p, gradient in zip(checked.parameters(), md.grad(checked.loss(few), checked.parameters()), strict=True):
    for place in list(np.ndindex(p.shape))[:talk.short(None, 40)]:
        value, costs = p.data[place], {}
        for move in (step, -step):
            p.data[place] = value + move
            costs[move] = checked.loss(few).item()
        p.data[place] = value
        slopes.append((costs[step] - costs[-step]) / (2 * step))
        gradients.append(gradient.numpy()[place])
difference = np.linalg.norm(np.subtract(slopes, gradients)) / np.linalg.norm(np.add(slopes, gradients))
print(f"{len(slopes):,} slopes, relative difference {difference:.1e}")

# %% [markdown]
# ## Training: L-BFGS beside the first-order methods
#
# The exercise trains with L-BFGS, a quasi-Newton method: from its last ten steps it knows how the gradient changes, and
# a line search finds how far to go. Each step looks at all of the patches; SGD, momentum and Adam take 100 at a time.
# Everything starts from the same weights, and what is shown is the cost of all patches.

# %% name="training" slides=[10]
class Run:
    """A network, and how its training went: after each epoch the passes over the data, the cost, and the filters."""

    def __init__(self, about, model, optimizer, *, epochs, batch_size=100, rows=patches):
        self.model, self.rows_seen, self.passes, self.filters = model, 0, [], [filters_of(model)]
        self.everything = md.Tensor(talk.device.put(rows))
        loader = data.Loader(rows, batch_size=batch_size, shuffle=batch_size < len(rows), device=talk.device,
                             rng=np.random.default_rng(talk.seed))
        history = talk.train(model, loader, epochs=epochs, optimizer=optimizer(model.parameters()), schedule=None,
                             loss=self.loss, validate=self.look, about=about,
                             look=lambda model: pictures.filter_panels({"": filters_of(model)}))
        self.costs, self.seconds = history.validation, np.cumsum(history.seconds)

    def loss(self, model, x):
        self.rows_seen += len(x)
        return model.loss(x)

    def look(self, model):
        self.passes.append(self.rows_seen / len(self.everything))
        self.filters.append(filters_of(model))
        return model.loss(self.everything).item()


network = lambda **penalty: SparseAutoencoder(64, 25, rng=talk.seed, **penalty)
whole, epochs = dict(batch_size=len(patches), epochs=talk.epochs(40, fast=2)), talk.epochs(60)
runs = {
    "L-BFGS": Run("L-BFGS, 1 of 4", network(), lbfgs, **whole),
    "Adam": Run("Adam, 2 of 4", network(), lambda p: optim.Adam(p, lr=1e-2), epochs=epochs),
    "momentum": Run("momentum, 3 of 4", network(), lambda p: optim.SGD(p, lr=0.01, momentum=0.9), epochs=epochs),
    "SGD": Run("SGD, 4 of 4", network(), lambda p: optim.SGD(p, lr=0.1), epochs=epochs)}
talk.save(pictures.races({
    "passes over the patches": {name: (run.passes, run.costs) for name, run in runs.items()},
    "seconds": {name: (run.seconds, run.costs) for name, run in runs.items()}},
    y="cost J of all patches", top=0.6, title="Who leaves the plateau?"), "optimisers")
talk.table(["optimiser", "passes", "seconds", "cost J"],
           [[name, f"{run.passes[-1]:.0f}", f"{run.seconds[-1]:.1f}", run.costs[-1]] for name, run in runs.items()])

# %% [markdown]
# The plateau at 0.55 is half of the patches' variance: there the network answers every patch with the mean patch, all
# units are equally silent, and the gradient is small in every direction. SGD stays; momentum does not help. L-BFGS and
# Adam measure directions by their curvature or by the size of their gradients, and leave after about as many passes.
# But a pass of L-BFGS is a single large product, Adam's are a hundred small steps, and its steps keep rattling.
#
# ## Filters (slide 10)
#
# What does a hidden unit look for? Among all inputs of norm 1 the one that excites it most is $x_j = W_{ij} / |W_i|$:
# its weights, as a picture.

# %% name="filters" slides=[10] needs=["training"]
sparse = runs["L-BFGS"]
shown = talk.short([0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 40], [0, 2])
talk.save([pictures.filter_panels({f"{10 * i} steps of L-BFGS": sparse.filters[i]}) for i in shown], "filters-growing")

# %% [markdown]
# ## Sparse how?
#
# Beside the KL penalty there are simpler ones. L1 charges every activation; a k-sparse layer lets the three most
# active units pass and no other. And without any penalty the 25 units are free.

# %% name="filters" slides=[10]
penalties = {
    "no penalty": Run("no penalty, 1 of 3", network(beta=0.0), lbfgs, **(whole | dict(epochs=talk.epochs(15)))),
    "KL": sparse,
    "L1": Run("L1, 2 of 3", network(penalty="l1", beta=0.007), lbfgs, **(whole | dict(epochs=talk.epochs(30)))),
    "k-sparse, k = 3": Run("k-sparse, 3 of 3", network(penalty="k-sparse", k=3, output="linear"), rows=patches - 0.5,
                           optimizer=lambda parameters: optim.Adam(parameters, lr=3e-3), epochs=talk.epochs(30))}
activations = {name: talk.on_host(run.model.encode(run.everything.data)) for name, run in penalties.items()}
talk.save(pictures.histograms({name: activations[name] for name in ("no penalty", "KL")}, x="activation",
                              title="How active are the hidden units?"), "activations")
talk.save(pictures.filter_panels({name: run.filters[-1] for name, run in penalties.items()},
                                 title="What 25 units look for"), "filters")

# %% [markdown]
# KL asks *each* unit for its share, so all of them find work. L1 only counts the sum: the cheapest way to pay less is
# to silence some units for good, and no price makes all of them sparse. k-sparse has no price at all, only a k; but a
# unit that never wins never learns.
#
# ## Are they edges?
#
# Two measures, so that nobody needs to squint. *Orientation selectivity*: how much a filter's answer to gratings
# depends on their orientation (1: it answers a single one). *Gabor fit*: the share of a filter that one edge, a piece
# of a wave under a Gaussian, explains. PCA's components, the best linear code, are the fair comparison: they are
# waves, but they fill the whole patch.

# %% name="edges" slides=[10] needs=["filters"]
measured = {"before training": sparse.filters[0], "PCA": PCA(25).fit(patches).components_.reshape(-1, 8, 8),
            **{name: run.filters[-1] for name, run in penalties.items()}}
selectivity, fit = (dict(zip(measured, measure(np.concatenate(list(measured.values()))).reshape(-1, 25), strict=True))
                    for measure in (orientation_selectivity, gabor_fit))
talk.save(plotting.trials({label: [plotting.Trial(name, list(values), True if name == "KL" else None)
                                   for name, values in scores.items()]
                           for label, scores in (("orientation selectivity", selectivity), ("Gabor fit", fit))},
                          x="0: none, 1: perfect", middle="median",
                          title="Edges, measured: small dots are filters, large ones medians"), "edges")
edge, wave = (float(np.median(fit[name])) for name in ("KL", "PCA"))
talk.say(f"A single edge explains {100 * edge:.0f} % of a typical filter of the sparse autoencoder, and "
         f"{100 * wave:.0f} % of one of PCA's: "
         + ("sparse units become detectors of edges." if edge > wave + 0.05 else "its units detect no edges yet."))
talk.table(["filters (medians)", "orientation selectivity", "Gabor fit", "mean activation"],
           [[name, float(np.median(selectivity[name])), float(np.median(fit[name])),
             f"{np.abs(activations[name]).mean():.3f}" if name in activations else ""] for name in measured])

# %% [markdown]
# ## Slides 11-16: one layer at a time
#
# 1. Train a sparse autoencoder on the images $x$. Keep its hidden activation $a$ and put the decoder aside.
# 2. Train a second one *on $a$*: "Note we are reconstructing a at this point, not x". Its activation is $b$.
# 3. Let a softmax classifier learn from $b$. It is the first part that sees a label.
# 4. Fine-tune: backpropagate through the whole, as through any network.

# %% name="stack" slides=[11, 12, 13, 14, 15, 16]
stages = pictures.stages()
talk.save(stages, "stages")
for i, stage in enumerate(stages):
    talk.save(stage, f"stage-{i + 1}", slides=([11], [12], [13], [14, 15])[i])
images = talk.load()
first = slice(talk.short(None, 600))
x_train, y_train = images.x_train[first], np.asarray(images.y_train)[first]
sizes, layer_rounds, tuning_rounds, labels, draws = {
    "digits": ([64, 100, 64], 30, 15, [50, 100, 200], 3),
    "mnist": ([784, 196, 196], 12, 15, [300, 1000, 3000], 1)}[talk.data]
if talk.fast:
    layer_rounds, tuning_rounds, labels, draws = 1, 1, [50], 1


def trained(model, x, y=None, *, rounds, lr=2e-3, name="", about="a classifier", loss=None):
    """A round is ten steps of L-BFGS on a small set, or Adam's pass over a large one in batches of 100."""
    if len(x) > 3000:
        talk.train(model, x, y, epochs=rounds, batch_size=100, optimizer=optim.Adam(model.parameters(), lr=lr),
                   loss=loss, name=name, about=name or about)
    else:
        talk.train(model, data.Loader(x, y, batch_size=len(x), shuffle=False, device=talk.device), epochs=rounds,
                   optimizer=lbfgs(model.parameters()), schedule=None, loss=loss, name=name,
                   about=name or about)
    return model


stack = StackedAutoencoder(sizes, rng=talk.rng, rho=0.1, beta=0.3)
stack.to(talk.device)
stack.pretrain(x_train, lambda layer, target: trained(
    layer, target, rounds=layer_rounds, lr=1e-3, name=f"layer {stack.layers.index(layer) + 1}"))
pretrained = stack.state_dict()

# %% [markdown]
# Decoded back through both decoders, the code $b$ still shows its digit: nothing that matters has been lost on the way
# up.

# %% name="codes" slides=[12] needs=["stack"]
on_test, y_test = talk.device.put(images.x_test), np.asarray(images.y_test)
some = on_test[images.one_of_each().tolist()]
talk.rows("reconstructions", "What the layers know of an image", {
    "x": some, "from a": stack.layers[0].reconstruct(some), "from b": stack.reconstruct(some)})
from_a, from_b = (squared_error(way.reconstruct(on_test), on_test) for way in (stack.layers[0], stack))
talk.say(f"The second layer learned to reconstruct a, not x. Decoded all the way, its {sizes[2]} numbers give the "
         f"image back with a squared error of {from_b:.2f}, the {sizes[1]} of the first layer with {from_a:.2f}.")
if talk.data != "digits":                # in 8x8 pixels there are no strokes to be seen
    talk.save(pictures.filter_panels({"": filters_of(stack.layers[0], int(np.sqrt(sizes[0])))[:60]}, columns=12,
                                     title="What the units of the first layer look for"), "strokes")

# %% [markdown]
# ## Errors after each stage
#
# A softmax on the pixels is where we come from. The same network, started from random weights and trained on the same
# labels in the same way, says what the pretraining was worth.

# %% name="stages" slides=[13, 14, 15] needs=["codes"]
def cross_entropy(network, x, y):
    return nn.cross_entropy(network(x), y) + 5e-6 * sum(md.sum(p * p) for p in network.parameters() if p.ndim == 2)


def softmax_on(depth, x=x_train, y=y_train, rounds=tuning_rounds):
    """A softmax classifier of the activations of layer `depth`; 0 are the pixels."""
    features = talk.on_host(stack.features(talk.device.put(x), depth))
    return trained(nn.Linear(sizes[depth], 10, rng=talk.rng), features, y, rounds=rounds, lr=0.05, loss=cross_entropy)


def errors(network, depth=0):
    """Wrong test images, in percent, of a network on the activations of layer `depth`."""
    return 100 * ((len(y_test) - talk.right(network, stack.features(on_test, depth), y_test)) / len(y_test))


on_pixels, on_a, on_b = (softmax_on(depth) for depth in range(3))
results = {"softmax on the pixels": errors(on_pixels), "softmax on a": errors(on_a, 1), "softmax on b": errors(on_b, 2)}


def tuned(network, x=x_train, y=y_train, rounds=tuning_rounds, name=""):
    """The test errors of a network after training all of it."""
    return errors(trained(network, x, y, rounds=rounds, loss=cross_entropy, name=name))


fresh = lambda: StackedAutoencoder(sizes, rng=talk.rng).network(nn.Linear(sizes[-1], 10, rng=talk.rng))
results["fine-tuned"] = tuned(stack.network(on_b), name="tuned")
results["not pretrained"] = tuned(fresh(), name="random")
results["not pretrained,\nas many rounds as all stages"] = tuned(fresh(), rounds=tuning_rounds + 2 * layer_rounds,
                                                                 name="random-longer")
talk.save(pictures.bars(results, x="wrong test images", unit=" %", title="After each stage", emphasis=["fine-tuned"]),
          "accuracy")
talk.table(["stage", "wrong test images, %"], [[name.replace("\n", " "), error] for name, error in results.items()])

# %% [markdown]
# ## Where pretraining pays: few labels
#
# With all labels at hand pretraining gains little or nothing; with other units and better initial weights it has gone
# out of use. But it needs no labels. Suppose that only a few of the images had one:

# %% name="few-labels" slides=[16] needs=["stages"]
ways: dict[str, list[float]] = {"softmax on the pixels": [], "softmax on b": [], "fine-tuned": [], "not pretrained": []}
for n in labels:
    scores = []
    for _ in range(draws):
        chosen = talk.rng.choice(len(x_train), n, replace=False)
        x, y = x_train[chosen], y_train[chosen]
        stack.load_state_dict(pretrained)
        pixels, classifier = softmax_on(0, x, y), softmax_on(2, x, y)
        scores.append([errors(pixels), errors(classifier, 2), tuned(stack.network(classifier), x, y),
                       tuned(fresh(), x, y)])
    for way, values in zip(ways.values(), np.mean(scores, 0), strict=True):
        way.append(float(values))
talk.save(plotting.curve_panels({"": {way: (labels, values) for way, values in ways.items()}}, x="labelled images",
                                y="wrong test images, %", log_x=True, title="Few labels, all images"), "few-labels")
scratch, on_few = ways["not pretrained"][0], ways["softmax on b"][0]
talk.say(f"With {labels[0]} labels a softmax on the pretrained b is wrong on {on_few:.1f} % of the test images, a "
         f"network from scratch on {scratch:.1f} %: pretraining {'pays' if on_few < scratch else 'does not pay'}. With "
         f"all {len(y_train):,} labels it is {results['fine-tuned']:.1f} % with pretraining and "
         f"{results['not pretrained']:.1f} % without.")
talk.table(["wrong test images, %", *(f"{n} labels" for n in labels)], [[way, *values] for way, values in ways.items()])

# %% [markdown]
# The features that were learned without labels are the better ones, and the more so the fewer labels there are. Fine
# tuning on a handful of images loses much of it again: the network is free to fit just these.
#
# ## What must come out
#
# The mean activation of every unit is within a fifth of $\rho$, and the filters are edges by both measures, more than
# PCA's. On MNIST the softmax on $b$ gets 95.5 % right and the fine-tuned network 98.2 %. With the fewest labels, a
# softmax on $b$ is at least one percent (MNIST) or two percent (small digits) better than a network from scratch.

# %% name="bounds"
means = activations["KL"].mean(0)
talk.metric("gradient_difference", float(difference), at_most=1e-9, always=True)
talk.metric("cost", sparse.costs[-1], at_most=0.50)
talk.metric("least_mean_activation", means.min(), at_least=0.008)
talk.metric("greatest_mean_activation", means.max(), at_most=0.012)
for name, measure in (("selectivity", selectivity), ("gabor_fit", fit)):
    middle = {key: float(np.median(values)) for key, values in measure.items()}
    talk.metrics(**{f"{name}_before": middle["before training"], f"{name}_pca": middle["PCA"]})
    talk.metric(f"{name}_kl", middle["KL"], at_least=middle["PCA"] + 0.05)
at_least = {"digits": (97, 97, 2), "mnist": (95.5, 98.2, 1)}[talk.data]
talk.metric("softmax_on_b", 100 - results["softmax on b"], at_least=at_least[0])
talk.metric("fine_tuned", 100 - results["fine-tuned"], at_least=at_least[1])
talk.metrics(not_pretrained=100 - results["not pretrained"], lbfgs_seconds=sparse.seconds[-1])
talk.metric("few_labels_gain", ways["not pretrained"][0] - ways["softmax on b"][0], at_least=at_least[2])
talk.finish()
