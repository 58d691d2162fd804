# %% [markdown]
# # Slides 110-112: the effect of pretraining and of depth
#
# D. Erhan and others (2009) trained some hundreds of networks to see what unsupervised pretraining does: deep ones with
# it and without, from many random starts. The slide says: take with a grain of salt. This lecture repeats the
# experiment on a small scale, and adds a third way, which is the salt: the same network without pretraining, but with
# initial weights of a size that suits logistic units.

# %%
from typing import Any

import numpy as np

from minidl import nn
from minidl.energy import DeepBeliefNet, pretrain
from minidl.lectures import lecture
from minidl.lectures.pictures import effect_of_pretraining as pictures
from minidl.lectures.pictures.layerwise_pretraining import filters
from minidl.tuning import one_core

talk = lecture(110, data=["digits", "mnist"])
images = talk.load()
seen = slice(talk.short(None, 500))
x_all, y_all, x_test, y_test = (np.asarray(part)[seen] for part in (images.x_train, images.y_train, images.x_test,
                                                                    images.y_test))
machines: dict[str, Any]
training: dict[str, Any]
few_labels: dict[str, Any]
width, labelled, unlabelled, machines, training, few_labels = {
    "digits": (100, 200, len(x_all), dict(epochs=talk.epochs(60), batch_size=20, lr=0.1, momentum=0.9),
               dict(epochs=talk.epochs(40), batch_size=20, lr=3e-3),
               dict(epochs=talk.epochs(80), batch_size=20, lr=1e-2)),
    "mnist": (500, *talk.short((10_000, 10_000), (300, 500)),
              dict(epochs=talk.epochs(20), batch_size=50, lr=0.1, momentum=0.5),
              dict(epochs=talk.epochs(20), batch_size=50, lr=1e-3),
              dict(epochs=talk.epochs(80), batch_size=20, lr=3e-3))}[talk.data]
seeds, depths = range(talk.short({"digits": 4, "mnist": 3}[talk.data], 2)), range(1, talk.short(4, 2) + 1)
print(f"{labelled:,} images with labels, {unlabelled:,} to pretrain on, {width} units a layer")

# %% [markdown]
# ## Slides 110 and 111: several seeds, one to four layers
#
# A stack of restricted Boltzmann machines is trained on images without labels. Since each machine is trained once those
# below it are done, its first layers are the stacks of less depth. Each becomes a classifier: the weights upwards, a
# softmax on top, and then backpropagation through all of it, from labelled images.
#
# Without pretraining the weights are random: of the usual size (X. Glorot's), or four times as large, which makes up
# for a logistic unit's slope of 1/4. All train for as many epochs, at the same rate. A seed draws the labelled images,
# all weights and the order of batches; what the boxes show is the scatter over seeds, in percent of the test images.

# %% name="depth" slides=[110, 111]
LARGER = "random, larger"


def start(way, stack, depth, classes, rng):
    """A classifier with so many hidden layers, before it sees a label."""
    if way == "pretrained":
        lower = DeepBeliefNet([x_all.shape[1], *[width] * depth], rng=rng)
        lower.layers = stack.layers[:depth]
        return lower.classifier(classes, rng=rng)
    gain = 4.0 if way == LARGER else 1.0
    return nn.mlp([x_all.shape[1], *[width] * depth, classes], rng=rng, activation=nn.Sigmoid,
                  weight_init=lambda shape, rng: nn.init.glorot_uniform(shape, rng=rng, gain=gain)).to(talk.device)


def wrong(network, x, y, about, y_test=y_test, how=training):
    """Train the classifier on x with labels y; its wrong test images, in percent."""
    talk.train(network, x, y, name=about, loss=lambda network, x, y: nn.cross_entropy(network(x), y), **how)
    return 100 * (1 - talk.right(network, x_test, y_test) / len(y_test))


def pretrained(seed):
    """A stack of machines, trained on images without labels."""
    stack = DeepBeliefNet([x_all.shape[1], *[width] * len(depths)], rng=seed, sd=0.05).to(talk.device)
    with one_core():
        pretrain(stack, talk.device.put(x_all[:unlabelled]), rng=seed, **machines, **talk.shown(
            stack, f"seed {seed % len(seeds) + 1} of {len(seeds)}, machine", name=f"machines {seed}"))
    return stack


first = talk.seed * len(seeds)                      # so that another --seed has other seeds
stacks = {seed: pretrained(first + seed) for seed in seeds}
ways = {way: [[0.0] * len(seeds) for _ in depths] for way in ("pretrained", "random, usual size", LARGER)}
for seed in seeds:
    some = np.random.default_rng(first + seed).permutation(unlabelled)[:labelled]
    for depth in depths:
        for way, errors in ways.items():
            network = start(way, stacks[seed], depth, 10, first + seed)
            before = talk.on_host(network[0].weight.data).copy()
            errors[depth - 1][seed] = wrong(network, x_all[some], y_all[some],
                                            f"{way}, {depth} layers, seed {seed + 1} of {len(seeds)}")
            if way == "pretrained" and seed == 0 and depth == len(depths):
                tuned = before, talk.on_host(network[0].weight.data)
means = {way: np.mean(errors, 1) for way, errors in ways.items()}
talk.save(pictures.boxes(ways, [str(depth) for depth in depths], x="hidden layers", y="wrong test images, %",
                         title=f"{labelled:,} labelled images, {len(seeds)} seeds"), "depth")
gains = {way: values - means["pretrained"] for way, values in means.items() if way != "pretrained"}
usual, larger = gains.values()
talk.say(f"Against weights of the usual size, pretraining gains {usual[0]:.1f} points with one layer and "
         f"{usual[-1]:.1f} with {len(depths)}. Against larger ones it is {larger[0]:.1f} and {larger[-1]:.1f}: "
         + ("much of the effect is that of a start from which backpropagation works."
            if larger[-1] < 0.5 * usual[-1] else "pretraining knows more than how large weights should be."))
talk.table(["wrong test images, % (mean of seeds)", *(f"{depth} deep" for depth in depths)],
           [[way, *map(float, values)] for way, values in means.items()])

# %% [markdown]
# ## Before and after fine-tuning
#
# The first units of the deepest network, as images of their weights.

# %% name="depth" slides=[110]
talk.save(filters(*tuned, title="First layer: pretrained (above), fine-tuned (below)"), "filters")
alike = float(np.median([np.corrcoef(w, v)[0, 1] for w, v in zip(*(weights.T for weights in tuned), strict=True)]))
talk.say(f"Weights before and after fine-tuning have a correlation of {alike:.2f} (median): training by labels "
         + ("stays near where the images have led it." if alike > 0.7 else "goes far from there."))

# %% [markdown]
# ## Slide 112: why it makes sense, and when it does not
#
# *Stuff* in the world causes an image, and the same stuff causes the label: a hand that writes a 7. Then it makes sense
# to find the stuff first, and the image, with its many numbers, tells more about it than the label does.
#
# But suppose the image alone causes the label. Do its pixels have even parity? Whatever caused the image does not
# matter then, and to have learned it is no use. The same networks of two layers, from the same starts, with a hundred
# labels of either kind: the digit, and whether the number of white pixels is even. Each seed draws a hundred images
# several times. Nobody can learn that parity from a hundred images: each pixel counts, and one alone says nothing. What
# is asked is only what pretraining adds.

# %% name="parity" slides=[112] needs=["depth"]
n, draws = 100, talk.short(2, 1)
parity = lambda x: (x > 0.5).sum(1) % 2
tasks = {"the digit": (y_all, y_test, 10), "parity of the pixels": (parity(x_all), parity(x_test), 2)}
by_task: dict[str, list[list[float]]] = {way: [[], []] for way in ways}
for place, (task, (labels, wanted, classes)) in enumerate(tasks.items()):
    for seed in seeds:
        rng = np.random.default_rng(first + seed)
        drawn = [rng.permutation(unlabelled)[:n] for _ in range(draws)]
        for way in ways:
            by_task[way][place].append(float(np.mean([
                wrong(start(way, stacks[seed], 2, classes, first + seed), x_all[some], labels[some],
                      f"{task}: {way}, seed {seed + 1} of {len(seeds)}, draw {i + 1} of {draws}", wanted, few_labels)
                for i, some in enumerate(drawn)])))
talk.save(pictures.boxes(by_task, list(tasks), x=f"label of {n} images", y="wrong test images, %",
                         title="Two labels of the same images"), "parity")
mean_and_error = lambda values: (float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5))
gained = {way: [mean_and_error(np.subtract(errors[place], by_task["pretrained"][place])) for place in (0, 1)]
          for way, errors in by_task.items() if way != "pretrained"}
in_words = [" and ".join(f"{mean:.1f} ± {error:.1f} on {label} ({'a gain' if mean > 3 * error else 'as by chance'})"
                         for (mean, error), label in zip(of_way, ("digits", "parity"), strict=True))
            for of_way in gained.values()]
talk.say(f"Over weights of the usual size pretraining gains {in_words[0]}; over larger ones {in_words[1]}; in "
         f"points, with standard errors over {len(seeds)} seeds, of which a gain has three.")
talk.table(["wrong test images, %", *tasks], [[way, *(float(np.mean(values)) for values in errors)]
                                              for way, errors in by_task.items()])

# %% [markdown]
# ## All of MNIST
#
# The deep belief net of 2006, 784-500-500-2000, as a classifier: pretrained on all 60,000 images, then fine-tuned by
# backpropagation with a little dropout, on the input and after each layer. Published are 1.25 to 1.34 % for
# such nets, with many more epochs. Beside it the same network from larger random weights, trained in the same way.

# %% name="all" slides=[110]
if talk.data == "mnist":
    sizes, all_errors = [784, 500, 500, 2000], {}
    large = DeepBeliefNet(sizes, rng=talk.seed).to(talk.device)
    with one_core():
        pretrain(large, talk.device.put(x_all), epochs=talk.short([12, 12, 10], [1, 1, 1]), lr=0.1, momentum=0.5,
                 rng=talk.seed, **talk.shown(large, "784-500-500-2000, machine", name="large machines"))
    for way, plain in {"pretrained": large.classifier(10, rng=talk.seed), LARGER: nn.mlp(
            [*sizes, 10], rng=talk.seed, activation=nn.Sigmoid,
            weight_init=lambda shape, rng: nn.init.glorot_uniform(shape, rng=rng, gain=4.0))}.items():
        layers: list[nn.Module] = [nn.Dropout(0.1, rng=talk.rng)]
        for layer in plain:
            layers += [layer, nn.Dropout(0.2, rng=talk.rng)] if isinstance(layer, nn.Sigmoid) else [layer]
        network = nn.Sequential(*layers)
        talk.train(network, x_all, y_all, epochs=talk.epochs(25), batch_size=100, lr=1e-3, name=f"all of MNIST, {way}",
                   loss=lambda network, x, y: nn.cross_entropy(network(x), y))
        all_errors[way] = 100 * (1 - talk.right(network, x_test, y_test) / len(y_test))
    talk.table(["784-500-500-2000", "wrong test images, %"], list(all_errors.items()))
    talk.metric("deep_belief_net_error", all_errors["pretrained"], at_most=1.35)
    talk.metric("without_pretraining", all_errors[LARGER], at_least=all_errors["pretrained"])

# %% [markdown]
# ## What must come out
#
# With pretraining the mean error over seeds is less at every depth than with weights of the usual size; on MNIST, than
# with either. Whether the gap grows with depth, as in the paper's figure, is as measured. With a hundred labels
# it gains on digits over weights of the usual size, and on parity no more than chance: eight networks of either start
# guess 360 images each, and three standard deviations of the difference are four points.

# %% name="bounds"
for depth in depths:
    talk.metric(f"gain_{depth}", usual[depth - 1], at_least=0)
    talk.metric(f"gain_over_larger_{depth}", larger[depth - 1], at_least=0 if talk.data == "mnist" else None)
    talk.metrics(**{f"pretrained_{depth}": means["pretrained"][depth - 1]})
talk.metric("gap_grows", usual[-1] - usual[0])
talk.metrics(filters_alike=alike)
(digit_gain, _), (parity_gain, _) = gained["random, usual size"]
talk.metric("digit_gain", digit_gain, at_least=1)
talk.metric("parity_gain", parity_gain, at_most=4)
talk.metrics(digit_gain_over_larger=gained[LARGER][0][0], parity_gain_over_larger=gained[LARGER][1][0])
talk.finish()
