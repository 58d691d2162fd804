# %% [markdown]
# # Slides 95-97: Boltzmann machines, and what the restriction gains
#
# A Boltzmann machine is a set of units that are 0 or 1, with a weight between any two of them. It has no input and no
# output. It gives every state an energy, and low energy is high probability: it is a model of data. This lecture
# takes a machine so small that everything about it can be counted, lets it learn, and looks at two famous relatives,
# magnets and memories (slide 95). Then it leaves weights out, so that the machine becomes fast (slide 96), and shows
# what that is good for (slide 97).

# %%
import itertools
from typing import NamedTuple

import numpy as np

import minidl as md
from minidl import data, energy, nn, optim, plotting
from minidl.energy.enumeration import states
from minidl.lectures import lecture
from minidl.lectures.pictures import boltzmann_machines as pictures
from minidl.metrics import EuclideanIndex
from minidl.tuning import one_core

talk = lecture(95, data=["digits", "mnist"])
rng = np.random.Generator(np.random.SFC64(talk.seed))
images = talk.load()
black_and_white = lambda x: (x > 127 / 255).astype(np.float32)
seen = slice(talk.short(None, 500))
x_train, y_train = black_and_white(images.x_train[seen]), np.asarray(images.y_train)[seen]
x_test, y_test = black_and_white(images.x_test), np.asarray(images.y_test)
pixels = x_train.shape[1]

# %% [markdown]
# ## Energy and probability (slide 95)
#
# $$E(x) = -\sum_{i<j} w_{ij}\,x_i x_j - \sum_i b_i x_i, \qquad P(x) = \frac{e^{-E(x)}}{Z}, \qquad
# Z = \sum_x e^{-E(x)}.$$
#
# A positive weight says "these two like to be on together". $Z$ sums over all states, and there are $2^n$ of them. With
# four units these are 16, and we can write them all down.
#
# **Gibbs sampling** draws from $P$ without knowing $Z$. Take a unit, forget its value, and draw it again from its
# distribution given all the others. That is a logistic unit: $P(x_i = 1 \mid \text{others}) = \sigma(\sum_j w_{ij} x_j
# + b_i)$. The film does that unit after unit, and counts which states it has been in.

# %% name="chain" slides=[95]
machine = energy.BoltzmannMachine(4, rng=talk.seed).astype(np.float64)
machine.W.data[...] = [[0, 2, -1, 0], [0, 0, 1.5, -2], [0, 0, 0, 1], [0, 0, 0, 0]]
machine.b.data[...] = [-0.5, 0.5, 0, 0.3]
everything, exact = states(4, machine.b.data), machine.probabilities()
place_of = lambda x: (x @ 2**np.arange(3, -1, -1)).astype(int)        # a state's row in `everything`

x, visits, frames = np.zeros(4), np.zeros(16), []
shown = talk.short([*range(1, 13), 20, 40, 100, 300, 1000, 3000], [1, 60])
last = shown[-1]
for step in range(1, last + 1):
    i = (step - 1) % 4
    p = 1 / (1 + np.exp(-(x @ machine.couplings[:, i] + machine.b.data[i])))
    x[i] = rng.random() < p
    visits[place_of(x)] += 1
    if step in shown:
        frames.append(pictures.chain_step(machine.couplings, x, i, p, exact, visits / step,
                                          title=f"Gibbs sampling, step {step}"))
talk.save(frames, "gibbs")
drawn = machine.gibbs(np.zeros((talk.short(20_000, 5000), 4)), 20, rng=rng)
counted = np.bincount(place_of(drawn), minlength=16) / len(drawn)
difference = float(abs(counted - exact).sum() / 2)
talk.say(f"After {last} steps of one chain its visits differ from the exact probabilities by "
         f"{50 * abs(visits / last - exact).sum():.1f} % in all. Of {len(drawn):,} chains, each after 20 sweeps, the "
         f"last states differ by {100 * difference:.1f} %.")

# %% [markdown]
# ## The gradient is a difference of two statistics
#
# How does $\log P(v)$ of data change with a weight? Slide 95's answer is
#
# $$\frac{\partial \log P(v)}{\partial w_{ij}} = \langle x_i x_j\rangle_{\text{data}} -
# \langle x_i x_j\rangle_{\text{model}}.$$
#
# How often are the two on together while the data hold the visible units, and how often while nothing does? Both are
# what two neighbours can see for themselves. To check it, each parameter of a machine with five visible and three
# hidden units is moved a little up and down, and the slope of the log-likelihood is compared with the difference.

# %% name="gradient" slides=[95]
checked = energy.BoltzmannMachine(5, 3, rng=talk.seed, sd=0.7).astype(np.float64)
checked.b.data[...] = rng.normal(size=8)
v = states(5, checked.b.data)[rng.integers(0, 32, 20)]
(data_units, data_pairs), (model_units, model_pairs) = checked.statistics(v), checked.statistics()


def slope(p, place, step=1e-5):
    """The slope of the mean log-likelihood of v by one parameter, from two values."""
    value, found = p.data[place], []
    for move in (step, -step):
        p.data[place] = value + move
        found.append(-checked.loss(v).item())
    p.data[place] = value
    return (found[0] - found[1]) / (2 * step)


gradient_error = max(
    *(abs(slope(checked.W, (i, j)) - (data_pairs - model_pairs)[i, j]) for i, j in itertools.combinations(range(8), 2)),
    *(abs(slope(checked.b, i) - (data_units - model_units)[i]) for i in range(8)))
talk.save(pictures.statistics({"data": data_pairs, "model": model_pairs}, data_pairs - model_pairs,
                              hidden=3, title="How often two units are on together"), "statistics")
talk.say(f"The largest difference between a slope and the difference of statistics is {gradient_error:.0e}: the "
         "identity of slide 95 holds.")

# %% [markdown]
# ## Learning, with hidden units and without
#
# Three bits, of which the third is the exclusive or of the first two: four patterns, each with probability 1/4, so
# that the best possible $-\log P$ is $\log 4 = 1.39$. No two of the bits are correlated. A machine that knows only
# pairs of visible units sees nothing, and stays at $3 \log 2 = 2.08$. Four hidden units can see the pattern: the
# weights between hidden and visible units make what pairs alone cannot.
#
# The statistics can be exact, or drawn: 500 chains of the model go on from step to step, five sweeps at a time.

# %% name="learning" slides=[95]
patterns = np.array([[a, b, a ^ b] for a in (0, 1) for b in (0, 1)], float)
curves = {}
for about, hidden, by_enumeration in (("no hidden units,\nexact", 0, True), ("4 hidden units,\nexact", 4, True),
                                      ("4 hidden units,\nsampled", 4, False)):
    student = energy.BoltzmannMachine(3, hidden, rng=rng, sd=1.0).astype(np.float64)
    optimizer = optim.SGD(student.parameters(), lr=1.0)
    steps, losses = talk.epochs(800, fast=5), [student.loss(patterns).item()]
    energy.train(student, data.Loader(np.tile(patterns, (1 if by_enumeration else 25, 1)), rng=rng, batch_size=100),
                 optimizer, energy.DifferenceOfStatistics(student, exact=by_enumeration, chains=500, rng=rng),
                 epochs=steps, schedule=optim.LinearLR(optimizer, 1.0, 0.0, total_iters=steps), progress=False,
                 after_epoch=lambda history: losses.append(student.loss(patterns).item()))
    curves[about] = np.arange(steps + 1), losses
talk.save(plotting.curves(curves, x="steps", y="-log P of a pattern, in nats", levels={"best": float(np.log(4))},
                          title="Learning the exclusive or"), "learning")
without, with_hidden, sampled = (losses[-1] for _, losses in curves.values())
talk.say(f"Without hidden units a pattern costs {without:.2f} nats, as much as three fair coins. With four it costs "
         f"{with_hidden:.2f} by exact statistics and {sampled:.2f} by sampled ones; the best is {np.log(4):.2f}.")

# %% [markdown]
# ## Magnets: the Ising model
#
# Put the units on a grid, let only neighbours have weights, all equal, and divide the energy by a temperature $T$: that
# is the Ising model of a magnet, with spins $s = 2x - 1$. Hot, the spins do what they like. Cold, they agree. In
# between, at $T = 2 / \log(1 + \sqrt 2) = 2.269$ (Onsager 1944), clusters of every size come and go.

# %% name="ising" slides=[95]
CRITICAL = float(2 / np.log(1 + np.sqrt(2)))
spins_of = lambda x, side: 2 * talk.on_host(x).reshape(-1, side, side) - 1
magnetisation = lambda s: abs(s.mean((1, 2)))                              # of each grid
energy_per_spin = lambda s: -(s * (np.roll(s, 1, 1) + np.roll(s, 1, 2))).mean((1, 2))

SIDE, frames, passed = 32, [], []
x = (rng.random((1, SIDE * SIDE)) < 0.5).astype(np.float32)
for temperature in np.linspace(3.6, 1.2, talk.short(25, 2)):
    x = energy.ising((SIDE, SIDE), float(temperature)).gibbs(x, talk.short(60, 2), rng=rng)
    passed.append((float(temperature), float(magnetisation(spins_of(x, SIDE))[0])))
    frames.append(pictures.cooling(spins_of(x, SIDE)[0], passed, CRITICAL, span=(1.2, 3.6)))
talk.save(frames, "cooling")

# %% [markdown]
# A grid of 4x4 has 65,536 states, and can be enumerated: the chains have to agree with that. On 32x32 nobody can, and
# the chains are all there is; the curve of the infinite grid, $m = (1 - \sinh(2/T)^{-4})^{1/8}$, is what they approach.

# %% name="ising" slides=[95]
temperatures = np.sort(np.append(np.linspace(1.45, 3.65, talk.short(11, 2)), CRITICAL))
spins = spins_of(states(16, np.zeros(0)), 4)
means: dict[int, list] = {4: [], SIDE: []}
truth, worst, seen_at = [], 0.0, {}
for temperature in talk.each(temperatures, "grids at each temperature"):
    P = energy.ising((4, 4), temperature).astype(np.float64).probabilities()
    truth.append([P @ measure(spins) for measure in (magnetisation, energy_per_spin)])
    for side, n, looks in ((4, 1000, 1), (SIDE, 6, talk.short(6, 1))):
        grid, x, found = energy.ising((side, side), temperature), np.ones((n, side * side), np.float32), []
        for _ in range(looks):
            x = grid.gibbs(x, talk.short(50, 2) if side == SIDE else 50, rng=rng)
            found.append([measure(spins_of(x, side)) for measure in (magnetisation, energy_per_spin)])
        values = np.concatenate(found[looks // 3:], 1)
        means[side].append(values.mean(1))
        if side == 4:
            worst = max(worst, float((abs(values.mean(1) - truth[-1]) / (values.std(1) / np.sqrt(n))).max()))
    seen_at[f"T = {temperature:.2f}"] = spins_of(x, SIDE)[0]
talk.save(plotting.image_grid(0.5 + 0.4 * np.stack(list(seen_at.values())), captions=list(seen_at), columns=6,
                              title="A magnet of 32x32 spins"), "magnets")
large = np.array(means[SIDE])
talk.save(pictures.temperatures(temperatures, np.array(truth), np.array(means[4]), large, CRITICAL), "ising")
talk.say(f"On 4x4 spins the chains and enumeration agree, at worst by {worst:.1f} standard errors. On 32x32 the "
         f"magnetisation falls from {large[0, 0]:.2f} at T = {temperatures[0]:.2f} to {large[-1, 0]:.2f} at "
         f"{temperatures[-1]:.2f}, most steeply around {CRITICAL:.3f}.")

# %% [markdown]
# ## Memories: Hopfield's net, the machine at temperature 0
#
# At temperature 0 there is no chance left: each unit takes the value that lowers the energy, until none can. Hebb's
# rule $w_{ij} \propto \sum_p s_i^p s_j^p$ digs a valley at each pattern $p$. A damaged pattern rolls down into it, so
# the net is a memory that is addressed by content.

# %% name="hopfield" slides=[95]
def damaged(x, share=0.1):
    """x with this share of its bits flipped."""
    return np.abs(x - (rng.random(x.shape) < share)).astype(np.float32)


def forgotten(patterns):
    """The share of bits that are wrong after recall from damaged patterns."""
    return float(abs(energy.recall(energy.hopfield(patterns), damaged(patterns)) - patterns).mean())


one_each = x_test[images.one_of_each()]
signs = 2 * one_each - 1
three = list(min(itertools.combinations(range(10), 3),
                 key=lambda few: abs(np.triu(signs[list(few)] @ signs[list(few)].T, 1)).max()))
start = damaged(one_each[three * 2], 0.15)
talk.rows("hopfield", "Recall from damaged digits", {
    "stored": one_each[three * 2], "damaged": start,
    "recalled,\n3 stored": energy.recall(energy.hopfield(one_each[three]), start),
    "recalled,\n10 stored": energy.recall(energy.hopfield(one_each), start)})

units, tries = 200, talk.short(4, 1)
loads = np.array(talk.short([0.02, 0.05, 0.1, 0.138, 0.17, 0.2, 0.25, 0.3], [0.02, 0.05, 0.25, 0.3]))
counts = np.maximum(1, np.round(loads * units).astype(int))
random_bits = [np.mean([forgotten((rng.random((P, units)) < 0.5).astype(np.float32)) for _ in range(tries)])
               for P in counts]
few = list(range(1, 13))
digits_bits = [np.mean([forgotten(x_train[rng.choice(len(x_train), P, replace=False)])
                        for _ in range(talk.short(10, 1) if pixels == 64 else 1)]) for P in few]
talk.save(pictures.capacity({"random patterns": (100 * counts / units, 100 * np.array(random_bits)),
                             "digits": (100 * np.array(few) / pixels, 100 * np.array(digits_bits))}, 13.8), "capacity")
talk.say(f"Of random patterns the net holds about 0.138 a unit: at {100 * loads[1]:.0f} patterns per 100 units "
         f"{100 * random_bits[1]:.1f} % of the bits come back wrong, at {100 * loads[-2]:.0f} "
         f"{100 * random_bits[-2]:.0f} %. Digits are too much alike: with ten of them {100 * digits_bits[9]:.0f} % of "
         "the bits are wrong, where a tenth of them had been flipped.")

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
# The identities hold to 1e-8. The exclusive or is learned with hidden units and not without. The chains on small
# magnets agree with enumeration. Hidden units classify better than pixels, and so do label units. Lower halves cost
# less than with independent pixels or the nearest neighbour.

# %% name="bounds"
bounds: dict[str, float] = {"digits": {"features": 0.0, "labels": 7.0}, "mnist": {"features": 1.0}}[talk.data]
talk.metric("gibbs_difference", difference, at_most=0.03, always=True)
talk.metric("gradient_difference", gradient_error, at_most=1e-8, always=True)
talk.metric("conditional_difference", conditional_error, at_most=1e-8, always=True)
talk.metric("free_energy_difference", free_energy_error, at_most=1e-8, always=True)
talk.metric("xor_without_hidden", without, at_least=3 * np.log(2) - 0.01)
talk.metric("xor_exact", with_hidden, at_most=1.7)
talk.metric("xor_sampled", sampled, at_most=1.7)
talk.metric("ising_standard_errors", worst, at_most=5, always=True)
talk.metric("magnetisation_cold", large[0, 0], at_least=0.95)
talk.metric("magnetisation_hot", large[-1, 0], at_most=0.2)
talk.metric("hopfield_few", random_bits[1], at_most=0.01)
talk.metric("hopfield_many", random_bits[-2], at_least=0.08)
talk.metric("upside_down_told_apart", told_apart, at_least=0.8)
talk.metrics(error_pixels=on_pixels, error_hidden=on_hidden)
talk.metric("features_gain", on_pixels - on_hidden, at_least=bounds["features"])
talk.metric("error_label_units", by_free_energy, at_most=bounds.get("labels"))
talk.metrics(completion_nats=nats["the machine"], completion_ten_nearest=nats["ten nearest"])
talk.metric("completion_below_independent", nats["independent"] - nats["the machine"], at_least=2)
talk.metric("completion_below_nearest", nats["nearest"] - nats["the machine"], at_least=1)
talk.finish()
