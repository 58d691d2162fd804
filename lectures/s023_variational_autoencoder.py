# %% [markdown]
# # Slides 23-27: variational autoencoders
#
# An autoencoder gives a code to each image, but it does not say where codes lie: most points between them stand for
# nothing. A *variational* autoencoder promises that. Its codes are distributed as $p(z) = N(0, 1)$, so that whoever
# draws from that and decodes gets a new image. Its encoder does not answer with a point but with a distribution of
# codes, $q(z\,|\,x)$: a mean and a variance for each number of the code.
#
# First comes the derivation of slides 24 and 25, in numbers, where everything can be computed exactly. Then the trick
# of slide 26, the training of slide 27, and what such a model can do.

# %%
from typing import Any

import numpy as np

import minidl as md
from minidl import nn, optim, plotting
from minidl.lectures import lecture
from minidl.lectures.pictures import variational_autoencoder as pictures
from minidl.metrics.neighbours import nearest_neighbours
from minidl.tuning import one_core
from minidl.variational import VAE, LinearGaussian, WarmUp, interpolate, kl_by_sampling, quantile_grid, unit_activity

talk = lecture(23, data=["digits", "mnist", "fashion-mnist"])
images = talk.load()
seen = slice(talk.short(None, 500))
x_train, y_train = images.x_train[seen], np.asarray(images.y_train)[seen]
x_test, y_test = images.x_test[:talk.short(None, 200)], np.asarray(images.y_test)[:talk.short(None, 200)]
small = talk.data == "digits"
pixels, hidden, code, batch_size = x_train.shape[1], *((256, 8, 64) if small else (400, 20, 128))
wide = 32                                # of codes of which not all numbers will be needed
on_test, chosen = talk.device.put(x_test), images.one_of_each()
epochs = lambda full, large: talk.epochs(full if small else large)


def trained(model, *labels, x=x_train, epochs, name, **options):
    """The model, trained by Adam; its history has the loss, the error and the KL divergence, where it has those."""
    loss = VAE.terms if model.k == 1 else None
    model.history = talk.train(model, x, *labels, epochs=epochs, batch_size=batch_size, name=name, loss=loss,
                               optimizer=optim.Adam(model.parameters(), lr=2e-3 if small else 1e-3),
                               look=lambda model: model.sample(10, 0, *([np.arange(10)] if labels else [])), **options)
    return model


def bound(model, x=on_test):
    """The evidence lower bound of each item of x, in nats."""
    with md.no_grad(), one_core():
        return np.concatenate([model.elbo(x[i:i + 500]).numpy() for i in range(0, len(x), 500)])


# %% [markdown]
# ## Slide 24: what is wanted
#
# A decoder makes data of codes: $z \sim p(z)$, then $x \sim p(x\,|\,z)$. It is good if the training data are likely
# under it, $p(x) = \int p(x\,|\,z)\,p(z)\,dz$. For a network nobody can do this integral, nor say which codes fit an
# image, $p(z\,|\,x)$: the "inverse distribution" of the slide.
#
# For one decoder everybody can: a linear one with normal noise, $x = zW + b + \sigma\varepsilon$. (This is
# *probabilistic PCA*.) Here it is fitted to the images with a single code number. Slide 25 begins with Bayes' rule,
#
# $$\log p(x) = \log p(x\,|\,z) + \log p(z) - \log p(z\,|\,x),$$
#
# and that is true for *each* $z$. The left side does not care which one. The table tries some, for one test image.

# %% name="derivation" slides=[24, 25]
exact = LinearGaussian.fit(x_train.astype(np.float64), 1)
doubles = x_test.astype(np.float64)
x = doubles[chosen[0]:chosen[0] + 1]
log_normal = lambda x, mean, variance: (-0.5 * ((x - mean)**2 / variance + np.log(2 * np.pi * variance))).sum(-1)
mean, covariance = exact.posterior(x)
log_p_x = float(exact.log_likelihood(x)[0])
by_bayes = []
for z in (-2.0, 0.0, 1.0, float(mean[0, 0])):
    terms = [log_normal(x, z * exact.W + exact.b, exact.sd**2)[0], log_normal(np.array([z]), 0, 1),
             log_normal(np.array([z]), mean[0], covariance[0])]
    by_bayes.append([f"{z:.2f}", *map(float, terms), float(terms[0] + terms[1] - terms[2])])
talk.table(["z", "log p(x|z)", "log p(z)", "log p(z|x)", "log p(x)"], by_bayes)

# %% [markdown]
# ## Slide 25: a bound for everyone
#
# Since the equation holds for each $z$, it holds for their average under any distribution $q(z)$ that we like:
#
# $$\log p(x) = \underbrace{E_q[\log p(x\,|\,z)] - \mathrm{KL}(q\,\|\,p(z))}_{\text{the bound}} +
# \underbrace{\mathrm{KL}(q\,\|\,p(z\,|\,x))}_{\text{the gap}}.$$
#
# A KL divergence is never negative: so the first two terms are a lower bound. They need no integral over all codes, and
# not the posterior. The gap says how far $q$ is from the posterior, and it is 0 if $q$ is the posterior.

# %% name="derivation" slides=[24, 25]
deviation = float(np.sqrt(covariance[0, 0]))
guesses = {"the prior": (0.0, 1.0), "too wide": (mean[0, 0], 1.0),
           "too narrow": (mean[0, 0], deviation / 5),
           "a deviation aside": (mean[0, 0] + deviation, deviation), "the posterior": (mean[0, 0], deviation)}
derived = []
for name, (m, s) in guesses.items():
    q = np.array([[m]]), np.array([[s * s]])
    kl = nn.kl_unit_gaussian(q[0], np.log(q[1]), "sum").item()
    below, gap = float(exact.elbo(x, *q)[0]), float(exact.gap(x, *q)[0])
    derived.append([name, below + kl, round(-kl, 6) + 0.0, below, round(gap, 6) + 0.0, below + gap])
talk.table(["q", "E log p(x|z)", "- KL(q||p(z))", "= bound", "gap", "log p(x)"], derived)
drawn = talk.rng.standard_normal((len(doubles), 1)), np.exp(talk.rng.standard_normal((len(doubles), 1, 1)))
difference = np.abs(exact.elbo(doubles, *drawn) + exact.gap(doubles, *drawn) - exact.log_likelihood(doubles)).max()
talk.metric("identity_error", difference, at_most=1e-8, always=True)

# %% [markdown]
# And so the encoder learns: push the bound up, and $q$ comes to lie on the posterior, which nobody has computed. Here
# $q$ has two parameters, and the gradient comes from the engine.

# %% name="derivation" slides=[24, 25]
q_mean, q_log_variance = (md.Parameter(np.array([[value]])) for value in (-2.5, 2 * np.log(2 * deviation)))
climb = optim.Adam([q_mean, q_log_variance], lr=0.15, betas=(0.5, 0.9))
ways, heights = [], []
for _ in talk.each(range(talk.short(80, 2)), "the bound rises"):
    squares = md.sum((md.Tensor(x - exact.b) - q_mean @ exact.W)**2)
    squares += md.sum(md.exp(q_log_variance)) * float(np.sum(exact.W**2))
    error = 0.5 * (squares / exact.sd**2 + pixels * float(np.log(2 * np.pi * exact.sd**2)))
    loss = error + nn.kl_unit_gaussian(q_mean, q_log_variance, "sum")
    ways.append((q_mean.item(), float(np.exp(0.5 * q_log_variance.item()))))
    heights.append(-loss.item())
    climb.zero_grad()
    loss.backward()
    climb.step()
shown = [i for i in range(len(ways)) if i < 24 or i % 4 == 3]
talk.save([pictures.ascent({"p(z)": (0.0, 1.0), "p(z | x)": (mean[0, 0], deviation), "q(z)": ways[i]},
                           heights[:i + 1], log_p_x, steps=len(ways), low=heights[0],
                           title="To raise the bound is to find the posterior") for i in shown], "bound")
talk.say(f"The bound starts {log_p_x - heights[0]:.1f} nats below log p(x) = {log_p_x:.2f}, and after {len(ways)} "
         f"steps the gap is {log_p_x - heights[-1]:.4f}: "
         + ("q is the posterior." if log_p_x - heights[-1] < 0.01 else "q is on its way to the posterior."))

# %% [markdown]
# ## "2 Gaussians! Closed-form solution"
#
# The divergence between $q = N(\mu, \sigma^2)$ and the prior needs no sampling:
# $\mathrm{KL} = \frac12\sum_j(\mu_j^2 + \sigma_j^2 - \log\sigma_j^2 - 1)$. Is that so? The mean of
# $\log q(z) - \log p(z)$ over codes drawn from $q$ has to agree, up to its standard error.

# %% name="kl" slides=[25]
means, log_variances = talk.rng.normal(size=(5, 8)), talk.rng.normal(size=(5, 8)) - 1
closed = nn.kl_unit_gaussian(means, log_variances, "none")
sampled = {n: kl_by_sampling(means, log_variances, n=n, rng=talk.rng) for n in (100, 10_000)}
talk.table(["", "closed form", *[f"{n:,} codes" for n in sampled]], [
    [f"q {i + 1}", float(closed[i]), *[f"{kl[i]:.3f} +- {error[i]:.3f}" for kl, error in sampled.values()]]
    for i in range(5)])
talk.metric("kl_standard_errors", max(np.abs((kl - closed) / error).max() for kl, error in sampled.values()),
            at_most=5, always=True)

# %% [markdown]
# ## A plane of codes
#
# Now with networks. The encoder gives mean and variance of each of two code numbers, the decoder the probability of
# ink in each pixel. What training makes small is, per image, the cross-entropy of the pixels plus the KL divergence.
#
# The film shows the codes of test images while the network learns, and beside them what the plane stands for: codes at
# the quantiles of the prior, decoded.

# %% name="plane" slides=[23, 26]
plane, frames = VAE([pixels, hidden, 2], rng=talk.seed), list[Any]()


def plane_picture(model):
    grid = talk.images(model.decode(talk.device.put(quantile_grid(12))))
    return pictures.plane(talk.on_host(model.encode(on_test))[:2000], y_test[:2000], grid)


def keep(model):
    epoch = len(frames)
    frames.append(plane_picture(model) if epoch < 4 or epoch in (6, 9, 14, 20, 30, 50, 80) else None)
    return -bound(model).mean()


trained(plane, epochs=epochs(120, 15), name="plane", validate=keep)
talk.save([frame for frame in frames if frame] + [plane_picture(plane)], "latent-space")
talk.save(plotting.image_grid(talk.images(plane.decode(talk.device.put(quantile_grid(20)))), columns=20,
                              title="The manifold that two numbers describe"), "manifold")
seen_codes, codes = (talk.on_host(plane.encode(talk.device.put(x))) for x in (x_train, x_test))
agree = float((y_train[nearest_neighbours(seen_codes, codes, 1)[1][:, 0]] == y_test).mean())
talk.say(f"Two numbers an image, and no label has been seen: yet in {100 * agree:.0f} % of the test images the nearest "
         f"code of a training image is one of the same class. The bound on log p(x) is {bound(plane).mean():.1f} nats.")
talk.metric("plane_neighbours", agree, at_least=0.55 if small else None)

# %% [markdown]
# ## Slide 26: how to differentiate through a draw
#
# The first term of the bound is an average over codes drawn from $q(z\,|\,x)$, and its gradient by the parameters of
# $q$ is wanted. There are two ways to estimate it.
#
# *The score function* works for every distribution: $\nabla E_q[f(z)] = E_q[f(z)\,\nabla\log q(z)]$. Draw codes, and
# make the good ones likelier. It sees the values of $f$ alone.
#
# *Reparameterisation* draws the noise elsewhere: $z = \mu + \sigma\varepsilon$ with $\varepsilon \sim N(0, 1)$. Then
# $\nabla_\mu E[f(\mu + \sigma\varepsilon)] = E[f'(\mu + \sigma\varepsilon)]$: the gradient of the decoder says in which
# direction the code should move. Both are right on average. Below are both, for one test image, by its first code
# number.

# %% name="gradient" slides=[26] needs=["plane"]
runs, draws = 20, talk.short(500, 50)
one = md.Tensor(on_test[chosen[3]:chosen[3] + 1])
with md.no_grad():
    mu, log_variance = plane.posterior(one)
sigma = np.exp(0.5 * log_variance.numpy())
noise = talk.rng.standard_normal((runs * draws, 1, 2), dtype=np.float32)
drawn_codes = md.Tensor(talk.device.put(mu.numpy() + sigma * noise), requires_grad=True)
with plane.frozen(), one_core():
    f = plane.log_p(one, drawn_codes)
    slopes = md.grad(md.sum(f), drawn_codes).numpy()[:, 0]
score = f.numpy()[:, :1] * noise[:, 0] / sigma
baseline = (f.numpy()[:, :1] - f.numpy().mean()) * noise[:, 0] / sigma
estimated = {"score function": score, "score, less the mean": baseline, "reparameterisation": slopes}
variances = {name: float(values.var(0).sum()) for name, values in estimated.items()}
talk.table(["gradient by the mean", "estimate", "variance of a draw", "draws needed"], [
    [name, f"{values[:, 0].mean():.3f} +- {values[:, 0].std() / np.sqrt(len(values)):.3f}", f"{variances[name]:.1f}",
     f"{variances[name] / variances['reparameterisation']:,.0f}"] for name, values in estimated.items()])
talk.save(pictures.estimates({name: values[:, 0].reshape(runs, draws) for name, values in estimated.items()},
                             float(slopes[:, 0].mean()), title="One gradient, estimated three estimated, twenty times"),
          "gradients")
ratio, with_baseline = (variances[name] / variances["reparameterisation"] for name in list(estimated)[:2])
talk.say(f"A draw by reparameterisation is worth {ratio:,.0f} of the score function's, or {with_baseline:,.0f} if the "
         "mean of f is subtracted first.")
apart = abs(score[:, 0].mean() - slopes[:, 0].mean()) / np.hypot(*(v[:, 0].std() for v in (score, slopes)))
talk.metric("estimates_standard_errors_apart", apart * np.sqrt(len(slopes)), at_most=5, always=True)
talk.metric("variance_ratio", ratio, at_least=20)

# %% [markdown]
# ## Slide 27: "every iteration we use different $\varepsilon$"
#
# A popular mistake is to draw the noise once, before the loop. Three times the same network: with fresh noise; with the
# same noise in each batch; with a single $\varepsilon$ for all images.
#
# To a network, noise that never changes is no noise. It learns to subtract it, sends what it wants through the code,
# and pays only the price of a wide $q$. Its own loss looks wonderful.

# %% name="noise" slides=[27]


class FixedNoise(VAE):
    """A VAE that draws its noise once."""

    fixed: Any

    def draw(self, mean, log_variance, k=None):
        return mean + md.exp(0.5 * log_variance) * self.fixed[:len(mean)]


def fixed(rows):
    """A network with so many rows of noise for all batches."""
    model = FixedNoise([pixels, hidden, code], rng=talk.seed)
    noise = np.random.default_rng(talk.seed).standard_normal((rows, code), dtype=np.float32)
    model.fixed = talk.device.put(noise.repeat(batch_size // rows, axis=0))
    return model


def honest(model):
    """A VAE that has the model's weights, and draws."""
    fresh = VAE([pixels, hidden, code], rng=talk.seed).to(talk.device)
    fresh.load_state_dict(model.state_dict())
    return fresh


networks = {"fresh noise": VAE([pixels, hidden, code], rng=talk.seed), "one batch of noise": fixed(batch_size),
            "one noise for all": fixed(1)}
for name, network in networks.items():
    trained(network, epochs=epochs(60, 10), name=name, about=talk.of(name, networks),
            schedule="cosine" if small else None)
believed = {name: -network.history["loss"][-1] for name, network in networks.items()}
true = {name: float(bound(honest(network)).mean()) for name, network in networks.items()}
talk.table(["trained with", "bound in training", "bound of test images"],
           [[name, believed[name], true[name]] for name in networks])
few = chosen[:8] if len(chosen) >= 8 else chosen
real = on_test[few.tolist()]
with md.no_grad():
    talk.rows("fixed-noise", "Test images through codes that are drawn", {"data": (real, "bound,\nnats"), **{
        name.replace(" of ", "\nof ").replace(" for ", "\nfor "):
        (model.decode(model.draw(*model.posterior(real)).data), f"{true[name]:.1f}")
        for name, model in ((name, honest(network)) for name, network in networks.items())}})
talk.say(f"With one noise for all, training reports a bound of {believed['one noise for all']:.1f}; with noise that is "
         f"really drawn it is {true['one noise for all']:.1f}. With fresh noise the bound is "
         f"{believed['fresh noise']:.1f} in training and {true['fresh noise']:.1f} for test images.")
talk.metric("bound", true["fresh noise"], at_least={"digits": -25.5, "mnist": -106.5}.get(talk.data))
talk.metric("bound_lost_by_one_batch_of_noise", true["fresh noise"] - true["one batch of noise"],
            at_least=0.3 if small else None)
talk.metric("bound_lost_by_one_noise", true["fresh noise"] - true["one noise for all"], at_least=20 if small else None)

# %% [markdown]
# ## What it can do
#
# *Reconstruct*: the mean of $q$, decoded. *Sample*: a code from the prior, decoded. What the decoder gives is a mean;
# an *ancestral* sample draws the pixels as well, each for itself, which those of no real image are. *Interpolate*: walk
# from one code to another.
#
# So far the decoder took a pixel for a coin. A grey pixel is then a coin that nobody can foresee, and a nat for the
# code buys little. In a second network a pixel is a normal number: the error is $|x - f(z)|^2 / 2\sigma^2$, with one
# $\sigma$ for all pixels that is learned like any weight. The smaller $\sigma$ becomes, the more an exact code is
# worth.

# %% name="samples" slides=[23, 27] needs=["noise"]
coins = networks["fresh noise"]
vae = trained(VAE([pixels, hidden, code], output="linear", sd=None, rng=talk.seed), epochs=epochs(150, 15),
              name="normal", about="normal pixels")
ends, shown = vae.encode(on_test[chosen[[3, 8]].tolist()]), on_test[chosen.tolist()]
talk.rows("samples", "Variational autoencoders", {
    "test images": shown, "coins": coins.reconstruct(shown), "normal pixels": vae.reconstruct(shown),
    "samples": vae.sample(10, talk.seed), "ancestral": vae.sample(10, talk.seed, means=False),
    "3 to 8": vae.decode(interpolate(ends[0], ends[1], 10))})
errors = {name: float(((talk.on_host(model.reconstruct(on_test)) - x_test)**2).sum(1).mean())
          for name, model in (("coins", coins), ("normal", vae))}
deviation = float(np.exp(0.5 * vae.log_variance.item()))
talk.say(f"With coins the code says {coins.history['kl'][-1]:.1f} nats an image and the squared error is "
         f"{errors['coins']:.2f}; with normal pixels, whose deviation became {deviation:.2f}, it says "
         f"{vae.history['kl'][-1]:.1f} nats and the error is {errors['normal']:.2f}.")
talk.metric("error_of_normal_pixels", errors["normal"] / errors["coins"], at_most=0.95 if small else None)

# %% [markdown]
# ## With labels
#
# A *conditional* model has $p(x\,|\,z, y)$ and $q(z\,|\,x, y)$: both networks are told the class. The code need not say
# it again, and is free for the style. In the picture all images of a row have the same code, and all of a column the
# same label.

# %% name="conditional" slides=[27]
conditional = VAE([pixels, hidden, code], rng=talk.seed, classes=10)
trained(conditional, y_train, epochs=epochs(100, 10), name="conditional")
styles = conditional.draw_codes(6, talk.seed)
talk.save(plotting.image_grid(talk.images(conditional.decode(styles.repeat(10, axis=0), np.tile(np.arange(10), 6))),
                              columns=10, title="A row is a code, a column is a label"), "columns")
wanted = np.arange(500) % 10
made = talk.on_host(conditional.sample(500, talk.seed, wanted))
right = float((y_train[nearest_neighbours(x_train, made, 1)[1][:, 0]] == wanted).mean())
talk.say(f"Of 500 samples {100 * right:.1f} % have a nearest training image of the class that was asked for.")
talk.metric("conditional_right", right, at_least=0.95 if small else None)

# %% [markdown]
# ## Collapse, beta and warm-up
#
# A code unit costs its KL divergence, and pays by what it tells the decoder. One that does not pay is switched off: its
# $q$ becomes the prior, whatever the image. This is *posterior collapse*. A unit counts as active if its mean varies
# over the data by more than 0.01 (Burda et al. 2016).
#
# $\beta$ is the price of a nat: small, and codes are precise, but no longer distributed as the prior; large, and all of
# them collapse. A *warm-up* starts at the price 0 and ends at 1, so that units are not given up before the decoder has
# learned to listen.

# %% name="collapse" slides=[27]
length = epochs(60, 6)
steps = length * -(-len(x_train) // batch_size)
prices: dict[str, float | WarmUp] = {"beta 0.1": 0.1, "beta 1": 1.0, "warm-up to 1": WarmUp(max(1, steps // 2)),
                                     "beta 4": 4.0}
units, rows = {}, []
for name, beta in prices.items():
    model = trained(VAE([pixels, hidden, wide], rng=talk.seed, beta=beta), epochs=length, name=name,
                    about=talk.of(name, prices))
    units[name] = unit_activity(model, on_test)
    kl = float(units[name].kl.sum())
    rows.append([name, -float(bound(model).mean()) - kl, kl, float(bound(model).mean()), int(units[name].active.sum())])
talk.table(["price of a nat", "error", "KL", "bound", f"active of {wide}"], rows)
talk.save(plotting.curves({name: (np.arange(1, wide + 1), np.sort(talk.on_host(u.kl))[::-1])
                           for name, u in units.items()}, x="code unit, by rank", y="KL divergence, nats",
                          title="What each code unit costs"), "units")
active = {name: int(u.active.sum()) for name, u in units.items()}
talk.say(f"Of {wide} units {active['beta 0.1']} are active at a price of 0.1 a nat, {active['beta 1']} at 1, and "
         f"{active['beta 4']} at 4" + (": all have collapsed" if not active["beta 4"] else "") + ". With the warm-up "
         f"they are {active['warm-up to 1']}, and the codes say {float(units['warm-up to 1'].kl.sum()):.2f} nats "
         f"instead of {float(units['beta 1'].kl.sum()):.2f}.")
talk.metric("active_beta_4", active["beta 4"], at_most=4 if small else None)
talk.metric("active_beta_01", active["beta 0.1"], at_least=20 if small else None)
talk.metrics(active_beta_1=active["beta 1"], active_warm_up=active["warm-up to 1"],
             kl_beta_1=units["beta 1"].kl.sum(), kl_warm_up=units["warm-up to 1"].kl.sum())

# %% [markdown]
# ## How likely are the data?
#
# The bound is a sure promise, but how far below the truth is it? With $k$ codes instead of one,
#
# $$\log p(x) \ge E\Big[\log\frac1k\sum_{i=1}^k\frac{p(x, z_i)}{q(z_i\,|\,x)}\Big],$$
#
# the bound rises with $k$ and ends at $\log p(x)$ (Burda et al. 2016). It is how such models are measured. It can also
# be the loss: then $q$ may be wrong in places, if it is right in one of its $k$ draws. Pixels are drawn as 0 or 1 here,
# with the probabilities that the images give; only then is $p(x)$ a likelihood.

# %% name="likelihood" slides=[25, 27]
ink, ink_test = ((talk.rng.random(x.shape) < x).astype(np.float32) for x in (x_train, x_test))
ink_test, ks = talk.device.put(ink_test[:500]), [1, 5, 50, talk.short(500, 60)]
losses = {"k = 1": 1, "k = 20": talk.short(20, 3)}
estimates = {}
for name, k in losses.items():
    model = trained(VAE([pixels, hidden, wide], rng=talk.seed, k=k), x=ink, epochs=epochs(30, 4), name=f"IWAE, {name}",
                    about=talk.of(name, losses))
    with one_core():
        estimates[f"trained with {name}"] = [talk.on_host(model.log_likelihood(ink_test, k=j, rng=talk.rng))
                                             for j in ks]
talk.save(pictures.bounds(ks, estimates, title="The more codes, the closer is the bound"), "likelihood")
talk.table(["", *[f"k = {k}" for k in ks]], [[name, *[f"{e.mean():.2f}" for e in found]]
                                             for name, found in estimates.items()])
plain, weighted = estimates.values()
rises = [(b - a).mean() / ((b - a).std() / np.sqrt(len(a))) for a, b in zip(plain[:2], plain[1:3], strict=True)]
to_50, further, of_1, gain = (float((b - a).mean()) for a, b in (
    (plain[0], plain[2]), (plain[2], plain[3]), (plain[0], weighted[0]), (plain[3], weighted[3])))
talk.say(f"From 1 code to 50 the first network's bound rises by {to_50:.2f} nats, and from there to {ks[-1]} by "
         f"{further:.2f}. Training with {losses['k = 20']} codes changes the bound of 1 code by {of_1:+.2f} nats, and "
         f"that of {ks[-1]}, the nearest to the likelihood, by {gain:+.2f}.")
talk.metric("bound_rises_standard_errors", min(rises), at_least=3)
talk.metric("weighted_training_gains", gain, at_least=0.2 if small else None)

# %%
talk.finish()
