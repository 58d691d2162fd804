# %% [markdown]
# # Slides 101-109: belief nets, and deep ones
#
# A belief net says how data come about: hidden causes are drawn first, then what they cause, at last what we see. To
# draw from it is easy. To find the causes of what we see is hard, and so is learning. This lecture shows why (slide
# 105), a case in which it is not (106), and how to build a deep net from such cases, one layer at a time (107, 108).

# %%
import copy
from typing import Any

import numpy as np

from minidl import RandomStream, energy, optim, plotting
from minidl.energy.enumeration import log_table, states
from minidl.lectures import lecture
from minidl.lectures.pictures import deep_belief_nets as pictures
from minidl.tuning import one_core

talk = lecture(101, data=["digits", "mnist"])

# %% [markdown]
# ## Causes and effects (slides 101-104)
#
# "A belief net is a directed acyclic graph composed of random variables." In a sigmoid belief net they are binary, and
# a unit is 1 with the probability $\sigma(b_i + \sum_j W_{ij} h_j)$, where $j$ runs over its causes. This one draws
# bars: the unit on top decides between rows and columns, each of eight units switches one row or column on, and sixteen
# pixels show them. Drawing goes from the top down, a layer at a time.

# %% name="belief-net" slides=[101, 102, 103, 104]
bars = energy.SigmoidBeliefNet([16, 8, 1], rng=talk.seed, sd=0.0)
pixel = np.arange(16)
for bar in range(4):                                                        # rows, then columns
    bars.W[0].data[:, bar], bars.W[0].data[:, 4 + bar] = 8.0 * (pixel // 4 == bar), 8.0 * (pixel % 4 == bar)
bars.b[0].data[...] = -4.0
bars.W[1].data[:, 0], bars.b[1].data[...] = np.repeat([6.0, -6.0], 4), np.repeat([-6.0, 0.0], 4)
draws = bars.draw(talk.short(6, 1), talk.rng)
weights, names = [W.data for W in bars.W], ["16 pixels", "8 bars", "rows or\ncolumns"]
film = [pictures.graph([layer[i] if depth >= least else None for depth, layer in enumerate(draws)], weights,
                       names=names, title=f"{said} (drawing {i + 1})")
        for i in range(len(draws[0]))
        for least, said in ((2, "First the cause of all"), (1, "then which bars there are"), (0, "then the pixels"))]
talk.save(film, "ancestral-sampling")
talk.save(film[-1], "belief-net")
talk.say(f"A net of {sum(bars.sizes)} units. To draw an image takes {len(bars.sizes)} steps, whatever has been drawn.")

# %% [markdown]
# Slide 104 names two problems. *Learning*: adjust the weights so that the data become likely. *Inference*: from the
# pixels, find the state of the hidden units. The first needs the second: the gradient of
# $\log P(v) = \log\sum_h P(v, h)$ is a mean over the posterior $P(h\,|\,v)$. With nine hidden units all
# $2^9$ states can be summed over, and gradient descent on the exact likelihood learns the bars from images alone.

# %% name="belief-net" slides=[104]
images_of = lambda net, n: (talk.rng.random((n, 16)) < bars.sample(n, talk.rng)).astype(np.float32)
seen, unseen = images_of(bars, talk.short(1000, 100)), images_of(bars, 1000)
learned = energy.SigmoidBeliefNet([16, 8, 1], rng=talk.rng, sd=0.1)
learned.b[0].data[...], learned.b[1].data[...] = -2.0, -1.0                 # pixels are black, bars are rare
talk.train(learned, seen, epochs=talk.epochs(60), batch_size=50, about="a belief net, exactly", device="cpu",
           optimizer=optim.Adam(learned.parameters(), lr=0.05))
truth, found_by_learning = (float(net.log_likelihood(unseen).mean()) for net in (bars, learned))
independent = float(energy.SigmoidBeliefNet([16, 1], rng=0, sd=0.0).log_likelihood(unseen).mean())
filters = np.concatenate([net.W[0].data.T.reshape(8, 4, 4) for net in (bars, learned)])
talk.save(plotting.image_grid(filters, columns=8, symmetric=True,
                              title="Causes that drew the images, and learned ones"), "bars-learned")
talk.say(f"The net that drew the images gives new ones {truth:.2f} nats on average, the learned one "
         f"{found_by_learning:.2f}, fair coins {independent:.2f}. "
         + ("Its causes are not all bars: even the exact gradient ends in a local optimum."
            if found_by_learning < truth - 0.1 else "It has found the causes."))
talk.table(["hidden units", "states to sum over"], [[n, f"{2.0**n:.1e}"] for n in (9, 20, 100, 1000)])

# %% [markdown]
# ## Explaining away (slide 105)
#
# Why can inference not ask each cause alone? Hinton's example: a house jumps (C) if a truck hits it (A) or the earth
# quakes (B). Both causes are rare and independent, with the bias $-10$. The house has the bias $-20$ and the
# weight $+20$ from each.
#
# When the house jumps, one of the two has happened. But to learn of the earthquake *explains away* the truck:
# $P(A\,|\,B, C) \ll P(A\,|\,C)$. So $P(A, B\,|\,C) \ne P(A\,|\,C)\,P(B\,|\,C)$, though $P(A, B) = P(A)\,P(B)$.

# %% name="explaining-away" slides=[105]
house = energy.SigmoidBeliefNet([1, 2], rng=talk.seed, sd=0.0).astype("float64")
house.W[0].data[...], house.b[0].data[...], house.b[1].data[...] = 20.0, -20.0, -10.0
before, after = np.exp(house.log_marginal(1)), house.posterior(np.ones((1, 1)))[0]
cause = states(2, before)                                                   # A, B = 00, 01, 10, 11


def correlation(p):
    """Of the two causes, under probabilities p (4,) of their states."""
    mean = p @ cause
    spread = np.sqrt(mean * (1 - mean))
    return float((p @ cause.prod(1) - mean.prod()) / spread.prod())


def factorial(a, b):
    """The distribution in which the causes are independent, with these probabilities: (..., 4)."""
    return np.stack([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b], -1)


def divergence(q, p=after):
    """KL(q || p) in nats, of distributions over the four states."""
    return (q * np.log(np.maximum(q, 1e-300) / p)).sum(-1)


p_a, p_ab = after[2] + after[3], after[3] / (after[1] + after[3])
grid = np.linspace(0, 1, 1001)
tried = divergence(factorial(grid[:, None], grid))
best = np.unravel_index(tried.argmin(), tried.shape)
q_means, q_best = factorial(p_a, p_a), factorial(grid[best[0]], grid[best[1]])
talk.save(pictures.two_causes({
    "P(A, B): nothing known": before, "P(A, B | C): it jumped": after,
    f"each alone: off by\nKL {divergence(q_means):.2f}": q_means,
    f"best factorial Q:\nKL {divergence(q_best):.2f}": q_best},
    names=["none", "B", "A", "both"], title="Two causes, before and after their effect is seen"), "explaining-away")
talk.say(f"The truck has the probability {p_a:.2f} once the house has jumped, and {p_ab:.1e} once the earthquake is "
         f"known as well. Taken each alone, the causes would both be there in {q_means[3]:.0%} of the cases; in truth "
         f"in {after[3]:.1e} of them.")
talk.table(["", "value"], [["P(A)", f"{before[2] + before[3]:.1e}"], ["P(A | C)", f"{p_a:.4f}"],
                           ["P(A | B, C)", f"{p_ab:.1e}"],
                           ["correlation of A and B before", f"{abs(correlation(before)):.4f}"],
                           ["correlation of A and B given C", f"{correlation(after):.4f}"],
                           ["best factorial Q: KL(Q || P)", f"{tried.min():.4f}"]])

# %% [markdown]
# The best factorial $Q$ bets on one of the causes and is off by $\log 2$ nats: it knows one of two equal answers.
#
# ## The complementary prior (slide 106)
#
# What if the layers above make the causes *dependent* in just such a way that seeing the data makes them independent
# again? In a restricted Boltzmann machine $P(h\,|\,v)$ is a product. And a restricted machine is a belief net, one of
# infinitely many layers with the weights $W, W^T, W, \dots$: to draw from it, from the top down, is to run the
# machine's Gibbs chain, which forgets where it began.
#
# Here all is summed over exactly. The net's distribution approaches the machine's, and the distance falls by the same
# factor for each two layers: the second eigenvalue of the chain.

# %% name="complementary" slides=[106]
v, h = states(6, np.zeros(0)), states(5, np.zeros(0))
lines, rates, furthest = {}, [], 0.0
for sd in (1, 2, 3):
    rbm = energy.RBM(6, 5, rng=talk.seed, sd=float(sd)).astype("float64")
    rbm.b.data[...], rbm.c.data[...] = -rbm.W.data.sum(1) / 2, -rbm.W.data.sum(0) / 2      # 0 and 1 are alike
    log_z = energy.log_partition(rbm)
    p = np.exp(energy.log_likelihood(rbm, v, log_z))
    depths = np.arange(2, talk.short(62, 22), 2)
    off = np.array([np.abs(np.exp(energy.tied_net(rbm, int(depth)).log_marginal()) - p).sum() / 2 for depth in depths])
    lines[f"weights of {sd}"] = depths[off > 1e-12], off[off > 1e-12]
    chain = np.exp(log_table(rbm.hidden, rbm.up(v), h)).T @ np.exp(log_table(rbm.visible, rbm.down(h), v)).T
    second = np.sort(np.abs(np.linalg.eigvals(chain)))[-2]
    last = off[off > 1e-12][-2:]
    rates.append((sd, last[1] / last[0], second))
    net = energy.DeepBeliefNet([6, 5], rng=0).astype("float64")
    net.layers = [rbm]
    for hidden in (6, 5, 6):                                                # W' on top of W, and W on top of that
        net.add(hidden, mirrored=True, rng=0)
    furthest = max(furthest, float(np.abs(np.exp(net.log_likelihood(v, log_z)) - p).max()))
talk.save(plotting.curves(lines, x="hidden layers of the tied net", y="total variation distance", log=True,
                          title="How far a tied net is from the restricted machine"), "tied-nets")
talk.say("For each two layers the distance falls by a factor, " + ", ".join(f"{rate:.3f}" for _, rate, _ in rates)
         + ", the second eigenvalue of the machine's chain. A tied net of four layers whose two upper ones are the "
         f"machine itself has its distribution, up to {furthest:.0e}.")
talk.table(["standard deviation of W", "factor", "second eigenvalue"], rates)

# %% [markdown]
# ## One layer at a time (slide 107)
#
# So a restricted machine is a deep net with tied weights, whose inference is exact. Now keep the lowest $W$, and let
# all the layers above it have other weights, tied among themselves: they are one machine again, which learns what the
# lowest layer makes of the data, $h^1$ drawn from $Q(h^1\,|\,v)$. And so on. What comes out is slide 102's net,
# $P(v, h^1, h^2, h^3) = p(v\,|\,h^1)\, p(h^1\,|\,h^2)\, p(h^2, h^3)$: directed, but for its top machine.
#
# Here each new machine begins as the one below turned over. Then the net is at first the same distribution as before.

# %% name="greedy" slides=[107]
images = talk.load()
ink = lambda rows: (rows > 0.5).astype(np.float32)                          # pixels are black or white
x_train, x_test = (ink(x[:talk.short(None, 500)]) for x in (images.x_train, images.x_test))
size, hidden = x_train.shape[1], {"digits": 100, "mnist": 500}[talk.data]
first, further = {"digits": ((300, 0.1), (500, 0.05)), "mnist": ((20, 0.05), (20, 0.02))}[talk.data]
learn: dict[str, Any] = dict(states=True, chains=100, centred=True, momentum=0.5, rng=talk.rng)


def deeper(net, units, *, mirrored=True, name):
    """The net with one more machine on top, which has learned; the given one stays as it is."""
    taller = copy.copy(net)
    taller.add(units, mirrored=mirrored, rng=talk.rng)
    depth, (epochs, lr) = len(net.layers), further
    with one_core():
        energy.pretrain(taller, talk.device.put(x_train), first=depth, epochs=talk.epochs(epochs), lr=lr,
                        checkpoint=talk.checkpoint(name), description=name, **learn)
    return taller


shallow = energy.DeepBeliefNet([size, hidden], rng=talk.rng).to(talk.device)
with one_core():
    energy.pretrain(shallow, talk.device.put(x_train), epochs=talk.epochs(first[0]), lr=first[1],
                    checkpoint=talk.checkpoint("first"), description="the first machine", **learn)
nets = [shallow]
for units in (size, hidden):
    nets.append(deeper(nets[-1], units, name=f"layer {len(nets) + 1}"))
some = talk.device.put(x_test[images.one_of_each().tolist()])
talk.rows("up-and-down", "Up in one pass, and down again, by means", {
    "x": some, **{f"from h{depth + 1}": net.reconstruct(some) for depth, net in enumerate(nets)}})
talk.say(f"Inference is one pass up: {size} pixels, then " + ", ".join(str(rbm.hidden.size) for rbm in nets[-1].layers)
         + " units, each on its own. No unit asks what the others of its layer say.")

# %% [markdown]
# ## Samples (slides 102-107)
#
# To generate, the top machine runs its Markov chain; what it has found is then carried down by one draw a layer. The
# film shows ten chains of the deepest net, from nearly independent units on.

# %% name="samples" slides=[102, 107] needs=["greedy"]
deepest, film, total = nets[-1], [], 0
chains = energy.GibbsChains(deepest.top, 10, rng=talk.rng)
for steps in talk.short([1, 1, 1, 1, 2, 4, 10, 20, 40, 80, 160, 320, 320, 320, 320, 320], [1, 2]):
    h = chains.advance(deepest.top, steps)[0]
    total += steps
    film.append(plotting.image_grid(talk.images(deepest.draw_down(h, chains.stream)[0]), columns=5,
                                    title=f"steps of the top machine: {total}"))
talk.save(film, "chains")
talk.rows("samples", "Samples, each chain after 1000 steps", {
    "data": x_test[:10], **{f"{depth + 1} hidden layer{'s' * bool(depth)}": net.sample(
        10, talk.rng, steps=talk.short(1000, 5)) for depth, net in enumerate(nets)}})
talk.say("Each row is from a net of another depth. By eye the depths are hard to tell apart, so that the next slide "
         "asks for a number.")

# %% [markdown]
# ## The lower bound (slide 108)
#
# For any $Q(h^1\,|\,x)$
#
# $$\log P(x) \ge \sum_{h^1} Q(h^1\,|\,x)\left[\log P(h^1) + \log P(x\,|\,h^1) - \log Q(h^1\,|\,x)\right].$$
#
# With one machine the two sides are equal, for $Q$ is the posterior. Now fix the first layer, and let the second learn.
# Of the bound only $\log P(h^1)$ changes, and to raise it is to learn the data that $Q$ makes. But $Q$ is no
# longer the posterior, so that from now on the likelihood is *above* the bound.
#
# With ten hidden units all of this is a sum over $2^{10}$ states, and the second machine learns by the exact gradient.
# The best that any second layer can do is to have just the distribution that $Q$ makes of the data.

# %% name="bound" slides=[108] needs=["greedy"]
rows = x_train[:talk.short(1500, 100)]
small = energy.DeepBeliefNet([size, 10], rng=talk.rng)
with one_core():
    energy.pretrain(small, rows, epochs=talk.epochs(300), lr=0.1, description="a small machine", **learn)
before_adding = small.log_likelihood(rows, energy.log_partition(small.top)).mean()
small.add(size, mirrored=True, rng=talk.rng)
h = states(10, rows)
prior = -small.top.free_energy(h) - energy.log_partition(small.top)
on = np.clip(small.features(rows, 1).astype(np.float64), 1e-12, 1 - 1e-12)
made = np.exp(np.log(on) @ h.T + np.log1p(-on) @ (1 - h).T).mean(0)         # what Q makes of the data
ceiling = float((made * (np.log(np.maximum(made, 1e-300)) - prior)).sum())
learned_by: dict[str, list[float]] = {"the bound": [], "log P(x)": []}


def measure(top):
    """Note the bound and the likelihood, in nats above the first machine's; returns what the bound still lacks."""
    log_z = energy.log_partition(top)
    for name, measured in (("the bound", small.exact_bound), ("log P(x)", small.log_likelihood)):
        learned_by[name].append(float(measured(rows, log_z).mean() - before_adding))
    return ceiling - learned_by["the bound"][-1]


measure(small.top)
drawn = small.draw_up(np.tile(rows, (10, 1)), RandomStream(talk.rng))[1]
top_epochs = talk.epochs(15)
talk.train(small.top, drawn, epochs=top_epochs, batch_size=500, loss=energy.exact_loss, device="cpu",
           optimizer=optim.Adam(small.top.parameters(), lr=0.01), validate=measure, about="the second machine, exactly")
talk.save(pictures.rising({name: (range(top_epochs + 1), values) for name, values in learned_by.items()},
                          levels={"the most that the bound can reach": ceiling}, x="epochs of the second machine",
                          y="nats above the first machine", title="The bound rises while the second layer learns"),
          "bound-exact")
start, end = learned_by["the bound"][0], learned_by["the bound"][-1]
talk.say(f"Before the second machine learns, the bound is the likelihood ({before_adding:.2f} nats), up to "
         f"{abs(start):.0e}. Then it rises by {end:.3f} nats of the {ceiling:.3f} that are to be had, and the true "
         f"likelihood by {learned_by['log P(x)'][-1]:.3f}.")

# %% [markdown]
# ## The same on the large nets
#
# There, $\log Z$ of the top machine is estimated by annealed importance sampling, and the bound by draws from $Q$.
# Both have error bars.

# %% name="bound-large" slides=[108] needs=["greedy"]
betas, many, few = {"digits": (1000, 1000, 200), "mnist": (5000, 200, 200)}[talk.data]


def bound(net, chains):
    """The mean bound of the training and of the test images, and the error that sampling leaves: two pairs."""
    below = net.features(talk.device.put(x_train), len(net.layers) - 1)
    with one_core():
        base = net.top.visible.biases(below.mean(0), len(below))
        estimate = energy.ais(net.top, betas=talk.short(betas, 200), chains=talk.short(chains, 100), base=base,
                              rng=talk.rng, progress=True)
        found = []
        for rows in x_train[:10_000], x_test:
            draws = [float(net.lower_bound(talk.device.put(rows), estimate, draws=1, rng=talk.rng).mean())
                     for _ in range(talk.short(20, 2))]
            error = np.hypot(estimate.standard_error, np.std(draws, ddof=1) / np.sqrt(len(draws)))
            found.append((float(np.mean(draws)), float(error)))
    return found


def above_one(several):
    """What nets have more than one machine has: for each set the gains and their errors."""
    return {name: ([found[i][0] - bounds[0][i][0] for found in several],
                   [float(np.hypot(found[i][1], bounds[0][i][1])) for found in several])
            for i, name in enumerate(("training images", "test images"))}


bounds = [bound(net, many) for net in nets]
gain = above_one(bounds[1:])
(two, three), (error, _) = gain["training images"]
two_test, three_test = gain["test images"][0]
talk.save(pictures.gains(gain, names=["2", "3"], x="hidden layers", y="bound, in nats above one machine",
                         title="The bound, with two standard errors"), "bound-estimated")
talk.say(f"A second layer raises the bound by {two:.2f} nats on the training images, {two / error:.0f} times the error "
         f"of sampling, and by {two_test:.2f} on the test images. With a third it is {three:.2f} and {three_test:.2f}.")
talk.table(["hidden layers", "training", "error", "test", "error"],
           [[str(i + 1), *found[0], *found[1]] for i, found in enumerate(bounds)])

# %% [markdown]
# ## How many layers, and how wide? (slide 109)
#
# "Several layers is better than one": the picture above says by how much here. "The top layer should be big": here is
# a second machine of several widths, each from small random weights.

# %% name="how-wide" slides=[109] needs=["bound-large"]
widths = {"digits": [10, 25, 50, 100, 200], "mnist": [500]}[talk.data]
tops = [deeper(shallow, units, mirrored=False, name=f"a top of {units}") for units in widths]
gain_of_tops = above_one([bound(net, few) for net in tops])
talk.save(pictures.gains(gain_of_tops, names=list(map(str, widths)), x="units of the second layer",
                         y="bound, in nats above one machine", title="A second layer from scratch"), "top-width")
by_width = gain_of_tops["training images"][0]
talk.say(f"A top of {widths[0]} units loses {-by_width[0]:.1f} nats: big is better, up to "
         f"{widths[int(np.argmax(by_width))]} units. From scratch even the best is {-max(by_width):.2f} nats below one "
         "machine: slide 108 promises a rise only from where the second machine believes what the first did.")

# %% [markdown]
# "With enough narrow layers, we can model any distribution over binary vectors" (Sutskever and Hinton). Here is such a
# net, built and not learned. All probability begins in the first of the 16 states of four bits. Each layer leaves there
# what that state is to have, and moves the rest to the next state: four units hold the state, and a fifth says "go on".

# %% name="narrow" slides=[109]
targets = [talk.rng.dirichlet(np.full(16, share)) for share in (0.2, 1.0, 5.0) for _ in range(talk.short(20, 2))]
strengths = np.arange(2.0, 21.0, 2.0)
distances = np.array([[np.abs(np.exp(energy.narrow_net(p, strength=float(strength)).log_marginal()) - p).sum() / 2
                       for strength in strengths] for p in targets])
narrow = energy.narrow_net(targets[-1])
layers = np.stack([np.exp(narrow.log_marginal(depth)).reshape(16, -1).sum(1)
                   for depth in range(len(narrow.sizes) - 1, -1, -1)])
talk.save(pictures.moving_mass(layers, targets[-1], title="Probability moves on, layer by layer"), "narrow-net")
talk.say(f"The last of {len(layers)} layers has the wanted distribution up to "
         f"{np.abs(layers[-1] - targets[-1]).sum() / 2:.0e}. No layer has more than {max(narrow.sizes)} units.")
talk.save(plotting.curves(
    {"worst": (strengths, distances.max(0)), "median": (strengths, np.median(distances, 0))},
    x="strength of the weights", y="total variation distance", log=True,
    title=f"{len(targets)} random distributions over four bits"), "narrow-nets")
talk.say(f"The larger the weights, the surer every unit, and the nearer the net: at {strengths[-1]:g} the worst of "
         f"{len(targets)} distributions is off by {distances[:, -1].max():.0e}. It takes a layer for each state: this "
         "shows what a net can represent, not what it would learn.")

# %% [markdown]
# ## What must come out
#
# What is exact must be exact. The bound must rise beyond its error, where it is estimated.

# %% name="promises"
talk.metrics(bars_truth=truth, bars_learned=found_by_learning, explained_away=p_ab, factorial_error=tried.min(),
             ceiling=ceiling, likelihood_gain=learned_by["log P(x)"][-1], train_one=bounds[0][0][0],
             test_one=bounds[0][1][0], gain_three=three, gain_test_two=two_test, gain_test_three=three_test,
             narrowest_top=by_width[0], best_top=max(by_width))
one, both = np.exp(-10.0) / 2, np.exp(-20.0) / (1 + np.exp(-20.0))          # weights of the states, P(none) taken out
exact = one * np.array([2 * np.exp(-20.0) / np.exp(-10.0) / (1 + np.exp(-20.0)), 1, 1, both / one])
talk.metric("explaining_away_difference", np.abs(after - exact / exact.sum()).max(), at_most=1e-8, always=True)
talk.metric("correlation_given_effect", correlation(after), at_most=-0.99, always=True)
talk.metric("tied_net_difference", furthest, at_most=1e-8, always=True)
talk.metric("rate_difference", max(abs(rate / second - 1) for _, rate, second in rates), at_most=0.02)
talk.metric("bars_gain", found_by_learning - independent, at_least=4)
talk.metric("bound_at_start", abs(start), at_most=1e-4, always=True)
talk.metric("bound_gain", end, at_least=0.03)
talk.metric("gain_two", two, at_least=3 * error)
talk.metric("narrow_distance", distances[:, -1].max(), at_most=1e-5, always=True)
talk.finish()
