# %% [markdown]
# # Slide 99: training by contrastive divergence
#
# The gradient of a restricted machine's likelihood is $\langle v_i h_j\rangle_{\text{data}} -
# \langle v_i h_j\rangle_{\text{model}}$. The first half is easy. The second asks for samples of the machine in
# equilibrium, which takes a chain many steps. Contrastive divergence (CD) does not wait: it starts the chain at the
# data, and takes *one* step. "This is not following the gradient of the log likelihood. But it works well", says the
# slide. This lecture measures both sentences: how wrong the direction is, what better chains gain, and which
# numbers can be believed while a machine learns.

# %%
import warnings
from typing import NamedTuple

import numpy as np

import minidl as md
from minidl import data, energy, optim, plotting
from minidl.energy.enumeration import states
from minidl.lectures import lecture
from minidl.lectures.pictures import contrastive_divergence as pictures
from minidl.tuning import one_core

talk = lecture(99, data=["digits", "mnist"])
images, put = talk.load(), talk.device.put
black_and_white = lambda x: (x > 127 / 255).astype(np.float32)
x_train, x_test = black_and_white(images.x_train[:talk.short(None, 300)]), black_and_white(images.x_test)


class Plan(NamedTuple):
    hidden: int = 12            # so few that log Z is a sum
    epochs: int = 100
    batch_size: int = 50
    lr: float = 0.3
    seeds: int = 3
    looks: int = 10             # how often the likelihood is measured on the way
    sparsity_cost: float = 1.0  # with 784 pixels as much would throw the weights apart


plan = {"digits": Plan(), "mnist": Plan(hidden=talk.short(20, 12), epochs=8, batch_size=100, lr=0.1, seeds=1, looks=1,
                                        sparsity_cost=0.1)}[talk.data]


def learned(trainer, about, *, hidden=plan.hidden, x=x_train, epochs=plan.epochs, batch_size=plan.batch_size,
            lr=plan.lr, momentum=0.0, weight_cost=0.0, falling=True, seed=talk.seed, augment=None, name="",
            after=lambda epoch, rbm, trainer: None):
    """A machine that `trainer(rbm, rng)` has trained on x, and that trainer. The rate falls to 0, if `falling`."""
    rng = np.random.Generator(np.random.SFC64(seed))
    rbm = energy.RBM(x.shape[1], hidden, rng=rng).to(talk.device).set_biases(put(x))
    loader = data.Loader(x, batch_size=batch_size, rng=rng, device=talk.device, augment=augment)
    optimizer = optim.SGD(rbm.named_parameters(), lr=lr, momentum=momentum,
                          weight_decay=lambda name, p: weight_cost if name == "W" else 0.0)
    trainer, epochs = trainer(rbm, rng), talk.epochs(epochs)
    look = lambda rbm: {"chains": talk.images(trainer.fantasy[:20]),
                        "filters": plotting.image_grid(talk.images(talk.on_host(rbm.W.data).T[:20]), symmetric=True)}
    fall = optim.LinearLR(optimizer, 1.0, 0.0, total_iters=epochs * len(loader)) if falling else None
    with one_core():
        energy.train(rbm, loader, optimizer, trainer, epochs=epochs, schedule=fall,
                     after_epoch=lambda history: after(len(history.seconds), rbm, trainer),
                     **talk.shown(rbm, about, name=name, look=look if x is x_train else None))
    return rbm, trainer


CD = energy.ContrastiveDivergence
base_of = lambda rbm, x: rbm.visible.biases(put(x).mean(0), len(x))
ways = {
    "CD-1": lambda rbm, rng: CD(rbm, rng=rng),
    "CD-10": lambda rbm, rng: CD(rbm, k=10, rng=rng),
    "PCD-1": lambda rbm, rng: CD(rbm, chains=100, rng=rng),
    "centred PCD-1": lambda rbm, rng: CD(rbm, chains=100, centred=True, rng=rng),
    "parallel tempering": lambda rbm, rng: CD(rbm, centred=True, rng=rng, chains=energy.TemperedChains(
        rbm, 20, base=base_of(rbm, x_train), rng=rng))}

# %% [markdown]
# ## One update by hand
#
# Start with a training vector $v^0$. Update all hidden units in parallel, then all visible ones: a *reconstruction*
# $v^1$. Update the hidden units again. Then
#
# $$\Delta w_{ij} = \epsilon\,(\langle v_i h_j\rangle^0 - \langle v_i h_j\rangle^1).$$
#
# The picture shows it for one image and six hidden units. Each unit's positive phase is the image, times how much the
# unit likes it; its negative phase is the reconstruction in the same way. What both have cancels.

# %%
stream = md.RandomStream(talk.seed)
rbm, _ = learned(ways["CD-1"], "a first machine", epochs=20)
v0 = put(x_test[images.one_of_each()[2]][None])
p0 = rbm.propup(v0)
h0 = rbm.hidden.draw(p0, stream)
v1 = rbm.visible.draw(rbm.propdown(h0), stream)
p1 = rbm.propup(v1)
positive, negative = v0.T @ p0, v1.T @ p1                                  # (D, H) each
units = np.argsort(-np.abs(talk.on_host(positive - negative)).sum(0))[:6]
of_units = lambda matrix: talk.images(talk.on_host(matrix).T[units])
talk.save(pictures.phases(talk.images(v0)[0], talk.on_host(h0)[0], talk.images(v1)[0], talk.on_host(p1)[0],
                          of_units(positive), of_units(negative)), "by-hand")

# %% [markdown]
# Is it a gradient at all? Take the free energy of the data less that of the reconstructions, and hold the
# reconstructions fixed: the gradient of that difference by $W$ is exactly the update. So the engine can do it, and
# the three ways have to agree: the trainer's, the formula's, backpropagation's.

# %%
rbm.astype(np.float64)
x = put(x_train.astype(np.float64))
trainer = CD(rbm, rng=talk.seed)
trainer(rbm, x)
by_trainer = [p.grad.numpy() for p in rbm.parameters()]
fantasy = trainer.fantasy
by_hand = talk.on_host(fantasy.T @ rbm.propup(fantasy) / len(fantasy) - x.T @ rbm.propup(x) / len(x))
difference = rbm.free_energy(md.Tensor(x)).mean() - rbm.free_energy(md.Tensor(fantasy)).mean()
by_engine = [g.numpy() for g in md.grad(difference, rbm.parameters())]
update_error = max(float(abs(by_hand - by_trainer[0]).max()),
                   *(float(abs(a - b).max()) for a, b in zip(by_trainer, by_engine, strict=True)))
print(f"largest difference between the three ways: {update_error:.0e}")

# %% [markdown]
# ## How wrong is the direction?
#
# On a machine with ten hidden units the exact gradient is a sum. Its angle to the gradient of CD-$k$ is measured as
# $k$ grows; 0 degrees are right, 90 know nothing. Two things make an angle: *bias*, for after $k$ steps the chains
# still remember the data, and the *noise* of a finite sample. So beside it stands the angle of as many exact samples:
# noise alone. The third line is PCD, chains that persist: they go on from update to update, one step each, and lag
# behind a machine that changes. They can go along with CD-1 as well, without teaching.

# %%
def gradient(rbm, write):
    """What `write()` leaves as gradients of the machine, as one vector."""
    rbm.zero_grad()
    write()
    return np.concatenate([p.grad.numpy().ravel() for p in rbm.parameters()])


def angle(a, b):
    return float(np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))))


def exact_samples(rbm, n):
    """n visible states drawn from the machine itself: hidden states by their exact probabilities, then v given h."""
    h = states(rbm.hidden.size, rbm.b.data)
    scores = talk.on_host(rbm.visible.log_partition(rbm.down(h)) + h @ rbm.c.data)
    p = np.exp(scores - scores.max())
    chosen = stream.host.choice(len(h), n, p=p / p.sum())
    return rbm.visible.draw(rbm.propdown(h[put(chosen)]), stream)


class Beside(CD):
    """CD-1, beside which persistent chains go along, one step an update, and teach nothing."""

    def __init__(self, rbm, n, rng):
        super().__init__(rbm, rng=rng)
        self.along = energy.GibbsChains(rbm, n, rng=rng)

    def __call__(self, rbm, v):
        self.along.advance(rbm)
        return super().__call__(rbm, v)


ks, some = talk.short([1, 2, 5, 10, 20, 50, 100], [1, 5]), x_train[:2000]
new = energy.RBM(some.shape[1], 10, rng=talk.seed).to(talk.device)
by_cd, beside = learned(lambda rbm, rng: Beside(rbm, len(some), rng), "CD-1, to be measured", hidden=10, x=some,
                        epochs=60, lr=0.1, falling=False)
by_pcd, trainer = learned(lambda rbm, rng: CD(rbm, chains=len(some), rng=rng), "PCD-1, to be measured", hidden=10,
                          x=some, epochs=60, lr=0.1, falling=False)
x, angles = put(some.astype(np.float64)), {}
for when, rbm, chains in (("at the start", new, energy.GibbsChains(new, len(some), rng=talk.seed)),
                          ("after CD-1", by_cd, beside.along), ("after PCD-1", by_pcd, trainer.chains)):
    rbm.astype(np.float64)
    chains.astype(np.float64)
    right = gradient(rbm, lambda: energy.exact_loss(rbm, md.Tensor(x)).backward())
    away = lambda write: angle(np.mean([gradient(rbm, write) for _ in range(talk.short(4, 1))], 0), right)
    cd, pcd = {k: CD(rbm, k=k, rng=talk.seed) for k in ks}, CD(rbm, chains=chains, rng=talk.seed)
    angles[when] = {"CD-k": [away(lambda: cd[k](rbm, x)) for k in ks], "PCD": away(lambda: pcd(rbm, x)),
                    "noise alone": away(lambda: (rbm.free_energy(md.Tensor(x)).mean() - rbm.free_energy(
                        md.Tensor(exact_samples(rbm, len(x)))).mean()).backward())}
measured = {when: {"CD-k": (ks, found["CD-k"]), **{name: (ks[::len(ks) - 1], [found[name]] * 2)
                                                   for name in ("PCD", "noise alone")}}
            for when, found in angles.items()}
talk.save(plotting.curve_panels(measured, x="steps k", y="angle to the gradient, degrees", log_x=True,
                                title="CD-k does not follow the gradient of the likelihood"), "angles")
of_cd, of_pcd = angles["after CD-1"], angles["after PCD-1"]
talk.say(f"At the start CD-1 is {angles['at the start']['CD-k'][0]:.0f} degrees off the gradient, after training with "
         f"it {of_cd['CD-k'][0]:.0f}. With k = {ks[-1]} it is {of_cd['CD-k'][-1]:.0f}, where noise alone makes "
         f"{of_cd['noise alone']:.0f}. One step of chains that persist is {of_cd['PCD']:.0f} degrees off there, and "
         f"{of_pcd['PCD']:.0f} where they teach.")

# %% [markdown]
# ## Five ways to get negative samples
#
# The same machine, the same data, the same number of updates, and log Z by a sum over all hidden states:
#
# - **CD-1**, and **CD-10**, which takes ten steps and about five times as long;
# - **PCD-1**: 100 chains that persist (Tieleman 2008);
# - **centred PCD-1**: the same chains, and gradients that do not depend on whether ink is a 1 or a 0;
# - **parallel tempering**: chains at ten temperatures that change places, so that the hot ones find what the cold ones
#   would never reach.

# %%
score = lambda rbm, x=x_test: float(energy.log_likelihood(rbm, put(x), energy.log_partition(rbm)).mean())
error = lambda rbm, x=x_test: float(talk.on_host(energy.reconstruction_error(rbm, put(x))).mean())
on_the_way: dict[str, list[tuple[int, float]]] = {}
growing: list = []
scores, machines = {}, {}
for about, way in ways.items():
    def after(epoch, rbm, trainer):
        if plan.looks > 1 and epoch % (plan.epochs // plan.looks) == 0:
            on_the_way.setdefault(about, []).append((epoch, score(rbm)))
        if about == "PCD-1" and epoch in (1, 2, 3, 5, 8, 12, 18, 25, 35, 50, 70, 100):
            growing.append(plotting.image_grid(talk.images(trainer.fantasy[:60]), columns=12, title=(
                f"The chains of PCD-1 after {epoch} epoch{'s' * (epoch > 1)}")))

    machines[about], _ = learned(way, talk.of(about, ways), after=after)
    others = [learned(way, talk.of(about, ways), seed=talk.seed + i)[0] for i in range(1, talk.short(plan.seeds, 1))]
    scores[about] = [score(rbm) for rbm in (machines[about], *others)]
talk.save(growing, "chains")
talk.save(pictures.scores(scores, x="log-likelihood of a test image, in nats (exact)",
                          title="Equal updates, different chains"), "trainers")
mean = {about: float(np.mean(values)) for about, values in scores.items()}
best = max(mean, key=lambda about: mean[about])
stake = ". In 64 pixels little is at stake; with --data mnist it is tens of nats." if x_test.shape[1] == 64 else "."
talk.say(f"After the same number of updates a test image has {mean['CD-1']:.2f} nats by CD-1 and {mean['PCD-1']:.2f} "
         f"by PCD-1. Best is {best} with {mean[best]:.2f}{stake}")
talk.table([f"{x_test.shape[1]}-{plan.hidden}", "log-likelihood, nats", "reconstruction error"],
           [[about, mean[about], error(machines[about])] for about in ways])
if on_the_way:
    lines = {about: np.array(curve).T for about, curve in on_the_way.items()}
    talk.save(pictures.curves(lines, x="epochs", y="log-likelihood, nats", title="On the way"), "on-the-way")

# %% [markdown]
# ## Why the reconstruction error misleads
#
# CD seems to minimise the reconstruction error, and it is cheap, so everybody watches it. But it is small for a machine
# whose chains hardly move, whatever that machine believes. On bars and stripes, 4x4 pixels with 30 possible patterns,
# everything is exact (A. Fischer and C. Igel, "Empirical analysis of the divergence of Gibbs sampling based learning
# algorithms for restricted Boltzmann machines", 2010). Here CD-1 goes on and on at a constant rate.

# %%
rows = ((np.arange(16)[:, None] >> np.arange(4)) & 1).astype(np.float32)
bars = np.concatenate([np.repeat(rows, 4, 1), np.tile(rows, 4)])
history: list[tuple[float, float, float]] = []


def note(epoch, rbm, trainer):
    if epoch % 100 == 0 or talk.fast:
        history.append((epoch, score(rbm, bars), error(rbm, bars)))


learned(ways["CD-1"], "CD-1 for too long", hidden=16, x=bars, batch_size=32, lr=0.5, epochs=5000, falling=False,
        after=note)
updates, likelihood, errors = np.array(history).T
talk.save(pictures.misleading(bars[[1, 5, 9, 18, 21, 28]].reshape(-1, 4, 4), updates, likelihood, errors), "misleading")
peak = int(np.argmax(likelihood[:-1])) if len(likelihood) > 1 else 0
talk.say(f"From update {updates[peak]:.0f} on the reconstruction error goes from {errors[peak]:.5f} down to "
         f"{errors[-1]:.5f}, and the log-likelihood from {likelihood[peak]:.2f} to {likelihood[-1]:.2f} nats: who "
         "watches the error believes that all is well.")

# %% [markdown]
# ## log Z of machines too large for sums: annealed importance sampling
#
# AIS starts chains at independent pixels, whose $Z$ is known, and cools them down to the machine through many
# temperatures. Each chain collects a weight on the way, and the weights' mean estimates the ratio of the two $Z$. Its
# error bar comes from the weights' spread. Is it honest? Fifty runs on a machine whose log Z is known say how often
# three standard errors cover it.

# %%
judged = machines["PCD-1"]
log_z, base = energy.log_partition(judged), base_of(judged, x_train)
warnings.simplefilter("ignore", RuntimeWarning)           # of few chains: that is what is to be shown
estimates = [energy.ais(judged, betas=talk.short(300, 10) if plan.hidden < 20 else 1000, base=base, rng=i)
             for i in talk.each(range(talk.short(50, 4)), "AIS")]
covered = float(np.mean([abs(e.log_z - log_z) < 3 * e.standard_error for e in estimates]))
talk.save(pictures.error_bars([e.log_z for e in estimates], [3 * e.standard_error for e in estimates], log_z),
          "error-bars")
talk.say(f"Three standard errors cover the exact log Z, {log_z:.2f}, in {100 * covered:.0f} % of {len(estimates)} "
         "runs.")

# %% [markdown]
# A mode that no chain has met is in no weight, so that the estimate of log Z is, in the mean, too small. Run
# *backwards*, from samples of the machine up to independent pixels, it is in the mean too large: the two hold the truth
# between them. To see a mean, each point is that of many runs with ten chains only. With few temperatures the two are
# far apart, and then `Estimate.checked` refuses the number.

# %%
numbers, repeats = talk.short([2, 3, 5, 10, 30, 100, 300], [2, 10]), range(talk.short(20, 2))
both: dict[str, list[float]] = {"forward": [], "reverse": []}
for n in numbers:
    both["forward"].append(float(np.mean([
        energy.ais(judged, betas=n, chains=10, base=base, rng=i).log_z for i in repeats])))
    both["reverse"].append(float(np.mean([
        energy.reverse_ais(judged, exact_samples(judged, 10), betas=n, base=base, rng=i).log_z for i in repeats])))
talk.save(pictures.sandwich(numbers, both, log_z), "sandwich")
apart = np.abs(np.subtract(both["reverse"], both["forward"]))
talk.say(f"With {numbers[0]} temperatures the two ways are {apart[0]:.1f} nats apart in the mean, with {numbers[-1]} "
         f"{apart[-1]:.2f}; the exact log Z is {log_z:.2f}.")

# %% [markdown]
# ## Momentum, weight cost, sparsity
#
# Three more knobs of Hinton's practical guide (2010), each on PCD-1 alone. Momentum lets old gradients push on; at the
# same rate its steps are ten times as long. The weight cost pulls weights to 0 and keeps the chains moving. The
# sparsity target asks each hidden unit to be on so often and no more: its code is easier to read, at a price in
# likelihood.

# %%
sparse = lambda rbm, rng: CD(rbm, chains=100, centred=True, sparsity=(0.1, plan.sparsity_cost), rng=rng)
knobs = {"plain": {}, "momentum .9": {"momentum": 0.9, "lr": plan.lr / 10}, "weight cost .001": {"weight_cost": 1e-3},
         "sparsity .1": {}}
tried, active = {}, {}
for about, options in knobs.items():
    tried[about], _ = learned(sparse if about == "sparsity .1" else ways["centred PCD-1"], talk.of(about, knobs),
                              **options)
    active[about] = talk.on_host(tried[about].encode(put(x_test)))
talk.table(["centred PCD-1", "log-likelihood, nats", "mean activation", "size of a weight"],
           [[about, score(rbm), float(active[about].mean()), float(abs(rbm.W.data).mean())]
            for about, rbm in tried.items()])
talk.save(pictures.filters({about: talk.images(talk.on_host(rbm.W.data).T) for about, rbm in tried.items()}), "filters")
talk.say(f"Asked for a mean activation of .10, the hidden units have {active['sparsity .1'].mean():.2f}, without being "
         f"asked {active['plain'].mean():.2f}.")

# %% [markdown]
# ## 784-20 and 784-500
#
# With `--data mnist` the same on 28x28 pixels. With 20 hidden units log Z is a sum over a million states, and AIS is
# held against it. With 500 there is only AIS, both ways. The likelihood of *which* pixels has to be said: they are
# black where the grey value is above 127, or drawn, black with the grey value's probability. The second kind is harder
# to predict; published numbers are of that kind (CD-25 -86.3: Salakhutdinov and Murray 2008).

# %%
if talk.data == "mnist":
    outside, of = 0, 0
    for about in ("CD-1", "PCD-1"):
        truth = energy.log_partition(machines[about])
        for seed in talk.each(range(talk.short(12, 1)), f"AIS of {about}"):
            found = energy.ais(machines[about], betas=talk.short(2000, 100), base=base_of(machines[about], x_train),
                               rng=seed)
            outside, of = outside + (abs(found.log_z - truth) >= 3 * found.standard_error + 0.1), of + 1
    talk.metric("ais_within", 1 - outside / of, at_least=0.9)
    drawn = lambda x, rng: md.RandomStream(rng).bernoulli(x)
    kinds = {"pixels > 127": (x_train, x_test, None, 90), "pixels drawn": (
        images.x_train[:len(x_train)], drawn(images.x_test, talk.seed), drawn, 120)}
    table = []
    for kind, (x, x_new, augment, epochs) in kinds.items():
        large, trainer = learned(ways["centred PCD-1"], f"784-500, {kind}", hidden=500, x=x, lr=0.05, epochs=epochs,
                                 augment=augment, name=kind)
        betas, base = talk.short(20_000, 50), base_of(large, x)
        with one_core():
            up = energy.ais(large, betas=betas, base=base, rng=talk.seed, progress=True)
            down = energy.reverse_ais(large, trainer.chains.v.data, betas=betas, base=base, rng=talk.seed,
                                      progress=True)
        minus = -float(talk.on_host(large.free_energy(put(x_new))).astype(np.float64).mean())
        table.append([kind, minus - up.log_z, up.standard_error, f"{up.effective_sample_size:.0f}",
                      minus - down.log_z])
        talk.metric("likelihood_" + kind.split()[-1], minus - up.log_z, at_least={"127": -70, "drawn": -88}[
            kind.split()[-1]])
        talk.metric("ways_apart_" + kind.split()[-1], abs(up.log_z - down.log_z), at_most=3)
    talk.table(["784-500, test log-likelihood", "AIS", "its error", "chains", "reverse AIS"], table)

# %% [markdown]
# ## What must come out
#
# The three ways to the update agree to 1e-6. The angle of CD-$k$ to the gradient falls as $k$ grows. AIS's error bar
# covers the truth in nine of ten runs. On bars and stripes the reconstruction error falls while the likelihood does.
# Centred PCD-1 beats CD-1; on MNIST PCD-1 alone does, by ten nats.

# %%
talk.metric("update_difference", update_error, at_most=1e-6, always=True)
for when, values in angles.items():
    short = when.replace(" ", "_").replace("-", "_").lower()
    talk.metrics(**{f"angle_cd_1_{short}": values["CD-k"][0], f"angle_cd_{ks[-1]}_{short}": values["CD-k"][-1],
                    f"angle_pcd_{short}": values["PCD"], f"angle_noise_{short}": values["noise alone"]})
talk.metric("angle_at_start", angles["at the start"]["CD-k"][0], at_most=10)
talk.metric("angle_falls", of_cd["CD-k"][0] - of_cd["CD-k"][-1], at_least=20)
for about, value in mean.items():
    talk.metric(f"likelihood_{about.replace('-', '_').replace(' ', '_')}", value)
talk.metric("pcd_over_cd", mean["PCD-1"] - mean["CD-1"], at_least={"digits": None, "mnist": 10}[talk.data])
talk.metric("centred_pcd_over_cd", mean["centred PCD-1"] - mean["CD-1"], at_least=0.05)
talk.metric("likelihood_lost", likelihood[peak] - likelihood[-1], at_least=0.5)
talk.metric("error_meanwhile", errors[-1] - errors[peak], at_most=0)
talk.metric("ais_covered", covered, at_least=0.9)
talk.metric("ways_apart", apart[-1], at_most=1)
talk.metric("sparse_activation", active["sparsity .1"].mean(), at_most=0.2)
talk.metric("price_of_sparsity", score(tried["plain"]) - score(tried["sparsity .1"]), at_most=100)
talk.finish()
