# %% [markdown]
# # Slide 98: generating shapes
#
# A model of an object's shape is a distribution over silhouettes. It should be able to do two things: its samples look
# like the object, and they are not among the shapes that it has seen. Then it can also say how a shape goes on where
# something stands in front of it.
#
# Shapes are scarce: slide 98's horses are 328, each outlined by hand. This lecture builds the ShapeBM of Eslami, Heess
# and Winn (2012), two layers of hidden units whose first one looks at overlapping patches with the same weights, and
# compares it with a restricted Boltzmann machine and with pixels that know nothing of each other. Without `--data
# horses` the shapes are silhouettes of digits, as few as there are horses.

# %%
import numpy as np

import minidl as md
from minidl import data, energy, optim, plotting
from minidl.lectures import lecture
from minidl.lectures.pictures import shape_bm as pictures

talk = lecture(98, data=["digits", "horses"])
horses = talk.data == "horses"
side, patch = (32, 18) if horses else (16, 10)


def silhouettes(x):
    """Images (N, H, W, 1) as rows of side x side zeros and ones; the small digits are enlarged, with a border."""
    if not horses:
        x = np.pad(md.interpolate(md.Tensor(x), side - 2).numpy(), [(0, 0), (1, 1), (1, 1), (0, 0)])
    return (x > 0.5).astype(np.float32).reshape(len(x), side * side)


images_of = lambda rows: talk.on_host(rows).reshape(-1, side, side)
loaded = talk.load(flat=False)
everything = silhouettes(loaded.x_train[:talk.short(300, 120)])
held = np.arange(len(everything)) % 10 == 5
train, validation = everything[~held], everything[held]
test = silhouettes(loaded.x_test[:talk.short(60, 6)])
talk.save(plotting.image_grid(images_of(everything[:talk.short(60, 20)]), columns=15,
                              title=f"The first of {len(everything)} shapes to learn from"), "shapes")

# %% [markdown]
# ## Two layers, of which the first sees patches
#
# $$E(v, h^1, h^2) = -v W_1 h^1 - h^1 W_2 h^2 - b v - c_1 h^1 - c_2 h^2$$
#
# This is a *deep Boltzmann machine*: pixels $v$, a first layer $h^1$ that sees them, and a second layer $h^2$ that sees
# the first. In the ShapeBM $W_1$ is not a full matrix. Four square patches cover the image and overlap where they meet;
# every patch has hidden units of its own, but their weights are the same in all four. It is a convolution with a very
# large kernel and a very large stride. So a weight is learned from four places at once: 300 images are as good as 1200
# patches. What the patches' borders have in common, and the second layer, which sees all of them, keep the four in
# agreement.
#
# The table counts what has to be learned.

# %%
units, tops, plain = (300, 100, 200) if horses else (100, 50, 100)


def shape_machine(hidden1=units, hidden2=tops):
    """A ShapeBM whose pixels begin with the biases of the shapes, and whose hidden units begin mostly silent."""
    machine = energy.ShapeBM(side, hidden1, hidden2, patch=patch, rng=talk.rng).to(talk.device)
    machine.c1.data[...] = -1.4
    return machine


def plain_machine(hidden=plain):
    return energy.RBM(side * side, hidden, rng=talk.rng).to(talk.device)


dense = energy.DeepBoltzmannMachine(side * side, 4 * units, tops, rng=talk.rng)
numbers = lambda machine: sum(p.size for p in machine.parameters())
talk.save(pictures.cover(images_of(everything[3:4])[0], patch), "patches")
talk.table(["machine", "hidden units", "weights W1", "all parameters"], [
    ["RBM", plain, f"{side * side * plain:,}", f"{numbers(plain_machine()):,}"],
    ["two layers, every unit sees all", 4 * units + tops, f"{dense.W1.size:,}", f"{numbers(dense):,}"],
    ["ShapeBM", 4 * units + tops, f"{shape_machine().W1.size:,}", f"{numbers(shape_machine()):,}"]])
shared = dense.W1.size / shape_machine().W1.size
talk.say(f"Four patches of {patch} x {patch} pixels cover {side} x {side}. With the same hidden units the shared "
         f"weights are {shared:.0f} times fewer than those of a machine without patches.")

# %% [markdown]
# ## Learning
#
# The gradient has the two phases of every Boltzmann machine. Where the data are, $h^1$ and $h^2$ depend on each other;
# their means are found by *mean field*, five rounds of $\mu^2 = \sigma(\mu^1 W_2 + c_2)$ and $\mu^1 = \sigma(v W_1 +
# \mu^2 W_2^\top + c_1)$. Where the model is, 60 *persistent chains* sample: given $h^1$ all units of $v$ and $h^2$ are
# independent, and given these all of $h^1$, so that a step is two draws, as in an RBM. The gradients are centred:
# what the units' means explain is left to the biases.
#
# How large a machine, and how fast? That is tried out on shapes which are neither learned from nor scored at the end:
# each candidate learns from nine tenths of the training shapes, and fills in the missing parts of the last tenth. What
# is asked is the whole of slide 98's question: an image is divided into three by three segments, one of them is hidden,
# and the score is $\log p$ of its pixels as they are, given the others. Probabilities are averages over chains that
# hold the known pixels, and no pixel is given less than 1/500.

# %%
edges = np.round(np.linspace(0, side, 4)).astype(int)
third = (np.arange(side) >= edges[:3, None]) & (np.arange(side) < edges[1:, None])          # (3, side)
segments = (third[:, None, :, None] & third[None, :, None, :]).reshape(9, side * side)
steps = talk.short(160, 10)


def filled(machine, x, hidden, chains=5):
    """The probabilities of ink in the rows x, on the host, with the pixels `hidden` filled in by several chains."""
    rows, known = talk.device.put(np.repeat(x, chains, 0)), talk.device.put(~hidden)
    fill = machine.complete if isinstance(machine, energy.DeepBoltzmannMachine) else (
        lambda *given, **more: energy.complete(machine, *given, **more))
    return talk.on_host(fill(rows, known, steps=steps, rng=talk.rng)).reshape(len(x), chains, -1).mean(1)


def log_score(p, x, hidden):
    """log p of the hidden pixels of each row of x, in nats: (N,)."""
    p = p[:, hidden].clip(0.002, 0.998)
    return np.log(np.where(x[:, hidden] > 0.5, p, 1 - p)).sum(1)


def scores(machine, x, about):
    """For each image the mean log-score of its nine segments: (N,)."""
    each = talk.each(segments, about)
    return np.mean([log_score(filled(machine, x, hidden), x, hidden) for hidden in each], 0)


def learned(machine, x, *, lr, about):
    """The machine, after persistent contrastive divergence with a learning rate that falls to 0."""
    machine.set_biases(talk.device.put(x))
    deep = isinstance(machine, energy.DeepBoltzmannMachine)
    chains = energy.GibbsChains(machine.as_rbm() if deep else machine, 60, rng=talk.rng)
    trainer = energy.MeanFieldPCD(machine, chains=chains) if deep else energy.ContrastiveDivergence(
        machine, chains=chains, centred=True)
    sgd = optim.SGD(machine.named_parameters(), lr=lr, momentum=0.5,
                    weight_decay=lambda name, p: 1e-4 if name.startswith("W") else 0.0)
    loader = data.Loader(x, batch_size=30, rng=talk.rng, device=talk.device)
    epochs = talk.epochs(600 if horses else 200, fast=3)
    dreams = lambda _: {"chains": images_of(chains.v.data[:12, :side * side])}
    energy.train(machine, loader, sgd, trainer, epochs=epochs,
                 schedule=optim.LinearLR(sgd, 1.0, 0.0, total_iters=epochs * len(loader)),
                 **talk.shown(machine, about, look=dreams))
    return machine


fast, slow = (0.01, 0.005) if horses else (0.03, 0.01)
ways = {"RBM": (plain_machine, [(plain // 2, fast), (plain, fast), (plain, slow)]),
        "ShapeBM": (shape_machine, [(units, fast), (units, slow)])}
tried, chosen = [], {}
for name, (make, candidates) in ways.items():
    found = []
    for hidden, lr in candidates[:talk.short(None, 1)]:
        about = f"{name}, {hidden} units, rate {lr:g}"
        found.append(scores(learned(make(hidden), train, lr=lr, about=about), validation, about).mean().item())
        tried.append([name, hidden, f"{lr:g}", found[-1]])
    chosen[name] = candidates[int(np.argmax(found))]
talk.table(["machine", "units", "learning rate", "log-score of validation shapes"], tried)

# %% [markdown]
# The settings that won learn once more, from all training shapes. Everything below is about these two machines and
# about test shapes, which nobody has looked at so far.

# %%
machines = {}
for name, (make, _) in ways.items():
    hidden, lr = chosen[name]
    machines[name] = learned(make(hidden), everything, lr=lr, about=f"{name}, all {len(everything)} shapes")
shape_bm, rbm = machines["ShapeBM"], machines["RBM"]

# %% [markdown]
# ## A chain, from noise
#
# The film's chains start with pixels that are drawn independently. What is shown is the probability of ink given the
# first hidden layer. The number of steps doubles from picture to picture.

# %%
whole = shape_bm.as_rbm()                      # (v, h2) and h1: as such it is a restricted machine, and has its chains
chains = energy.GibbsChains(whole, 20, rng=talk.rng)
film, moments = [], [0, *(2**i for i in range(talk.short(11, 3)))]
for before, after in zip([0, *moments], moments, strict=False):
    if after > before:
        chains.advance(whole, after - before)
    pixels = shape_bm.decode(chains.h.data) if after else chains.v.data[:, :side * side]
    film.append(plotting.image_grid(images_of(pixels), columns=10, title=f"20 chains after {after} steps"))
talk.save(film, "chains")

# %% [markdown]
# ## What the hidden units look for
#
# Each unit of the first layer sees a patch. Red pixels speak for the unit, blue ones against it; the forty units with
# the largest weights are shown: a piece of an outline, with ink on one side of it and none on the other, or a stroke.
# An RBM's units see the whole image, and have to learn such a piece again for every place.

# %%
def strongest(weights, size):
    weights = talk.on_host(weights).T.reshape(-1, size, size)
    return weights[np.argsort(-np.abs(weights).sum((1, 2)))[:40]]


talk.save(plotting.image_grid(strongest(shape_bm.W1.data, patch), symmetric=True,
                              title="ShapeBM: what the units of a patch look for"), "patch-filters")
talk.save(plotting.image_grid(strongest(rbm.W.data, side), symmetric=True, title="RBM: units that see all"), "filters")

# %% [markdown]
# ## New shapes?
#
# Sixty samples of each machine are the ends of chains of 1000 steps. Beside each stands the training shape that is
# nearest, by the number of pixels that differ. A machine that has learned its training shapes by heart has samples at
# distance 0. One that has learned nothing has samples far from any shape. What should it be? As far as *test* shapes
# are: these are real, and new.
#
# A second measure asks whether it is one object: which share of the ink is in the largest connected piece.

# %%
drawn = {name: talk.on_host(machine.sample(talk.short(60, 8), talk.rng, steps=talk.short(1000, 5)) > 0.5).astype(
    np.float32) for name, machine in machines.items()}
drawn["independent pixels"] = (talk.rng.random(drawn["RBM"].shape) < everything.mean(0)).astype(np.float32)


def nearest(x):
    """For each row of x the training shape that differs in the fewest pixels, and in how many."""
    differ = x.sum(1)[:, None] + everything.sum(1) - 2 * x @ everything.T
    return differ.argmin(1), differ.min(1)


kinds = {"test shapes": test, **drawn}
distances = {name: nearest(x)[1] for name, x in kinds.items()}
in_one_piece = {name: pictures.largest_pieces(images_of(x)) for name, x in kinds.items()}
shown = drawn["ShapeBM"][:10]
talk.rows("samples", "Samples of the ShapeBM", {
    "sample": images_of(shown), "nearest\ntraining shape": images_of(everything[nearest(shown)[0]])})
middle = {name: float(np.median(d)) for name, d in distances.items()}
copies = int((distances["ShapeBM"] == 0).sum())
talk.say(f"Of {len(drawn['ShapeBM'])} samples {copies or 'none'} {'is a copy' if copies < 2 else 'are copies'} of a "
         f"training shape. A typical one differs from the nearest in {middle['ShapeBM']:.0f} pixels; a real shape that "
         f"is not among them, in {middle['test shapes']:.0f}.")
talk.rows("samples-of-rbm", "Samples of the RBM", {
    "sample": images_of(drawn["RBM"][:10]),
    "nearest\ntraining shape": images_of(everything[nearest(drawn["RBM"][:10])[0]])})
talk.say(f"A typical sample of the RBM differs from the nearest training shape in {middle['RBM']:.0f} pixels"
         + (": it keeps closer than the ShapeBM to what it has seen." if middle["RBM"] < middle["ShapeBM"] else "."))
talk.table(["shapes", "pixels from the nearest (median)", "ink in one piece"], [
    [name, middle[name], f"{100 * in_one_piece[name].mean():.1f} %"] for name in kinds])

# %% [markdown]
# ## What is hidden
#
# Each of the nine segments of every test shape is hidden in turn, and filled in given the rest.

# %%
example = test[3:4]
filled_in = {name: np.concatenate([filled(machine, example, hidden) for hidden in segments])
             for name, machine in machines.items()}
ink = (everything.sum(0) + 1) / (len(everything) + 2)
filled_in = {"independent": np.where(segments, ink, example), **filled_in}
talk.rows("completions", "A shape of which a ninth is hidden", {
    "hidden": images_of(np.where(segments, 0.5, example)),
    **{name: images_of(p) for name, p in filled_in.items()}, "truth": images_of(np.repeat(example, 9, 0))})

of_image = {"independent pixels": np.mean([log_score(np.tile(ink, (len(test), 1)), test, hidden)
                                           for hidden in segments], 0),
            **{name: scores(machine, test, f"{name}, test shapes") for name, machine in machines.items()}}
talk.save(plotting.trials({"": [plotting.Trial(name, list(-values), True if name == "ShapeBM" else None)
                                for name, values in of_image.items()]},
                          x="-log p of a hidden ninth, in nats: less is better",
                          title="What is hidden: small dots are test shapes, large ones means"), "log-scores")
better = {}
for name, other in ("RBM", "independent pixels"), ("ShapeBM", "RBM"):
    difference = of_image[name] - of_image[other]
    better[name] = float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference))), int(
        (difference > 0).sum())
gain, error, wins = better["ShapeBM"]
talk.say(f"Of a hidden ninth the ShapeBM says {of_image['ShapeBM'].mean():.2f} nats, the RBM "
         f"{of_image['RBM'].mean():.2f}, independent pixels {of_image['independent pixels'].mean():.2f}. Shape by "
         f"shape the ShapeBM is better than the RBM by {gain:.2f} with a standard error of {error:.2f}, for {wins} of "
         f"{len(test)} shapes" + (", a difference that this many shapes can show." if gain > 2 * error else
                                  "; that is not beyond doubt with so few shapes."))
talk.table(["machine", "log-score", "better than above by", "for shapes"], [
    [name, float(values.mean()), *([f"{better[name][0]:.2f} +- {better[name][1]:.2f}", f"{better[name][2]} of "
                                    f"{len(test)}"] if name in better else ["", ""])]
    for name, values in of_image.items()])

# %%
talk.metric("independent", of_image["independent pixels"].mean())
talk.metric("rbm", of_image["RBM"].mean())
talk.metric("shape_bm", of_image["ShapeBM"].mean())
talk.metric("rbm_over_independent", better["RBM"][0], at_least=0)
talk.metric("shape_bm_over_rbm", gain, at_least=0)
talk.metrics(shape_bm_over_rbm_error=error, shape_bm_wins=wins)
talk.metric("copies", copies, at_most=len(drawn["ShapeBM"]) / 4)
talk.metric("distance_as_of_test_shapes", middle["ShapeBM"] / middle["test shapes"], at_least=0.4, at_most=1.6)
talk.metric("in_one_piece", in_one_piece["ShapeBM"].mean())
talk.metric("weights_shared", shared, at_least=8, always=True)
talk.finish()
