# %% [markdown]
# # Slides 60-63: improved Wasserstein GAN, the gradient penalty
#
# A critic must not be too steep. The Wasserstein GAN of slide 53 puts its weights into a box, $[-c, c]$, and hopes. A
# year later the same question was asked plainly: if the slope should be 1, why not say so? The penalty
#
# $$\lambda\;\mathbb E_{\hat x}\big(|\nabla_{\hat x} f(\hat x)| - 1\big)^2,\qquad \hat x = u\,x + (1-u)\,G(z),\;
# u \sim U[0, 1],$$
#
# is paid at random points between a real and a generated item. $\lambda$ is 10 in the paper. This lecture holds both
# ways side by side: what they cost, what they see, and what becomes of gradients on the way through many layers.

# %%
from collections.abc import Callable
from typing import Any

import numpy as np

import minidl as md
from minidl import data, nn, optim, plotting
from minidl.adversarial import (
    GAN,
    GradientPenalty,
    Turn,
    WeightClipping,
    dcgan_generator,
    fit_critic,
    score_gap,
    slopes,
    train,
    wasserstein,
)
from minidl.lectures import lecture
from minidl.lectures.pictures import improved_wasserstein_gan as pictures
from minidl.metrics import sliced_wasserstein
from minidl.tuning import one_core

talk = lecture(60, data=["digits", "mnist"])
n = talk.short(2048, 128)
he: dict[str, Any] = dict(activation=nn.ReLU, weight_init=nn.init.he_normal)


def fitted(critic, x, y, about, *, lr, steps, optimizer=optim.Adam, **more):
    """The critic after it was trained to tell the sets x and y (N, d) apart."""
    critic.to(talk.device)
    epochs = -(-talk.short(steps, 2) // -(-len(x) // 128))
    adam = optimizer(critic.parameters(), lr)
    with one_core():
        fit_critic(critic, x, y, adam, epochs=epochs, batch_size=128, rng=talk.rng, **more,
                   schedules=[optim.LinearLR(adam, 1.0, 0.0, epochs * -(-len(x) // 128))], **talk.shown(critic, about))
    return critic


restless = lambda parameters, lr: optim.Adam(parameters, lr, betas=(0.5, 0.9))
penalty = lambda weight=10.0, **more: [GradientPenalty(weight, rng=talk.rng, **more)]

# %% [markdown]
# ## Slide 60: a gradient within the loss
#
# The penalty contains a gradient, and the critic learns by the penalty's gradient: the program differentiates what it
# has differentiated. `GradientPenalty` is a few lines over `md.grad(..., create_graph=True)`. Is the result right? We
# move each critic's weights a little along a random direction, in float64, and compare.

# %% name="penalty" slides=[60]
def wrong_by(critic, shape):
    """The relative error of the penalty's derivative along a random direction of the weights."""
    critic.astype(np.float64)
    rng = np.random.default_rng(talk.seed)
    real, fake = rng.standard_normal((2, *shape))
    game = GAN(nn.Linear(1, 1, rng=0), critic, latent=1, rng=0)
    turn = Turn(game, wasserstein(), (real,), real, (real,), (fake,))
    paid = lambda: GradientPenalty(10.0, rng=talk.seed).discriminator(turn)
    parameters, step = critic.parameters(), 1e-5
    paid().backward()
    ways = [rng.standard_normal(p.shape) for p in parameters]
    slope = sum(float((p.grad.numpy() * way).sum()) for p, way in zip(parameters, ways, strict=True)
                if p.grad is not None)                              # the last bias has no part in a slope
    costs = []
    for sign in (1, -2):
        for p, way in zip(parameters, ways, strict=True):
            p.data += sign * step * way
        costs.append(paid().item())
    return abs((costs[0] - costs[1]) / (2 * step) / slope - 1)


smooth = lambda *sizes: nn.mlp(list(sizes), rng=talk.seed, activation=nn.Tanh, weight_init=nn.init.he_normal)
wrong = {"dense": wrong_by(smooth(5, 8, 8, 1), (6, 5)),
         "convolutional": wrong_by(nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, rng=talk.seed), nn.Tanh(),
                                                 nn.Conv2d(4, 4, 4, stride=2, padding=1, rng=talk.seed), nn.Tanh(),
                                                 nn.Flatten(), smooth(4 * 4 * 4, 1)), (6, 8, 8, 1))}
talk.table(["critic", "relative error"], [[name, f"{error:.1e}"] for name, error in wrong.items()])

# %% [markdown]
# A penalty is no bound, it is a price. Let all the earth be a distance $d$ to the right of where it should be. A critic
# of slope $s$ gains $s\,d$ and pays $\lambda(s-1)^2$, so the best slope is $1 + d/2\lambda$. That can be seen:

# %% name="penalty" slides=[60]
heap = 0.3 * talk.rng.standard_normal((n, 1)).astype(np.float32)
there, prices = heap + np.float32(2.0), [1.0, 3.0, 10.0, 30.0]
found = []
for i, weight in enumerate(prices):
    critic = fitted(nn.mlp([1, 64, 64, 1], rng=talk.rng, **he), there, heap[::-1], f"price {weight:g}, {i + 1} of 4",
                    lr=5e-3, steps=320, optimizer=restless, extras=penalty(weight))
    found.append(score_gap(critic, there, heap) / 2.0)
talk.save(plotting.curve_panels({"": {"1 + d / (2 lambda)": (prices, 1 + 1.0 / np.array(prices)),
                                      "trained critics": (prices, found)}}, log_x=True,
                                x="price of the penalty, lambda", y="estimate / distance",
                                title="How much too steep is the best critic?"), "price")
talk.say(f"With the paper's price of 10 a critic says {found[2]:.2f} times the distance of 2, and the theory "
         f"{1 + 1 / 10:.2f} times. What is near is estimated better than what is far.")

# %% [markdown]
# ## Slide 61: what the two critics see
#
# As in the paper's first figure: the data are a ring of Gaussians, a grid of them, and a roll; "generated" is what
# comes of data by adding noise. Each critic is trained to the end. Divided by its largest slope, what it says is a
# lower bound of the earth mover's distance, by the duality of slide 55. The higher, the better the critic. The penalty
# counts only slopes above 1 here: one that also asks for a slope where there is nothing to be carried takes longer.

# %% name="surfaces" slides=[61]
def plane_critic():
    """Three hidden layers for points in the plane."""
    return nn.mlp([2, 64, 64, 64, 1], rng=talk.rng, **he)


clouds = {"ring": data.ring(n, sd=0.02, rng=talk.rng)[0] / 1.4, "grid": data.grid(n, sd=0.05, rng=talk.rng)[0] / 2.83,
          "roll": data.swiss_roll(n, rng=talk.rng, noise=0.25)[0][:, [0, 2]] / 7}
BOX = 0.1
kinds: dict[str, Callable[..., Any]] = {
    "weights in a box": lambda *sets: fitted(plane_critic(), *sets, lr=0.01, steps=900, optimizer=optim.RMSprop,
                                             extras=[WeightClipping(BOX)]),
    "gradient penalty": lambda *sets: fitted(plane_critic(), *sets, lr=5e-3, steps=500, optimizer=restless,
                                             extras=penalty(one_sided=True))}
critics, bounds = {}, {}
shown: dict[str, list[pictures.Surface]] = {}
for kind, fit in kinds.items():
    shown[kind] = []
    for cloud, x in clouds.items():
        x = x.astype(np.float32)
        noisy = x + 0.5 * talk.rng.standard_normal(x.shape).astype(np.float32)
        critic = critics[kind, cloud] = fit(x, noisy, f"{cloud}, {kind}")
        places = np.concatenate([x, noisy])
        bounds[kind, cloud] = score_gap(critic, x, noisy) / float(talk.on_host(slopes(critic, places)).max())
        shown[kind].append(pictures.Surface(x[:1000], lambda at, critic=critic: critic(talk.device.put(at)).data[:, 0],
                                            f"distance at least {bounds[kind, cloud]:.3f}"))
talk.save(pictures.surfaces(shown, title="Levels of critics that were trained to the end"), "surfaces")
ratios = [bounds["gradient penalty", cloud] / bounds["weights in a box", cloud] for cloud in clouds]
talk.say(f"The penalised critics prove distances that are {min(ratios):.1f} to {max(ratios):.1f} times those of the "
         "critics in a box" + (", which are too simple: they see the middle of the data, and not their parts."
                               if min(ratios) > 1 else "."))

# %% [markdown]
# Why? Here is where their weights are. A critic in a box wants to be as steep as it can, and the way there is to push
# every weight against the wall. What is left to learn is a choice of signs.

# %% name="weights" slides=[61] needs=["surfaces"]
of = lambda critic: np.concatenate([p.numpy().ravel() for p in critic.parameters() if p.ndim == 2])
kept = {kind: of(critics[kind, "roll"]) for kind in kinds}
at_the_wall = float((np.abs(kept["weights in a box"]) > 0.99 * BOX).mean())
talk.save(pictures.weights(kept, title="Where the weights of the roll's critics are"), "weights")
talk.say(f"{100 * at_the_wall:.0f} % of the weights in the box lie at its walls; the penalised critic's have no walls.")

# %% [markdown]
# ## Slide 62: through many layers
#
# Each layer multiplies the gradient by its weights. In a box of a given size that is a factor that nobody has chosen:
# a little too small, and after twelve layers nothing arrives; a little too large, and it explodes. The penalty asks for
# a slope of 1 from end to end. Critics of twelve hidden layers on the roll, and how large the gradient of their loss is
# at each layer, as a share of what it is at the last one.

# %% name="layers" slides=[62] needs=["surfaces"]
deep = lambda: nn.mlp([2, *[32] * 12, 1], rng=talk.rng, **he)
x = clouds["roll"].astype(np.float32)
noisy = x + 0.5 * talk.rng.standard_normal(x.shape).astype(np.float32)
trained = {f"c = {c:g}": fitted(deep(), x, noisy, f"twelve layers, c = {c:g}", lr=c / 10, steps=200,
                                optimizer=optim.RMSprop, extras=[WeightClipping(c)]) for c in (0.01, 0.1, 0.3)}
trained["penalty"] = fitted(deep(), x, noisy, "twelve layers, penalty", lr=1e-3, steps=200, optimizer=restless,
                            extras=penalty())


def norms(critic):
    """The size of the loss's gradient for the activations of each hidden layer, from the first to the last."""
    activations, costs = [], []
    for sign, rows in ((-1.0, x[:500]), (1.0, noisy[:500])):
        h, passed = md.Tensor(talk.device.put(rows), requires_grad=True), []
        for layer in critic:
            h = layer(h)
            if isinstance(layer, nn.ReLU):
                passed.append(h)
        activations.append(passed)
        costs.append(sign * md.mean(h))
    gradients = md.grad(costs[0] + costs[1], activations[0] + activations[1])
    sizes = np.array([float((g.data**2).sum()) for g in gradients]).reshape(2, -1).sum(0)
    return np.sqrt(sizes / sizes[-1])


through = {name: norms(critic) for name, critic in trained.items()}
layers = np.arange(1, 13)
talk.save(plotting.curves({name: (layers, np.maximum(sizes, 1e-30)) for name, sizes in through.items()}, log=True,
                          x="hidden layer", y="gradient, of that at the last layer",
                          title="What arrives on the way back"), "layers")
arrives = {name: float(sizes[0]) for name, sizes in through.items()}
talk.say("At the first of twelve layers there arrives, of the gradient at the last one: "
         + ", ".join(f"{size:.2g} times for {name}" for name, size in arrives.items()) + ".")

# %% [markdown]
# A gradient that grows or shrinks a little from layer to layer is no harm; one that grows by a factor of ten is.
#
# ## Slide 63: convergence
#
# Three games on digits: the same networks, the same batches and turns; the loss, what bounds the slope, and the
# optimiser that each paper takes are changed. Adam's momentum and weights in a box do not go together, so the box has
# RMSProp. The distance is measured apart, along random directions, in each of which it takes sorting.

# %% name="convergence" slides=[63]
images = talk.load(flat=False)
small = talk.data == "digits"
seen = talk.short(len(images.x_train), 320)
x_train, x_test = (2.0 * a.astype(np.float32) - 1.0 for a in (images.x_train[:seen], images.x_test[:500]))
flat = lambda x: talk.on_host(x).reshape(len(x), -1)
side = x_test.shape[1]
if small:
    x_train, x_test = flat(x_train), flat(x_test)
gray = lambda x: (flat(x).reshape(-1, side, side) + 1.0) / 2.0
leaky = lambda: nn.LeakyReLU(0.2)


def networks(rng):
    """A generator and a critic without batch normalisation: dense ones for digits, convolutional ones for MNIST."""
    if small:
        return (nn.mlp([16, 128, 128, side**2], rng=rng, output_activation=nn.Tanh, **he),
                nn.mlp([side**2, 128, 128, 1], rng=rng, **he | {"activation": leaky}))
    conv = lambda before, after: nn.Conv2d(before, after, 4, stride=2, padding=1, rng=rng)
    return (dcgan_generator((side, side, 1), latent=16, channels=32, rng=rng),
            nn.Sequential(conv(1, 32), leaky(), conv(32, 64), leaky(), nn.Flatten(),
                          nn.Linear(64 * (side // 4)**2, 1, rng=rng)))


def played(about, loss, optimizer, lr, extras, turns=3):
    """The GAN after its game, and its distance from test images after each epoch."""
    rng = np.random.default_rng(talk.seed)
    gan = GAN(*networks(rng), latent=16, rng=rng).to(talk.device)
    optimizers = [optimizer(p, lr) for p in (gan.generator_parameters(), gan.discriminator.parameters())]
    loader = data.Loader(x_train[:22 * 64], batch_size=64, rng=rng, drop_last=True, device=talk.device)
    far = []
    with one_core():
        train(gan, loader, *optimizers, epochs=-(-talk.short(1500 if small else 900, 10) // len(loader)), loss=loss,
              d_steps=turns, extras=extras, after_epoch=lambda history: far.append(sliced_wasserstein(
                  flat(gan.sample(300, 0)), flat(x_test), directions=64, rng=0)),
              **talk.shown(gan, about, look=lambda gan: gray(gan.sample(20, 0))))
    return gan, np.arange(1, len(far) + 1) * len(loader) / turns, far


games = {"GAN": played("a GAN, 1 of 3", "minimax", restless, 5e-4, []),
         "WGAN": played("a WGAN, 2 of 3", "wasserstein", optim.RMSprop, 5e-4, [WeightClipping(0.03)]),
         "WGAN-GP": played("a WGAN-GP, 3 of 3", "wasserstein", restless, 5e-4, penalty())}
floor = sliced_wasserstein(flat(x_train[:300]), flat(x_test), directions=64, rng=0)
talk.save(plotting.curves({name: (steps, far) for name, (_, steps, far) in games.items()}, x="generator's steps",
                          y="distance from test images", levels={"training images": floor},
                          title="Three games on digits"), "convergence")
ends = {name: float(np.mean(far[-3:])) for name, (_, _, far) in games.items()}
talk.say("In the end the samples are so far from test images: "
         + ", ".join(f"{name} {end:.3f}" for name, end in ends.items())
         + f". Training images are {floor:.3f} from them" + (
             ": at this size a box does no harm." if ends["WGAN-GP"] > 0.9 * ends["WGAN"] else "."))
talk.rows("samples", "Samples after the game", {
    "data": (x_test[:12] / 2 + 0.5, f"distance\n{floor:.3f}"),
    **{name: (gray(gan.sample(12, 0))[..., None], f"distance\n{ends[name]:.3f}")
       for name, (gan, *_) in games.items()}})

# %% [markdown]
# ## What must come out
#
# The penalty's gradient is right to six digits or more, and its price what theory says. The penalised critics prove
# more than those in a box, whose weights lie at the walls. Through twelve layers the penalty's gradient stays, and some
# box loses it. On small images and with few layers the two end near each other. For modes,
# `python -m minidl.adversarial.mode_benchmark ring --variants wgan wgan-gp` has the numbers.

# %% name="bounds"
for kind, error in wrong.items():
    talk.metric("penalty_wrong_by_" + kind, error, at_most=1e-6, always=True)
talk.metric("slope_beyond_theory", max(abs(said - 1 - 1 / price) for said, price in zip(found, prices, strict=True)
                                       if price >= 3), at_most=0.05)
talk.metric("bound_of_penalty_over_box", min(ratios), at_least=1.1)
talk.metric("weights_at_the_wall", at_the_wall, at_least=0.5)
for name, size in arrives.items():
    talk.metric("arrives_with_" + name.replace(" = ", "_"), size)
talk.metric("factor_with_penalty", max(arrives["penalty"], 1 / max(arrives["penalty"], 1e-12)), at_most=20)
talk.metric("arrives_through_the_smallest_box", arrives["c = 0.01"], at_most=1e-3)
for name, end in ends.items():
    talk.metric("distance_" + name.lower(), end)
talk.metric("wgan_gp_over_wgan", ends["WGAN-GP"] / ends["WGAN"], at_most=1.25 if small else None)
talk.finish()
