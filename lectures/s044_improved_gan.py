# %% [markdown]
# # Slides 44-48: hacks that matter, and the Inception score
#
# A game of two networks has no loss that falls, and often no end. Salimans et al. (2016) collected what helps all the
# same: slide 44 lists five hacks, of which it finds one important, and a score. Each hack promises something of its
# own, so each is measured by that, with and without it, everything else the same, over several seeds. One run proves
# nothing here. Where a hack does not keep its promise, the table says so.

# %%
from functools import partial
from typing import Any

import numpy as np

import minidl as md
from minidl import adversarial, data, nn, optim, plotting
from minidl.adversarial import mode_benchmark
from minidl.lectures import lecture
from minidl.lectures.pictures import improved_gan as pictures
from minidl.metrics import classifier_score
from minidl.metrics.modes import Modes

talk = lecture(44, data=["digits", "mnist"])
images = talk.load()
small = talk.data == "digits"
x_train, y_train, x_test, y_test = (np.asarray(a) for a in (images.x_train, images.y_train, images.x_test,
                                                            images.y_test))
signed = (2.0 * x_train[:talk.short(None, 640)] - 1.0).astype(np.float32)      # as tanh makes them
seeds = [talk.seed + i for i in range(talk.short(3 if small else 5, 1))]
steps, width, batch = (talk.short(200 if small else 3000, 20), 128 if small else 256, 64)

# %% [markdown]
# ## The judge
#
# The Inception score is that of Inception, a network trained on a million photographs. Ours is a small classifier that
# has learned the digits, and the score bears its name. For each sample $x$ it gives $p(y\,|\,x)$:
#
# $$\text{score} = \exp \mathbb E_x\,\mathrm{KL}\big(p(y\,|\,x)\,\|\,p(y)\big).$$
#
# It is 1 if the judge says the same of every sample, and 10 if it is sure of each one and names all digits equally
# often.

# %% name="judge" slides=[44]
judge = nn.mlp([x_train.shape[1], 128, 64, 10], rng=talk.rng, activation=nn.ReLU)
talk.train(judge, x_train, y_train, epochs=talk.epochs(15 if small else 4), lr=3e-3, about="the judge",
           loss=lambda judge, x, y: nn.cross_entropy(judge(x), y))
accuracy = talk.right(judge, x_test, y_test) / len(y_test)


def judged(x, network=judge):
    """What the judge, or a part of it, makes of images in [0, 1]: an array."""
    judge.eval()
    with md.no_grad():
        return talk.on_host(network(md.Tensor(talk.device.put(np.asarray(x, np.float32)))).data)


def score(x):
    """The judge's score of images in [0, 1]."""
    logits = judged(x)
    chances = np.exp(logits - logits.max(1, keepdims=True))
    return classifier_score(chances / chances.sum(1, keepdims=True)).mean


# %% [markdown]
# ## One game, and what can be changed in it
#
# A generator of two hidden layers, a discriminator of two, the non-saturating loss. A hack is a keyword: a loss, an
# `Extra` that is switched on, or a layer.

# %% name="hacks" slides=[44, 45] needs=["judge"]
def game(about, seed, *, loss=None, extras=(), norm=None, closeness=False, watched=False):
    """Two networks after their game."""
    rng = np.random.default_rng(seed)
    dense = lambda inputs, outputs: nn.Linear(inputs, outputs, rng=rng, weight_init=nn.init.he_normal)
    normed = lambda: [norm(width)] if norm else []
    maker: nn.Module = nn.Sequential(dense(16, width), *normed(), nn.ReLU(), dense(width, width), *normed(), nn.ReLU(),
                          dense(width, signed.shape[1]), nn.Tanh())
    if norm is adversarial.VirtualBatchNorm:
        maker = adversarial.Virtual(maker, rng.standard_normal((batch, 16), dtype=np.float32))
    sees = [adversarial.MinibatchDiscrimination(width, 8, 4, rng=rng)] if closeness else []
    critic = nn.Sequential(dense(signed.shape[1], width), nn.LeakyReLU(0.2), dense(width, width), nn.LeakyReLU(0.2),
                           *sees, dense(width + 8 * closeness, 1))
    gan = adversarial.GAN(maker, critic, latent=16, rng=rng).to(talk.device)
    optimizers = [optim.Adam(p, lr=5e-4, betas=(0.5, 0.999)) for p in (gan.generator_parameters(), critic.parameters())]
    loader = data.Loader(signed, batch_size=batch, rng=rng, drop_last=True, device=talk.device)
    adversarial.train(gan, loader, *optimizers, epochs=-(-steps // len(loader)), extras=extras,
                      loss=loss or adversarial.non_saturating(),
                      **talk.shown(gan, about, look=lambda gan: {"samples": shown(gan.sample(20, 0))}))
    return gan


shown = lambda x: (talk.on_host(x) + 1.0) / 2.0
made = lambda gan: shown(gan.sample(1000, 1))


# What each hack promises, as a number of a GAN, and whether less of it is better.
def distance_of_means(gan):
    """In the judge's last hidden layer, which no player has seen, between samples and data."""
    body = judge[:-1]
    return float(np.linalg.norm(judged(made(gan), body).mean(0) - judged(shown(signed), body).mean(0)))


def confidence(gan):
    """The score, in log odds, that the discriminator gives to the one in a hundred data of which it is surest."""
    with md.no_grad():
        return float(np.quantile(talk.on_host(gan.judge((talk.device.put(signed),))[0].data), 0.99))


def company(gan):
    """How much an item of the generator's batch changes with the items beside it, as a share of how items differ."""
    gan.generator.train()
    z = gan.noise(batch + batch - 8)
    with md.no_grad():
        one, other = (talk.on_host(gan.generator(md.Tensor(part)).data)[:8] for part in (z[:batch], md.concatenate(
            [z[:8], z[batch:]]).data))
    gan.generator.eval()
    return 100.0 * float(np.sqrt(((one - other)**2).mean() / one.var(0).mean()))


def variety(gan):
    """How far samples that the judge calls by one name are from each other, in percent of what it is for data."""
    def apart(x):
        names = judged(x).argmax(1)
        return np.mean([x[names == name].var(0).sum() for name in range(10) if (names == name).sum() > 1])
    return 100.0 * float(np.sqrt(apart(made(gan)) / apart(x_train)))


plain: dict[str, Any] = {}
normed: dict[str, Any] = {"norm": nn.BatchNorm}
HACKS: dict[str, Any] = {
    "feature matching": (plain, {"extras": [adversarial.FeatureMatching()]}, distance_of_means, False),
    "label smoothing": (plain, {"loss": adversarial.non_saturating(smoothing=0.1)}, confidence, False),
    "virtual batch norm": (normed, {"norm": adversarial.VirtualBatchNorm}, company, False),
    "minibatch discrimination": (plain, {"closeness": True}, variety, True)}
settings = {"none": plain, "batch norm": normed, **{name: after for name, (_, after, *_) in HACKS.items()}}
gans = {name: [game(f"{name}, seed {seed}", seed, **changed) for seed in seeds] for name, changed in settings.items()}
scores_of = {name: float(np.mean([score(made(gan)) for gan in several])) for name, several in gans.items()}
talk.rows("samples", "Samples, in the same game with one thing changed", {
    name.replace(" ", "\n", 1): (made(several[0])[:12], f"score {scores_of[name]:.1f}")
    for name, several in gans.items()})

# %% [markdown]
# ## Historical averaging, where it is at home
#
# Each player pays for the distance of its parameters to their mean over the past. The paper claims no more than that it
# finds equilibria of small games around which gradient descent runs in circles. The smallest one (Mescheder et al.
# 2018): the data are the point 0, the generator is a point $\theta$, the discriminator a slope $\psi$, $D(x) = \psi x$.
# The equilibrium is $\theta = \psi = 0$.

# %% name="history" slides=[44]
class Point(nn.Module):
    """A generator that gives the same number whatever the noise."""

    def __init__(self, at):
        self.at = nn.Parameter(np.array([at], np.float32))

    def forward(self, z):
        return self.at + 0.0 * z


def path(seed, extras):
    """Where the two players were after each step: (steps, 2)."""
    rng = np.random.default_rng(seed)
    point, slope = Point(rng.uniform(0.5, 1.5)), nn.Linear(1, 1, bias=False, rng=rng, weight_init=nn.init.he_normal)
    gan, places = adversarial.GAN(point, slope, latent=1, rng=rng), []
    adversarial.train(gan, data.Loader(np.zeros((2, 1), np.float32), batch_size=2, shuffle=False),
                      optim.SGD(gan.generator_parameters(), lr=0.3), optim.SGD(gan.discriminator.parameters(), lr=0.3),
                      epochs=talk.short(400, 20), loss="minimax", extras=extras, progress=False,
                      after_epoch=lambda history: places.append([point.at.item(), slope.weight.item()]))
    return np.array(places)


paths = {"none": [path(seed, []) for seed in seeds],
         "historical averaging": [path(seed, [adversarial.HistoricalAveraging(0.03)]) for seed in seeds]}
talk.save(pictures.paths({name: several[0] for name, several in paths.items()}), "circles")
from_the_end = {name: [float(np.linalg.norm(places[-20:], axis=1).mean()) for places in several]
                for name, several in paths.items()}

# %% name="hacks" slides=[44, 45] needs=["history"]
WHAT = {"feature matching": "distance of the features' means", "label smoothing": "log odds of the surest data",
        "virtual batch norm": "change by the company, %", "minibatch discrimination": "variety within a digit, %",
        "historical averaging": "distance from the equilibrium"}
before_after = {name: ([measure(gan) for gan in gans["batch norm" if before else "none"]],
                       [measure(gan) for gan in gans[name]], more)
                for name, (before, after, measure, more) in HACKS.items()}
before_after["historical averaging"] = from_the_end["none"], from_the_end["historical averaging"], False
improved = {name: sum((b > a) if more else (b < a) for a, b in zip(before, after, strict=True))
            for name, (before, after, more) in before_after.items()}
talk.save(pictures.before_after({WHAT[name]: (name, *values[:2]) for name, values in before_after.items()}), "hacks")
talk.table(["its own measure", "without", "with", "better on", "score with"],
           [[f"{WHAT[name]}", float(np.mean(before)), float(np.mean(after)), f"{improved[name]} of {len(seeds)}",
             scores_of.get(name, "")] for name, (before, after, _) in before_after.items()])
kept = [name for name in before_after if improved[name] >= 0.8 * len(seeds)]
missed = [name for name in before_after if name not in kept]
talk.say(f"Each hack by its own measure, over {len(seeds)} seeds: {', '.join(kept) or 'none'} kept the promise"
         + (f"; {', '.join(missed)} did not, in this game." if missed else "."))

# %% [markdown]
# A kept promise is not yet a better picture: the scores beside the samples say whether these improved, too. Variety
# beyond 100 % is more than the data have: noise is varied, too.
#
# The smoothed target 0.9 keeps the best discriminator from saying more than $\log(0.9/0.1) = 2.2$ of data. One that
# hardly gets there by itself, as in a game as short as this, loses little, and the seeds need not agree.
#
# ## What the score sees, and what it misses
#
# The score asks two things: is each sample like some digit, and are all digits there. It does not ask whether the
# samples are new. A generator that has learned its data by heart gets what the data get, and one image of each digit,
# again and again, gets more than all of them.

# %% name="score" slides=[46, 47] needs=["judge", "hacks"]
surest = x_train[judged(x_train).argmax(0)]                        # of each digit the image with its largest logit
noise = np.random.default_rng(talk.seed).random((1000, x_train.shape[1]))
sets = {"test images": x_test[:1000], "by heart": x_train[:1000], "ten images": np.tile(surest, (100, 1)),
        "one digit": x_test[y_test == 3], "noise": noise, "a GAN": made(gans["none"][0])}
scores = {name: score(x) for name, x in sets.items()}
talk.rows("score", "The judge's score of 1000 images", {
    name: (x[:12], f"{scores[name]:.1f}") for name, x in sets.items()})
talk.say(f"Test images get {scores['test images']:.1f}, training images learned by heart "
         f"{scores['by heart']:.1f}, and the same ten images again and again "
         f"{scores['ten images']:.1f}: the score does not see copies, nor that a digit has one sample only.")
talk.table(["images", "score"], [[name, value] for name, value in scores.items()])

# %% [markdown]
# ## Collapse, and later remedies (slide 48)
#
# Eight Gaussians on a ring. One setting, only the loss changed: the minimax generator learns little from a
# discriminator that is sure of itself. *PacGAN* lets the discriminator see four samples at once, so that four of a kind
# give themselves away; *unrolling* lets the generator see how the discriminator will answer. Nothing else is changed.
# One run each proves little: `--data mnist` plays five, and the unrolled game, a step of which takes several times the
# time; `python -m minidl.adversarial.mode_benchmark ring --steps 2000 --seeds 5` has the table of all variants.

# %% name="remedies" slides=[48]
players = ["minimax", "minimax, pack of 4", "non-saturating", "wgan-gp"] + ([] if small else ["minimax, unrolled 1"])
found: dict[str, list[Modes]] = {}
last = {}
for name in players:
    found[name] = []
    for seed in seeds[:talk.short(1 if small else 5, 1)]:
        rng = np.random.default_rng(seed)
        task, variant = mode_benchmark.ring(rng), mode_benchmark.VARIANTS[name]
        gan = mode_benchmark.players(task, variant, rng)
        look = partial(pictures.panel, name, task)
        mode_benchmark.play(gan, task, variant, steps=talk.short(2000, 20), rng=rng, progress=True,
                            **talk.shown(gan, f"{name}, seed {seed}", look=look))
        found[name].append(mode_benchmark.measured(task, gan))
        if seed == talk.seed:
            last[name] = pictures.plane(task, gan, f"{found[name][0].found} of 8 modes, "
                                                   f"{100 * found[name][0].good:.0f} % good")
talk.save(plotting.planes(last, title="The same ring, the same networks"), "remedies")
of = lambda name, what: float(np.mean([getattr(modes, what) for modes in found[name]]))
talk.table(["game", *(what.replace("good", "good samples") for what in Modes._fields)],
           [[name, *(of(name, what) for what in Modes._fields)] for name in players])
talk.say(f"With the minimax loss {of('minimax', 'found'):.2g} of 8 modes are found, with a pack of four in the same "
         f"setting {of('minimax, pack of 4', 'found'):.2g}, with the non-saturating loss "
         f"{of('non-saturating', 'found'):.2g}, and with the gradient penalty {of('wgan-gp', 'found'):.2g}. "
         f"{100 * of('minimax, pack of 4', 'good'):.0f} % of the pack's samples lie within 3 deviations of a mode, "
         f"{100 * of('wgan-gp', 'good'):.0f} % of the penalty's: the slides from 50 on say why.")

# %% [markdown]
# ## What must come out
#
# The measures of the hacks that are sure of their promise, each on four of five seeds at least: virtual batch
# normalisation by what it is, feature matching, and historical averaging in its small game. Copies score as the data
# do, ten images above them; the minimax game finds fewer modes than the gradient penalty, which finds all.

# %% name="bounds" needs=["hacks", "score", "remedies"]
talk.metric("accuracy", accuracy, at_least=0.9)
for name in before_after:
    sure = name in ("virtual batch norm", "feature matching", "historical averaging")
    talk.metric("improved_" + name.replace(" ", "_"), improved[name] / len(seeds), at_least=0.8 if sure else None)
talk.metric("score_of_test_images", scores["test images"], at_least=7.5)
talk.metric("score_of_ten_images", scores["ten images"], at_least=9)
talk.metric("score_by_heart", scores["by heart"] / scores["test images"], at_least=0.95)
for name in players:
    talk.metric("modes_" + name.replace(", ", "_").replace(" ", "_"), of(name, "found"))
talk.metric("modes_found_more", of("wgan-gp", "found") - of("minimax", "found"), at_least=1)
talk.finish()
