# %% [markdown]
# # Slides 113-114: wake-sleep, and what the layers have learned
#
# A deep belief net is built from below, one machine at a time, and no machine is touched again once the next one stands
# on it. "Layer-wise pretraining is efficient but not optimal", says slide 113: the lower layers have never heard of
# those above. *Wake-sleep* trains all of them at once, "top-down and refitting the earlier models". Here it refits a
# net that has learned digits together with their labels, and then slide 114 asks what each of its layers stands for.

# %%
from typing import NamedTuple

import numpy as np

import minidl as md
from minidl import data, energy, optim, plotting
from minidl.backend import backend_of
from minidl.lectures import lecture
from minidl.metrics import nearest_neighbours
from minidl.tuning import one_core

talk = lecture(113, data=["digits", "mnist"])


class Plan(NamedTuple):
    sizes: list[int]
    greedy: list[int]           # epochs of each machine
    lr: float
    epochs: int                 # of wake-sleep
    up_down: float              # its rate
    batch_size: int
    small: list[int]            # a net without labels, whose bound is a sum
    dreams: int                 # how many images the chains show


plan = {"digits": Plan([64, 100, 100, 300], [60, 60, 60], 0.2, 150, 0.3, 20, [64, 50, 15], 1000),
        "mnist": Plan([784, 500, 500, 2000], [12, 12, 10], 0.1, 14, 0.1, 100, [784, 200, 15], 2000)}[talk.data]
images, put = talk.load(), talk.device.put
black_and_white = lambda x: (x > 0.5).astype(np.float32)
pixels = black_and_white if talk.data == "digits" else lambda x: x
first = slice(talk.short(None, 300))
x_train, y_train = pixels(images.x_train[first]), np.asarray(images.y_train)[first]
x_test, y_test = put(pixels(images.x_test)), np.asarray(images.y_test)
K = 10
beside = lambda h, labels: backend_of(h).xp.concatenate([h, put(np.broadcast_to(labels, (len(h), K)).astype("f4"))], 1)

# %% [markdown]
# ## Where we start: the greedy net
#
# Two machines learn one after the other; the top one sees the hidden units $h^2$ and, beside them, ten label units. To
# classify an image, go up to $h^2$. Then there are two ways to read the label. By *free energy*: try all ten labels,
# and take the one with which the top machine finds $h^2$ most probable. By one *pass up and down*: go on to the top
# with the label undecided, and look at which label unit lights up on the way back.

# %% name="up-down" slides=[113]
def greedy(sizes, x, y=None, *, more=0, name, **options):
    """A deep belief net trained from below, each machine for the plan's epochs, or `more`."""
    net = energy.DeepBeliefNet(sizes, labels=K if y is not None else None, rng=talk.seed).to(talk.device)
    with one_core():
        energy.pretrain(net, x, y, epochs=[talk.epochs(n + more) for n in plan.greedy[-len(net.layers):]], lr=plan.lr,
                        momentum=0.5, batch_size=plan.batch_size, rng=talk.seed, checkpoint=talk.checkpoint(name),
                        description=name, **options)
    return net


def errors(net):
    """Wrong test images in percent, by free energy and by one pass up and down."""
    with one_core():
        h = net.encode(x_test)
        up_and_down = net.top.reconstruct(beside(h, 1 / K))[:, -K:]
    return [100 * float((talk.on_host(labels) != y_test).mean()) for labels in (net.top.predict(h),
                                                                              up_and_down.argmax(1))]


def clamped(n, steps):
    """What the net thinks of, with each label held in turn: n images of each class after so many steps of Gibbs."""
    with one_core():
        return [talk.on_host(net.sample(n, talk.seed, steps=steps, label=label)) for label in range(K)]


net = greedy(plan.sizes, put(x_train), y_train, name="greedy")
greedy_errors = errors(net)
steps = talk.short(200, 5)
greedy_dreams = clamped(30, steps)

# %% [markdown]
# ## Awake and asleep
#
# The weights up and the weights down part: from here on each has values of its own. Then, for each batch,
#
# - **awake**: draw $h^1, h^2$ upwards from an image. The weights *down* learn to predict each layer from the one above,
#   by the gradient of $\log p(h^i | h^{i+1})$; each unit's error times what is above it;
# - **in between**: the top machine runs a step of contrastive divergence on $h^2$ and the label;
# - **asleep**: from where its chain has ended, draw downwards to a dreamt image. Of this dream the hidden causes are
#   known. The weights *up* learn to find them, by the gradient of $\log q(h^{i+1} | h^i)$.
#
# No gradient passes through a layer: each weight needs only what is at its two ends.

# %% name="up-down" slides=[113]
before = net.state_dict()
net.untie()
loader = data.Loader(np.concatenate([x_train, md.one_hot(y_train, K).numpy()], 1), batch_size=plan.batch_size,
                     rng=talk.rng, device=talk.device)
epochs, trainer = talk.epochs(plan.epochs), energy.WakeSleep(net, rng=talk.rng)
optimizer = optim.SGD(net.named_parameters(), lr=plan.up_down, momentum=0.5)


def measure(history):
    for name, error in zip(("by_energy", "by_pass"), errors(net), strict=True):
        history.setdefault(name, []).append(error)


with one_core():
    history = energy.train(net, loader, optimizer, trainer, epochs=epochs, after_epoch=measure,
                           schedule=optim.LinearLR(optimizer, 1.0, 0.0, total_iters=epochs * len(loader)),
                           **talk.shown(net, "wake-sleep", name="up-down",
                                        look=lambda net: {"dreams": trainer.asleep[0][:20]}))
by_energy, by_pass = ([start, *history[name]] for start, name in zip(greedy_errors, ("by_energy", "by_pass"),
                                                                    strict=True))
longer = errors(greedy(plan.sizes, put(x_train), y_train, more=plan.epochs, name="greedy, longer"))
talk.save(plotting.curves({"by free energy": (range(epochs + 1), by_energy),
                           "up and down": (range(epochs + 1), by_pass)}, levels={"greedy, longer": longer[0]},
                          x="epochs of wake-sleep (0: the greedy net)", y="wrong test images, %",
                          title="All layers at once, after one by one"), "errors")
talk.say(f"By free energy the greedy net is wrong on {by_energy[0]:.1f} % of the test images, after wake-sleep on "
         f"{by_energy[-1]:.1f} %; by one pass up and down on {by_pass[0]:.1f} and {by_pass[-1]:.1f} %. The greedy net "
         f"that got as many epochs more, layer by layer, is wrong on {longer[0]:.1f} and {longer[1]:.1f} %.")

# %% [markdown]
# Is it wake-sleep, or just more training? The dashed line is the greedy net that went on instead, each machine for as
# many epochs more. That may do as well for the labels, which only the top machine sees. What it cannot do is to move a
# lower layer for the sake of those above. How far have they moved? A layer's change, as a share of the size of its
# greedy weights:

# %% name="up-down" slides=[113]
moved = lambda p, start: float(np.linalg.norm(talk.on_host(p.data) - start) / np.linalg.norm(start))
moves = []
for i, rbm in enumerate(net.layers):
    start = before[f"layers.{i}.W"]
    ways = [moved(rbm.W, start), moved(net.recognition[i].W, start)] if i < len(net.recognition) else [
        moved(rbm.W, start)] * 2
    moves.append([f"layer {i + 1}" + " (the top machine, one for both)" * (i == len(net.layers) - 1), *ways])
talk.table(["change of the weights", "down", "up"], moves)

# %% [markdown]
# ## What the net thinks of
#
# Hold a label unit and let the top machine run. Whatever it settles to is drawn down to pixels: the net has no other
# way to tell us. A judge that has nothing to do with the net, the nearest training image, says whether these are the
# digits that were asked for.

# %% name="dreams" slides=[113] needs=["up-down"]
def recognised(dreams):
    """The share of dreamt images whose nearest training image has the label that was held."""
    nearest = nearest_neighbours(x_train, np.concatenate(dreams), 1)[1][:, 0]
    return float((y_train[nearest] == np.repeat(range(K), len(dreams[0]))).mean())


dreams = clamped(30, steps)
def columns(dreams, title, n=5):
    """A column for each label, with n images."""
    return plotting.image_grid(talk.images(np.concatenate([label[i:i + 1] for i in range(n) for label in dreams])),
                               title=title)


talk.save(columns(greedy_dreams, "Labels 0 to 9 held, after greedy training"), "dreams-greedy", slides=[113])
talk.save(columns(dreams, "Labels 0 to 9 held, after wake-sleep"), "dreams-refitted", slides=[113])
talk.say(f"Of 300 images that the greedy net dreams {300 * recognised(greedy_dreams):.0f} look most like a training "
         f"image of the label that was held, after wake-sleep {300 * recognised(dreams):.0f}.")
times = [2**i for i in range(talk.short(9, 3))]
talk.save([columns(clamped(2, n), f"Labels 0 to 9 held: after {n} step{'s' * (n > 1)} of Gibbs sampling", 2)
           for n in times], "thinking")
talk.say(f"Two chains for each label, from noise, and what they show after up to {times[-1]} steps.")

# %% [markdown]
# ## Efficient, but not optimal
#
# Is the net a better *model* afterwards? Slide 108's bound says so without labels and without a classifier. It is a sum
# over what the way up might draw,
#
# $$\log p(v) \ge \sum_h q(h | v)\,\bigl(\log p(v, h) - \log q(h | v)\bigr),$$
#
# and its gradient for the weights down is what they follow awake. Those up do not follow it: they learn from dreams, to
# be right where the net dreams, not where the data are. With a top machine so small that $\log Z$ is a sum, the bound
# has no error but that of its draws.

# %% name="bound" slides=[113]
ink_train, ink_test = (put(black_and_white(x)) for x in (images.x_train[first], images.x_test))


def bound(net):
    """Slide 108's bound for each test image, in nats."""
    with one_core():
        return talk.on_host(net.lower_bound(ink_test, energy.log_partition(net.top), draws=20, rng=talk.seed))


small_epochs = talk.epochs(plan.greedy[0])
small = greedy(plan.small, ink_train, states=True, name="small")
greedy_bound, greedy_shown = bound(small), small.sample(10, talk.seed, steps=steps)
small.untie()
small_loader = data.Loader(talk.on_host(ink_train), batch_size=plan.batch_size, rng=talk.seed, device=talk.device)
small_optimizer = optim.SGD(small.named_parameters(), lr=plan.lr / 2, momentum=0.5)
with one_core():
    energy.train(small, small_loader, small_optimizer, energy.WakeSleep(small, k=5, rng=talk.seed), epochs=small_epochs,
                 schedule=optim.LinearLR(small_optimizer, 1.0, 0.0, total_iters=small_epochs * len(small_loader)),
                 **talk.shown(small, "wake-sleep of a small net", name="small up-down"))
refitted_bound = bound(small)
longer_bound = bound(greedy(plan.small, ink_train, states=True, more=plan.greedy[0], name="small, longer"))
gain = refitted_bound - greedy_bound
gain_error = float(gain.std() / len(gain) ** 0.5)
talk.rows("small-net", "Images that a small net dreams", {
    "greedy": greedy_shown, "wake-sleep": small.sample(10, talk.seed, steps=steps)})
talk.say(f"The bound on the test images is {greedy_bound.mean():.2f} nats after greedy training and "
         f"{refitted_bound.mean():.2f} after as many epochs of wake-sleep: {gain.mean():+.2f}, give or take "
         f"{gain_error:.2f}. As many epochs more of greedy training give {longer_bound.mean():.2f}.")

# %% [markdown]
# ## What a unit stands for (slide 114)
#
# The weights of a unit in the first layer can be looked at. Those of a deeper one are weights of units, and nobody sees
# those. Two questions can be asked of any layer.
#
# *Which image excites the unit most?* Climb: change the pixels along the gradient of the unit's input, and keep the
# image's norm that of the data. In the first layer the answer is known: its weights, $W_j / |W_j|$ times that norm.

# %% name="layers" slides=[114] needs=["up-down"]
held, depths = net.top.visible.size - K, range(1, len(net.layers) + 1)
norm = float(np.sqrt((x_train**2).sum(1).mean()))


def inputs(x, depth):
    """What comes up to the units of layer `depth` for images x, recorded: (N, D) -> (N, units)."""
    below = net.features(x, depth - 1)
    if depth < len(net.layers):
        return net.upward(depth - 1).up(below)
    return below @ net.top.W[:held] + net.top.c                          # no label says anything


def exciting(depth, units):
    """For each unit the image (n, D) that excites it most, found by gradient ascent from random pixels."""
    x = put(talk.rng.random((len(units), net.layers[0].visible.size), dtype=np.float32))
    for _ in range(talk.short(200, 20)):
        image = md.Tensor(x, requires_grad=True)
        slope = md.grad(md.sum(inputs(image, depth)[range(len(units)), units]), [image])[0].data
        x = sized(x + 0.3 * sized(slope))
    return x


def sized(x):
    return x * (norm / (backend_of(x).xp.linalg.norm(x, axis=1, keepdims=True) + 1e-12))


def alike(one, other):
    """The cosines between rows."""
    return talk.on_host((sized(one) * sized(other)).sum(1) / norm**2)


# %% [markdown]
# *And what does the net dream of when the unit is on?* Let the top machine run from data, draw downwards, and average
# the dreams in which the unit was on. What all dreams have in common is taken away.

# %% name="layers" slides=[114]
n_dreams = talk.short(plan.dreams, 200)
with one_core():
    sleepers = slice(0, n_dreams)
    chains = energy.GibbsChains(net.top, v=beside(net.encode(put(x_train[sleepers])), np.eye(K)[y_train[sleepers]]),
                                rng=talk.seed)
    states = net.draw_down(chains.advance(net.top, talk.short(100, 5))[0][:, :held], md.RandomStream(talk.seed))
    on = [None, *states[1:], chains.h.data]
    averages, units, excited, again = {}, {}, {}, {}
    for depth in depths:
        share = talk.on_host(on[depth].mean(0))
        units[depth] = np.argsort(-share * (1 - share), kind="stable")[:12].tolist()       # those least decided
        chosen = on[depth][:, units[depth]]
        averages[depth] = chosen.T @ states[0] / (chosen.sum(0)[:, None] + 1e-6) - states[0].mean(0)
        excited[depth], again[depth] = exciting(depth, units[depth]), exciting(depth, units[depth])
grey = lambda x: 0.5 + 0.5 * talk.on_host(x / abs(x).max(1, keepdims=True))
weights = talk.on_host(net.recognition[0].W.data).T[units[1]]
talk.rows("exciting", "What excites a unit most", {"weights of\nlayer 1": grey(weights), **{
    f"layer {depth}": grey(x) for depth, x in excited.items()}})
closed = alike(excited[1], put(weights))
same = {depth: float(np.median(alike(excited[depth], again[depth]))) for depth in depths}
talk.say(f"Grey is 0. In layer 1 climbing finds the weights (a cosine of {closed.min():.3f}). From other pixels it "
         "ends at the same image in layer 1, and at images whose cosine is "
         + " and ".join(f"{same[depth]:.2f} in layer {depth}" for depth in depths[1:]) + ".")
talk.rows("averages", "What the net dreams of while the unit is on", {
    f"layer {depth}": grey(x) for depth, x in averages.items()})

# %% [markdown]
# Strokes at first, then parts, then shapes? A number says more than the eye: how much of what a layer's units say, of
# their variance over the test images, is explained by the class.

# %% name="layers" slides=[114]
with one_core():
    top = net.top.propup(beside(net.encode(x_test), 1 / K))
    activities = [talk.on_host(a) for a in (x_test, *(net.features(x_test, depth) for depth in depths[:-1]), top)]


def explained(a):
    """The share of the variance of a (N, units) that is between the classes."""
    between = sum((y_test == k).mean() * (a[y_test == k].mean(0) - a.mean(0))**2 for k in range(K))
    return float(between.sum() / a.var(0).sum())


shares = [explained(a) for a in activities]
talk.say(f"The class explains {100 * shares[0]:.0f} % of the variance of the pixels, and of the units of layers "
         f"{', '.join(map(str, depths[:-1]))} and {depths[-1]} "
         + ", ".join(f"{100 * share:.0f}" for share in shares[1:-1]) + f" and {100 * shares[-1]:.0f} %.")
talk.table(["layer", "units", "variance explained by the class", "two climbs agree (cosine)"],
           [["pixels", len(activities[0][0]), shares[0], ""],
            *([f"layer {depth}", len(activities[depth][0]), shares[depth], same[depth]] for depth in depths)])

# %% [markdown]
# ## What must come out
#
# Climbing finds the first layer's weights. The top layer's units know more of the class than pixels do. On the small
# digits wake-sleep lowers the error of the greedy net by at least 0.3 %, and two of three dreams are the digit that was
# asked for. The bound rises by at least 0.15 nats, and ends as much above what more greedy training gives.

# %% name="bounds"
small_digits = lambda bound: bound if talk.data == "digits" else None
talk.metrics(error_greedy=by_energy[0], error_up_and_down_greedy=by_pass[0], error_up_and_down=by_pass[-1],
             error_greedy_longer=longer[0], error_up_and_down_greedy_longer=longer[1],
             recognised_greedy=recognised(greedy_dreams), bound_greedy=greedy_bound.mean(),
             bound_greedy_longer=longer_bound.mean(), bound=refitted_bound.mean())
talk.metric("error", by_energy[-1], at_most=small_digits(7.0))
talk.metric("error_gain", by_energy[0] - by_energy[-1], at_least=small_digits(0.3))
talk.metric("recognised", recognised(dreams), at_least=small_digits(0.65))
talk.metric("bound_gain", gain.mean(), at_least=small_digits(0.15))
talk.metric("bound_gain_over_longer", (refitted_bound - longer_bound).mean(), at_least=small_digits(0.15))
talk.metric("climbing_finds_the_weights", closed.min(), at_least=0.999, always=True)
talk.metric("class_share_gain", shares[-1] - shares[0], at_least=small_digits(0.1))
talk.finish()
