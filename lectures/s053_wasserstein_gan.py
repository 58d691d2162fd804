# %% [markdown]
# # Slides 53-59: from unstable training to the Wasserstein GAN
#
# A discriminator answers a yes-or-no question, and once it is sure of the answer it has nothing more to teach. Slide 53
# asks another question: *how far* is what was generated from the data? Both are heaps of earth. The earth mover's
# distance is the least work, mass times way, by which one heap becomes the other.
#
# On a line that distance is known exactly: the cheapest way keeps the order of the grains, so it takes sorting. So
# everything that a network estimates here can be held against the truth.

# %%
import itertools
from typing import Any

import numpy as np

from minidl import data, nn, optim
from minidl.adversarial import GAN, GradientPenalty, WeightClipping, fit_critic, score_gap, slopes, train
from minidl.lectures import lecture
from minidl.lectures.pictures import wasserstein_gan as pictures
from minidl.metrics import sliced_wasserstein, wasserstein_1d
from minidl.tuning import one_core

talk = lecture(53, data=["digits", "mnist"])
n = talk.short(1024, 128)
normal = lambda mean, sd: (mean + sd * talk.rng.standard_normal((n, 1))).astype(np.float32)
exact = lambda x, y: wasserstein_1d(x[:, 0], y[:, 0])
restless = lambda parameters, lr: optim.Adam(parameters, lr, betas=(0.5, 0.9))      # a critic's: little memory


def fitted(x, y, about, *, loss="wasserstein", lr=1e-2, epochs=40, width=64, optimizer=restless, **more):
    """A network that was trained to tell the sets x and y (N, d) apart, with nothing else to do."""
    critic = nn.mlp([x.shape[1], width, width, 1], rng=talk.rng, activation=nn.ReLU, weight_init=nn.init.he_normal)
    critic.to(talk.device)
    optimizer, epochs = optimizer(critic.parameters(), lr), talk.epochs(epochs)
    steps = epochs * -(-len(x) // 128)
    with one_core():
        fit_critic(critic, x, y, optimizer, epochs=epochs, batch_size=128, loss=loss, rng=talk.rng,
                   schedules=[optim.LinearLR(optimizer, 1.0, 0.0, steps)], **more, **talk.shown(critic, about))
    return critic


penalty = lambda weight=40.0: [GradientPenalty(weight, one_sided=True, rng=talk.rng)]

# %% [markdown]
# ## Slide 53: two measures of the same two heaps
#
# The data are a narrow heap at 0, the generated ones the same heap elsewhere. The discriminator's best loss is the
# Jensen-Shannon divergence, up to constants (slide 29). Once the heaps no longer touch it stays at $\log 2$, whether
# they are one apart or three: it has no slope that would lead the generator home. The earth mover's distance is just
# how far they are apart.
#
# Lines are exact; each dot is a network that was trained on 1,024 points of each heap.

# %% name="apart" slides=[53]
sd, shifts = 0.25, talk.short([0.0, 0.25, 0.5, 1.0, 2.0, 3.0], [0.5, 2.0])
line = np.linspace(-3, 6, 4001)
density = lambda mean: np.exp(-(line - mean)**2 / (2 * sd**2)) / np.sqrt(2 * np.pi * sd**2)


def js(mean):
    """The Jensen-Shannon divergence of the two heaps, in nats."""
    p, q = density(0.0), density(mean)
    half = np.maximum((p + q) / 2, 1e-300)
    return sum(np.trapezoid(d * np.log(np.maximum(d, 1e-300) / half), line) for d in (p, q)) / 2


said_js, said_w = [], []
softplus = lambda s: np.logaddexp(0.0, s)
for i, shift in enumerate(shifts):
    x, y = normal(0, sd), normal(shift, sd)
    judge = fitted(x, y, f"a discriminator, {i + 1} of {len(shifts)}", loss="non-saturating", lr=3e-3, epochs=25)
    of_data, of_made = (talk.on_host(judge(talk.device.put(a)).data) for a in (x, y))
    said_js.append(np.log(2) - (softplus(-of_data).mean() + softplus(of_made).mean()) / 2)
    said_w.append(score_gap(fitted(x, y, f"a critic, {i + 1} of {len(shifts)}", extras=penalty()), x, y))
between = np.linspace(0, shifts[-1], 100)
talk.save(pictures.apart({
    "earth mover's distance": ((between, between), (shifts, said_w)),
    "Jensen-Shannon divergence, in nats": ((between, [js(shift) for shift in between]), (shifts, said_js))},
    title="Two equal heaps, moved apart"), "apart")
far, farther = said_js[-2], said_js[-1]
talk.say(f"From {shifts[-2]:g} to {shifts[-1]:g} apart, the discriminator's divergence goes from {far:.3f} to "
         f"{farther:.3f} of at most {np.log(2):.3f}; the critic's distance goes from {said_w[-2]:.2f} to "
         f"{said_w[-1]:.2f}.")

# %% [markdown]
# ## Slide 55: a distance that a network can learn
#
# Nobody can move earth in 64 dimensions. But Kantorovich and Rubinstein have turned the question round: the least work
# is also the most that any function can say *against* the two heaps, if it is not too steep:
#
# $$W(p, q) = \sup_{|f(a) - f(b)| \le |a - b|}\;\mathbb E_{x\sim p} f(x) - \mathbb E_{y\sim q} f(y).$$
#
# $f$ is a price list for earth: no merchant who buys and sells at these prices can earn more than the way costs. Where
# all the earth goes the same way, the best $f$ has slope 1 there. A deep network approximates any function, so we take
# one, bound its slope, and let it climb.
#
# Slide 60 has the penalty that bounds it here. It is soft: if a distance $d$ has to be overcome, the best slope is
# $1 + d/2\lambda$, and the estimate is too large by that much. With $\lambda = 40$ it is no more than 3 % below.

# %% name="duality" slides=[55]
bumps = (talk.rng.choice([-1.0, 1.0], (n, 1)) + normal(0, 0.2)).astype(np.float32)
pairs = {"moved": (normal(0.7, 0.5), normal(-0.7, 0.5)), "wider": (normal(0, 0.4), normal(0, 1.2)),
         "two bumps, one heap": (bumps, normal(0, 0.5))}
axis = np.linspace(-3, 3, 301, dtype=np.float32)[:, None]
centred = lambda f: f - f.mean()
prices = lambda critic: centred(talk.on_host(critic(talk.device.put(axis)).data)[:, 0])
rows: list[tuple[str, float, float]] = []
columns = {}
for i, (name, (x, y)) in enumerate(pairs.items()):
    critic = fitted(x, y, f"{name}, {i + 1} of {len(pairs) + 1}", extras=penalty(), epochs=60)
    rows.append((name, exact(x, y), score_gap(critic, x, y)))
    columns[f"{name}\nexactly {rows[-1][1]:.3f}, critic {rows[-1][2]:.3f}"] = pictures.Heaps(
        x[:, 0], y[:, 0], {"critic f(x)": prices(critic)})
talk.save(pictures.heaps(axis[:, 0], columns, title="The best price list for earth"), "duality")

# %% [markdown]
# In the plane nothing can be sorted. For eight points and eight others there are 40,320 ways to pair them; the cheapest
# one is the exact distance.

# %% name="duality" slides=[55]
x, y = (talk.rng.standard_normal((8, 2)).astype(np.float32) for _ in range(2))
ways = np.array(list(itertools.permutations(range(8))))
cost = np.linalg.norm(x[:, None] - y[None], axis=2)
cheapest = float(cost[np.arange(8), ways].mean(1).min())
critic = fitted(np.tile(x, (16, 1)), y, f"eight points, {len(pairs) + 1} of {len(pairs) + 1}", extras=penalty(),
                epochs=500)
rows.append(("eight points, eight others", cheapest, score_gap(critic, x, y)))
talk.table(["sets", "exact", "trained critic", "error, %"],
           [[name, right, said, f"{100 * (said / right - 1):+.1f}"] for name, right, said in rows])
errors = {name: abs(said / right - 1) for name, right, said in rows}
talk.say(f"Of four pairs of sets the trained critics miss the exact distance by "
         f"{100 * min(errors.values()):.1f} to {100 * max(errors.values()):.1f} %. Its slope is 1 where earth has to "
         "go to the left, and -1 where it has to go to the right.")

# %% [markdown]
# ## Slide 54: a critic, and its weights in a box
#
# The changes to the program are few. The output is linear: it is a regression now, and the network a *critic*. The two
# losses are means of scores. And the slope must be bounded. The first paper does that as bluntly as can be: after each
# step all weights go back into $[-c, c]$, with $c = 0.01$.
#
# So there is *some* bound on the slope, but nobody chose it: through layers of $64$ units it can be up to
# $64^2c^3$, which is 0.004 for $c = 0.01$. What the critic learns is a distance times a constant that nobody knows.

# %% name="clipping" slides=[54] needs=["duality"]
x, y = pairs["moved"]
boxes = [0.01, 0.03, 0.1]
clipped = {c: fitted(x, y, f"weights in a box, {i + 1} of {len(boxes)}", extras=[WeightClipping(c)], lr=c / 5,
                     optimizer=optim.RMSprop) for i, c in enumerate(boxes)}
right, steepest = exact(x, y), {c: float(talk.on_host(slopes(critic, axis)).max()) for c, critic in clipped.items()}
said = {c: score_gap(critic, x, y) for c, critic in clipped.items()}
talk.table(["weights within", "estimate / exact", "largest slope", "its bound", "were it 1"],
           [[f"+-{c:g}", f"{said[c] / right:.5f}", f"{steepest[c]:.5f}", f"{64**2 * c**3:.5f}",
             said[c] / max(steepest[c], 1e-12) / right] for c in boxes])

# %% [markdown]
# The scale does not matter to a generator whose optimiser divides by the gradient's size, as RMSProp does. The last
# column asks for the rest: what share of the exact distance it would be, were the critic's largest slope 1.
#
# ## Slide 56: critic against discriminator
#
# Two heaps far apart. A discriminator that was trained until it is sure is flat wherever the generated points are: the
# gradient of $\log(1 - D)$, by which they should move, has vanished. A critic is a ramp: clipped, it is
# bent, but nowhere flat; with a penalty it is straight.

# %% name="gradients" slides=[54, 56] needs=["clipping"]
x, y = normal(1.5, 0.4), normal(-1.5, 0.4)
judge = fitted(x, y, "the discriminator", loss="minimax", lr=3e-3)
critics = {"critic, clipped": fitted(x, y, "a clipped critic", extras=[WeightClipping(0.1)], lr=0.02,
                                     optimizer=optim.RMSprop),
           "critic, with a penalty": fitted(x, y, "a critic with a penalty", extras=penalty())}
sigmoid = lambda s: 1.0 / (1.0 + np.exp(-s))
score = lambda network, at: talk.on_host(network(talk.device.put(at)).data)[:, 0]
slope = lambda network, at: talk.on_host(slopes(network, at))
pull = lambda at: sigmoid(score(judge, at)) * slope(judge, at)          # the gradient of log(1 - D) is -D times D's
talk.save(pictures.heaps(axis[:, 0], {
    "discriminator": pictures.Heaps(x[:, 0], y[:, 0], {"D(x)": sigmoid(score(judge, axis)), "gradient": pull(axis)}),
    **{name: pictures.Heaps(x[:, 0], y[:, 0], {"f(x)": centred(score(critic, axis)), "gradient": slope(critic, axis)})
       for name, critic in critics.items()}}, title="What the generated points (blue) are told"), "gradients")
vanished = float(np.median(pull(y)) / pull(axis).max())
left = {name: slope(critic, y) / slope(critic, axis).max() for name, critic in critics.items()}
least = {name: float(np.quantile(pushed, 0.1)) for name, pushed in left.items()}
talk.say(f"At a typical generated point the discriminator's gradient is {100 * vanished:.2g} % of its largest. Of the "
         f"clipped critic's largest, nine in ten of them are told {100 * least['critic, clipped']:.0f} % or more, and "
         f"of the penalised critic's {100 * least['critic, with a penalty']:.0f} %.")

# %% [markdown]
# ## Slides 57-59: a loss that means something
#
# Who trains a GAN looks at pictures, because the losses say nothing: they tell how the two players stand against each
# other. The critic's estimate is a distance. If it falls, samples get better, whoever plays.
#
# Two games on digits, in the same setting: the same networks without any normalisation, RMSProp, five turns of the
# critic for one of the generator, and before the game the critic may get to know its opponent. Only the loss, and the
# box for the weights, are changed. The quality of the samples is measured apart: by the earth mover's distance from the
# test images, along 48 random directions, in each of which it takes sorting. The generator goes slowly, so that the
# critic can keep up; the samples stay rough, and those of slide 63 are better.

# %% name="games" slides=[57, 58, 59]
images = talk.load()
small = talk.data == "digits"
signed, held_out = (2.0 * x.astype(np.float32) - 1.0 for x in (images.x_train, images.x_test[:1000]))
pixels, width, seen = signed.shape[1], 128 if small else 256, talk.short(len(signed), 320)
shown = lambda x: (talk.on_host(x) + 1.0) / 2.0


class Game:
    """Two dense networks, what the critic's loss was at each look, how far samples were from test images, and some."""

    def __init__(self, about, loss, extras):
        rng = np.random.default_rng(talk.seed)
        relu: dict[str, Any] = dict(rng=rng, weight_init=nn.init.he_normal)
        self.gan = GAN(nn.mlp([16, width, width, pixels], activation=nn.ReLU, output_activation=nn.Tanh, **relu),
                       nn.mlp([pixels, width, width, 1], activation=lambda: nn.LeakyReLU(0.2), **relu),
                       latent=16, rng=rng).to(talk.device)
        maker = optim.RMSprop(self.gan.generator_parameters(), lr=1e-4)
        critic = optim.RMSprop(self.gan.discriminator.parameters(), lr=1e-3)
        loader = data.Loader(signed[:seen], batch_size=64, rng=rng, drop_last=True, device=talk.device)
        self.losses, self.far, self.samples = [], [], []
        self.sign = -1.0 if loss == "wasserstein" else 1.0
        with one_core():
            fit_critic(self.gan.discriminator, signed[:seen], self.gan.sample(1000, rng), critic, loss=loss, rng=rng,
                       epochs=talk.epochs(10 if small else 1), batch_size=64, extras=extras,
                       **talk.shown(self.gan.discriminator, f"{about}: the critic before the game"))
            train(self.gan, loader, maker, critic, epochs=-(-talk.short(2500 if small else 10_000, 20) // len(loader)),
                  loss=loss, d_steps=5, extras=extras, after_epoch=self.look,
                  **talk.shown(self.gan, about, look=lambda gan: shown(gan.sample(20, 0))))

    def look(self, history):
        """Note the mean of the critic's loss over this epoch, and the distance at its end."""
        made = talk.on_host(self.gan.sample(len(held_out), 0))
        self.losses.append(self.sign * history["discriminator"][-1])
        self.far.append(sliced_wasserstein(made, held_out, directions=48, rng=0))
        self.samples.append(shown(made[:12]))

    def correlation(self):
        """Of the losses and the distances, over the whole game."""
        return float(np.corrcoef(self.losses, self.far)[0, 1])


games = {"GAN": Game("a GAN, 1 of 2", "minimax", []),
         "WGAN": Game("a WGAN, 2 of 2", "wasserstein", [WeightClipping(0.03)])}
talk.save(pictures.followed({name: (game.losses, game.far, game.correlation()) for name, game in games.items()},
                            loss={"GAN": "discriminator's loss", "WGAN": "critic's estimate"},
                            quality="distance from test images",
                            title="Does the loss tell how good the samples are?"), "losses", slides=[57, 58])
correlated = {name: game.correlation() for name, game in games.items()}
talk.say(f"Over the game the critic's estimate and the distance of the samples from test images have a correlation of "
         f"{correlated['WGAN']:.2f}; the discriminator's loss and that distance {correlated['GAN']:.2f}.")
moments = sorted({0, len(games["WGAN"].far) // 8, len(games["WGAN"].far) // 3, len(games["WGAN"].far) - 1})
talk.rows("stages", "As the critic's estimate falls", {
    f"estimate {games['WGAN'].losses[i]:.2f}": (games["WGAN"].samples[i], f"distance\n{games['WGAN'].far[i]:.2f}")
    for i in moments}, slides=[57])
floor = sliced_wasserstein(shown(signed[:len(held_out)]) * 2 - 1, held_out, directions=48, rng=0)
talk.rows("games", "The same networks, the same setting", {
    "data": (images.x_test[:12], f"distance\n{floor:.2f}"),
    **{name: (game.samples[-1], f"distance\n{game.far[-1]:.2f}") for name, game in games.items()}}, slides=[59])
talk.say(f"In the same setting the GAN ends {games['GAN'].far[-1]:.2f} from the test images, and the WGAN "
         f"{games['WGAN'].far[-1]:.2f}; training images are {floor:.2f} from them.")

# %% [markdown]
# A discriminator that may learn well before each turn is what the critic needs, and what starves the GAN: the better D
# is, the less it tells. That is why training a DCGAN is a balance (slide 53), and training a WGAN is not.
#
# ## What must come out
#
# The trained critics agree with the exact distance within 5 %. A box of 0.01 gives a thousandth of it or so. The
# discriminator's gradient has vanished, the critic's is there everywhere. And the critic's estimate tells how good the
# samples are.

# %% name="bounds"
for name, error in errors.items():
    talk.metric("error_" + name.replace(",", "").replace(" ", "_"), error, at_most=0.05)
talk.metric("clipped_estimate_of_exact", said[0.01] / right, at_most=0.02)
talk.metric("clipped_slope", steepest[0.01], at_most=64**2 * 0.01**3, always=True)
talk.metric("discriminators_gradient_left", vanished, at_most=0.01)
talk.metric("critics_gradient_left", least["critic, with a penalty"], at_least=0.6)
talk.metric("js_farther_less_far", farther - far, at_most=0.05)
talk.metric("w_farther_less_far", said_w[-1] - said_w[-2], at_least=0.9)
talk.metric("correlation_wgan", correlated["WGAN"], at_least=0.8)
talk.metric("correlation_gan", correlated["GAN"])
talk.metric("distance_wgan", games["WGAN"].far[-1], at_most=0.75 * games["GAN"].far[-1])
talk.metric("distance_gan", games["GAN"].far[-1])
talk.finish()
