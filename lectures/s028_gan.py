# %% [markdown]
# # Slides 28-43: generative adversarial nets
#
# A variational autoencoder draws new digits, but soft ones. Slide 28 asks whether the error is to blame, and this
# lecture measures it: by the squared error of pixels, a digit that has moved by one pixel is a worse copy of itself
# than another digit is. So the error is to be learned. A second network, the discriminator, learns to tell data from
# what was made, and the first one learns to make what the second takes for data.
#
# The game comes first on a line and in a plane, where all of it can be seen. Then slide 30's three headings, one after
# the other: realistic generation, learning with labels, learning to encode.

# %%
from statistics import NormalDist

import numpy as np

import minidl as md
from minidl import data, nn, optim, plotting
from minidl.adversarial import (
    GAN,
    VAEGAN,
    AuxiliaryGAN,
    BiGAN,
    ConditionalGAN,
    InfoGAN,
    Information,
    Naming,
    Similarity,
    TwoHeads,
    dcgan_discriminator,
    dcgan_generator,
    dcgan_rules,
    train,
)
from minidl.data import augmentation
from minidl.lectures import lecture
from minidl.lectures.pictures import gan as pictures
from minidl.metrics import classifier_score, mixture_modes, nearest_neighbours, squared_error
from minidl.tuning import one_core
from minidl.variational import VAE, interpolate

talk = lecture(28, data=["digits", "mnist"])
small, seen = talk.data == "digits", slice(talk.short(None, 640))
images = talk.load(flat=False)
x_train, y_train = images.x_train[seen], np.asarray(images.y_train)[seen]
x_test, y_test = images.x_test[:1000], np.asarray(images.y_test)[:1000]
side, pixels = x_test.shape[1], x_test[0].size
rows = lambda x: x.reshape(len(x), -1)
signed = 2.0 * x_train - 1.0                    # generators end in tanh: black is -1
shown = lambda x: (talk.on_host(x).reshape(-1, side, side) + 1.0) / 2.0


def play(gan, loader, *, epochs, about, lr=5e-4, lr_d=None, decay=0.995, look=None, **more):
    """Let the two play, with rates that fall to 0; a `decay` averages the generator's weights."""
    gan.to(talk.device)
    adam_g = optim.Adam(gan.generator_parameters(), lr=lr, betas=(0.5, 0.999))
    adam_d = optim.Adam(gan.discriminator.parameters(), lr=lr_d or lr, betas=(0.5, 0.999))
    schedules = [optim.CosineAnnealingLR(adam, T_max=epochs * len(loader)) for adam in (adam_g, adam_d)]
    with one_core():
        return train(gan, loader, adam_g, adam_d, epochs=epochs, schedules=schedules,
                     average=optim.EMA(gan.generator, decay=decay) if decay else None, **more,
                     **talk.shown(gan, about, name="" if "after_epoch" in more else about, look=look))  # a film: anew


def batches(x, y=None, *, batch_size=64):
    return data.Loader(x, y, batch_size=batch_size, drop_last=True, rng=talk.rng, device=talk.device)


def smooth(sizes, last=None):
    """A dense network with ReLU, as generators have it."""
    return nn.mlp(sizes, rng=talk.rng, activation=nn.ReLU, output_activation=last)


def leaky(sizes):
    """A dense network with leaky ReLU, as discriminators have it."""
    return nn.mlp(sizes, rng=talk.rng, activation=lambda: nn.LeakyReLU(0.2))


# %% [markdown]
# ## Slide 28: what is wrong with the reconstruction error
#
# Move a test image to the right by a pixel (two of MNIST's small ones). It is the same digit to everybody. Now compare
# its squared distance to where it came from with that to the nearest training image *of another digit*.

# %% name="distance" slides=[28]
step = 1 if small else 2
moved = augmentation.shift_by(x_test, 0, step)
to_itself = ((moved - x_test)**2).sum((1, 2, 3))
to_others, other = np.full(len(x_test), np.inf), np.zeros(len(x_test), int)
for digit in range(10):
    these, those = np.flatnonzero(y_test != digit), np.flatnonzero(y_train == digit)
    far, which = nearest_neighbours(rows(x_train[those]), rows(x_test[these]), 1)
    closer = far[:, 0]**2 < to_others[these]
    to_others[these[closer]] = far[closer, 0]**2
    other[these[closer]] = those[which[closer, 0]]
chosen = images.one_of_each()
chosen = chosen[chosen < len(x_test)]
nearest_label = lambda x: y_train[nearest_neighbours(rows(x_train), rows(x), 1)[1][:, 0]]
in_place, away = ((nearest_label(x) == y_test).mean() for x in (x_test, moved))
farther = float((to_itself > to_others).mean())
talk.rows("shifted", "Which of the two is nearer to the first row?", {
    "image": x_test[chosen],
    f"moved by {step}": (moved[chosen], f"{np.median(to_itself):.1f}"),
    "another digit": (x_train[other[chosen]], f"{np.median(to_others):.1f}")})
talk.say(f"On the right: the median squared distance. Of {100 * farther:.0f} % of the test images some other digit is "
         f"nearer than the image itself, moved by {step}. The nearest neighbour names {100 * in_place:.0f} % of the "
         f"images right, and {100 * away:.0f} % of the moved ones.")

# %% [markdown]
# A decoder that is not sure where a stroke is pays least for the mean of all places: a grey smear. (So it does by the
# cross-entropy of pixels.) VAE-GAN (Larsen et al., the slide's reference) keeps encoder and decoder, but measures the
# error elsewhere: by the *features* of a discriminator, the activations before its score. A stroke a pixel away has
# nearly the same features; a smear has not, because smears are what the discriminator has learned to find.
#
# *Detail* is the mean square of the difference between neighbouring pixels, as a share of that of the data: 1 is as
# crisp as these.

# %% name="similarity" slides=[28] needs=["distance"]
code, wide = (8, 256) if small else (20, 400)
detail = lambda x: float(np.mean(np.diff(x, axis=1)**2) + np.mean(np.diff(x, axis=2)**2))
pixelwise = VAE([pixels, wide, code], rng=talk.rng)
talk.train(pixelwise, rows(x_train), epochs=talk.epochs(35 if small else 6), lr=2e-3, about="VAE, 1 of 2")
learned = VAEGAN(smooth([pixels, wide, 2 * code]), smooth([code, wide, wide, pixels], nn.Tanh),
                 leaky([pixels, wide, wide // 2, 1]), latent=code, rng=talk.rng)
play(learned, batches(rows(signed)), epochs=talk.epochs(35 if small else 8), about="VAE-GAN, 2 of 2", lr=1e-3,
     extras=[Similarity(0.1, prior=0.02)], decay=0, look=lambda gan: shown(gan.sample(20, 0)))
on_test = talk.device.put(rows(x_test))
back = {"VAE": talk.on_host(pixelwise.reconstruct(on_test)).reshape(x_test.shape),
        "VAE-GAN": shown(learned.reconstruct(2 * on_test - 1)).reshape(x_test.shape)}
new = {"VAE": talk.on_host(pixelwise.sample(500, talk.seed)).reshape(-1, side, side),
       "VAE-GAN": shown(learned.sample(500, talk.seed))}
crisp = {name: detail(y) / detail(x_test[..., 0]) for name, y in new.items()}
talk.rows("similarity", "An error of pixels, and a learned one", {
    "data": x_test[chosen], **{f"{name},\nagain": y[chosen] for name, y in back.items()},
    **{f"{name},\nnew": (y[:len(chosen)], f"detail\n{crisp[name]:.2f}") for name, y in new.items()}})
errors = {name: squared_error(y, x_test) for name, y in back.items()}
talk.say(f"The VAE's squared error is {errors['VAE']:.2f}, and VAE-GAN's, which was not trained for it, "
         f"{errors['VAE-GAN']:.2f}. New images have {crisp['VAE']:.2f} of the data's detail from the VAE, and "
         f"{crisp['VAE-GAN']:.2f} from VAE-GAN.")

# %% [markdown]
# ## Slide 29: the game
#
# $$\min_G\max_D\;V = \mathbb E_{x\sim p}\log D(x) + \mathbb E_{z}\log(1 - D(G(z))).$$
#
# On a line everything can be computed. Data come from $p$, two bumps. The generator turns Gaussian noise into numbers
# with some density $q$. Of all functions the best discriminator is known:
#
# $$D^*(x) = \frac{p(x)}{p(x) + q(x)},\qquad V(D^*) = 2\,\mathrm{JS}(p, q) - 2\log 2.$$
#
# $q$ is found from 20,000 noises of equal probability: the share of them that falls into a bin. So $D^*$ stands beside
# the trained $D$, exactly, at each moment.

# %% name="line" slides=[29]
edges = np.linspace(-4, 4, 81)
middle, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
below = lambda mean: md.ndtr(md.Tensor((edges - mean) / 0.5)).numpy()                   # a bump's share below each edge
p = np.diff(below(-1) + below(1)) / (2 * width)
x_line = talk.rng.choice([-1, 1], (12800, 1)) + 0.5 * talk.rng.standard_normal((12800, 1))
grid = np.array([NormalDist().inv_cdf((i + 0.5) / 20000) for i in range(20000)])
bends = nn.mlp([1, 16, 16, 1], rng=talk.rng, activation=nn.Tanh, weight_init=nn.init.he_normal)
line = GAN(bends, leaky([1, 64, 64, 1]), latent=1, rng=talk.rng)
moments: list[pictures.Moment] = []


def look_at_line(history):
    """Note the densities, D and the best D at this moment; returns the mean distance of the last two."""
    made = talk.on_host(line.decode(talk.device.put(grid.astype(np.float32)[:, None])))
    q = np.histogram(made, edges)[0] / (len(grid) * width)
    scores, _ = line.judge((talk.device.put(middle.astype(np.float32)[:, None]),))
    best = p / np.maximum(p + q, 1e-12)
    moments.append(pictures.Moment(len(history.get("seconds", ())) * len(on_line), q, md.sigmoid(scores).numpy(), best))
    return float((abs(moments[-1].said - best) * (p + q) / 2).sum() * width)


on_line = batches(x_line.astype(np.float32), batch_size=256)
gaps, js = [], []
look_at_line({})
play(line, on_line, epochs=talk.epochs(30, fast=2), about="a game on a line", lr=2e-3, lr_d=5e-3, d_steps=4, decay=0,
     after_epoch=lambda history: gaps.append(look_at_line(history)))
for moment in moments:
    half = (p + moment.q) / 2
    js.append(float(sum((d * np.log(np.maximum(d, 1e-12) / np.maximum(half, 1e-12))).sum() for d in (p, moment.q))
                    * width / 2))
talk.save([pictures.line(middle, p, moment) for moment in moments[::talk.short(3, 1)]], "line")
talk.save(plotting.curves({"JS(p, q), in nats": (np.arange(len(js)) * len(on_line), js),
                           "mean |D - D*|": (np.arange(1, len(js)) * len(on_line), gaps)}, x="steps of D", y="",
                          title="How far G is from the data, and D from D*"), "distances")
talk.say(f"D is {np.mean(gaps):.2f} from D* on average while the two play. JS(p, q) begins at {js[0]:.2f} of at most "
         f"{np.log(2):.2f}, and ends at {js[-1]:.3f}"
         + (": there D* is 1/2 nearly everywhere, and D knows no better than to guess." if js[-1] < 0.05 else "."))

# %% [markdown]
# In the plane there are eight places to be. The film shows the discriminator as a landscape: where it is bright, D
# takes points for data. The generator goes uphill, D moves the hill, and the points follow it from place to place.

# %% name="plane" slides=[29]
sd, limit = 0.08, 2.2
x_plane, _ = data.ring(12800, rng=talk.rng, radius=1.5, sd=sd)
centres = data.ring_centres(radius=1.5)
plane = GAN(smooth([2, 128, 128, 2]), leaky([2, 128, 128, 1]), latent=2, rng=talk.rng)
axis = np.linspace(-limit, limit, 60, dtype=np.float32)
places = talk.device.put(np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2))
landscape = []


def draw(gan, title=""):
    """The generator's points over the discriminator's landscape."""
    chances = md.sigmoid(gan.judge((places,))[0]).numpy().reshape(60, 60)
    return pictures.plane(x_plane[:400], gan.sample(400, 0), chances, limit=limit, title=title)


play(plane, batches(x_plane, batch_size=128), epochs=talk.epochs(15, fast=2), about="a game in the plane", lr=1e-3,
     decay=0, look=draw, after_epoch=lambda history: landscape.append(
         draw(plane, f"Eight places, after {100 * len(history['seconds']):,} steps")))
talk.save(landscape, "plane")
reached = mixture_modes(plane.sample(2500, talk.seed), centres, sd=sd)
talk.say(f"In the end {reached.found} of the 8 places are reached, and {100 * reached.good:.0f} % of the points lie "
         "within three standard deviations of one.")

# %% [markdown]
# ## Slide 30, "Realistic generation"
#
# DCGAN (Radford et al., 2016) was the first recipe by which convolutional players could be trained at all. Its five
# rules: strides instead of pooling; batch normalisation in both, but not where pictures come out or go in; no hidden
# dense layers; ReLU in the generator, and tanh at its end; leaky ReLU in the discriminator. `dcgan_rules` looks at two
# networks and says what is against them.
#
# A *judge* measures: a classifier of our own, which has learned the real digits. Its score is $\exp\mathbb E_x
# \mathrm{KL}(p(y|x)\,\|\,p(y))$, 10 at most: each image must be some digit for sure, and all digits must come. (With
# Inception as the judge this is slide 44's Inception score. Ours is another number and bears another name.)

# %% name="judge" slides=[30, 31]
judge = leaky([pixels, 256, 10]) if small else nn.Sequential(
    *nn.halving(1, 16, rng=talk.rng), *nn.halving(16, 32, rng=talk.rng), nn.Flatten(),
    *nn.mlp([7 * 7 * 32, 128, 10], rng=talk.rng))
as_judged = lambda x: talk.on_host(x).reshape(-1, *((pixels,) if small else x_train.shape[1:]))
talk.train(judge, as_judged(signed), y_train, epochs=talk.epochs(20 if small else 3), lr=3e-3,
           loss=lambda judge, x, y: nn.cross_entropy(judge(x), y), about="the judge")


def verdicts(x):
    """The judge's probabilities of the ten digits for signed images: (N, 10)."""
    judge.eval()
    with md.no_grad(), one_core():
        return md.softmax(judge(md.Tensor(talk.device.put(as_judged(x))))).numpy()


accuracy = float((verdicts(2 * x_test - 1).argmax(1) == y_test).mean())

# %% [markdown]
# Three generators: dense players with the usual loss; the same with squares in place of logarithms (LSGAN), whose
# gradient does not fade where D is sure; and DCGAN.

# %% name="realistic" slides=[30, 31, 32] needs=["judge"]
latent = 16 if small else 64
dense = lambda: (smooth([latent, wide_g, wide_g, pixels], nn.Tanh), leaky([pixels, wide_g, wide_g, 1]))
wide_g = 256 if small else 512
sizes = dict(channels=32, hidden=0 if small else 256)
players = {"dense": dense(), "LSGAN": dense(), "DCGAN": (
    dcgan_generator(x_train.shape[1:], latent=latent, rng=talk.rng, **sizes),
    dcgan_discriminator(x_train.shape[1:], rng=talk.rng, **sizes))}
for sentence in dcgan_rules(*players["DCGAN"]) or ["DCGAN keeps to its five rules"]:
    print(sentence)
print(f"dense: {len(dcgan_rules(*players['dense']))} differences, such as {dcgan_rules(*players['dense'])[0]!r}")
gans, counts, scores = {}, {}, {"test images": classifier_score(verdicts(2 * x_test - 1)).mean}
for name, nets in players.items():
    gans[name] = GAN(*nets, latent=latent, rng=talk.rng)
    given = signed if name == "DCGAN" else rows(signed)
    epochs = {"dense": 42, "LSGAN": 42, "DCGAN": 48} if small else {"dense": 5, "LSGAN": 5, "DCGAN": 8}
    play(gans[name], batches(given), epochs=talk.epochs(epochs[name]), about=talk.of(name, players), lr=1e-3,
         loss="least-squares" if name == "LSGAN" else "non-saturating", look=lambda gan: shown(gan.sample(20, 0)))
    chances = verdicts(gans[name].sample(1000, talk.seed))
    scores[name], counts[name] = classifier_score(chances).mean, np.bincount(chances.argmax(1), minlength=10)
talk.rows("generated", "Drawn, not chosen", {"data": x_test[:10], **{
    name: (shown(gan.sample(10, talk.seed + 1)), f"score\n{scores[name]:.1f}") for name, gan in gans.items()}})
talk.table(["who", "score", "rarest digit of 1000", "judge's accuracy"],
           [["test images", scores["test images"], "", accuracy],
            *[[name, scores[name], int(counts[name].min()), ""] for name in players]])
best = max(gans, key=lambda name: scores[name])
talk.say(f"The judge, right on {100 * accuracy:.0f} % of the test images, gives them the score "
         f"{scores['test images']:.1f}, and " + ", ".join(f"{scores[name]:.1f} ({name})" for name in gans) +
         f". The rarest digit comes {counts[best].min()} times in 1000 from the best of them, {best}.")

# %% [markdown]
# ## Walks, and arithmetic with noise
#
# Has the generator learned single images by heart? Then a walk from one noise to another would jump. It does not: all
# that lies between two images is a picture, too. (The way is an arc: noise of many dimensions lies near a sphere.)
#
# And noise can be calculated with. Take the mean noise of three thick examples of a digit, subtract that of three thin
# ones, and add that of three thin examples of *another* digit: the other digit should come out, thick.

# %% name="walks" slides=[33, 34] needs=["realistic"]
chosen_gan = gans[best]
ends = talk.rng.standard_normal((4, latent)).astype(np.float32)
talk.rows("walks", f"From noise to noise ({best})", {
    f"walk {i + 1}": shown(chosen_gan.decode(talk.device.put(interpolate(a, b, 10, spherical=True))))
    for i, (a, b) in enumerate(zip(ends[:-1], ends[1:], strict=True))})
z = talk.rng.standard_normal((3000, latent)).astype(np.float32)
made = chosen_gan.decode(talk.device.put(z))
chances, ink = verdicts(made), shown(made).mean((1, 2))
digits = chances.argmax(1)
sure = chances.max(1) > 0.9
sorted_by_ink = {digit: np.flatnonzero((digits == digit) & sure)[np.argsort(ink[(digits == digit) & sure])]
                 for digit in range(10)}
able = [digit for digit, found in sorted_by_ink.items() if len(found) >= 12]
thin, thick = ({digit: z[sorted_by_ink[digit][part]].mean(0) for digit in able} for part in (slice(3), slice(-3, None)))
pairs = [(a, b) for a in able for b in able if a != b]
if pairs:
    start, result = (talk.device.put(np.stack(found)) for found in (
        [thin[b] for _, b in pairs], [thick[a] - thin[a] + thin[b] for a, b in pairs]))
    thicker = shown(chosen_gan.decode(result)).mean((1, 2)) > shown(chosen_gan.decode(start)).mean((1, 2))
    kept = verdicts(chosen_gan.decode(result)).argmax(1) == [b for _, b in pairs]
    some = pairs[::max(1, len(pairs) // 9)][:9]
    decoded = lambda noises: shown(chosen_gan.decode(talk.device.put(np.stack(noises))))
    talk.rows("arithmetic", "Thick - thin + thin", {
        "thick": decoded([thick[a] for a, _ in some]), "- thin": decoded([thin[a] for a, _ in some]),
        "+ thin": decoded([thin[b] for _, b in some]),
        "=": decoded([thick[a] - thin[a] + thin[b] for a, b in some])})
    talk.say(f"Over all {len(pairs)} pairs of digits the result is thicker in {100 * thicker.mean():.0f} % and still "
             f"the second digit, as the judge says, in {100 * kept.mean():.0f} %.")

# %% [markdown]
# ## Slide 30, "Learning with conditional data"
#
# Three ways to bring a label in. A *conditional* GAN (Mirza and Osindero, 2014) shows it to both: generator and
# discriminator see the label beside what else they see. In AC-GAN (Odena et al., 2017) the discriminator does not see
# the label, it has to name it. InfoGAN (Chen et al., 2016) has no labels at all: ten classes and two numbers in the
# noise are to be told from the image, and whatever they come to mean, they mean.
#
# A label is a single 1 beside all those pixels, and D may overlook it for long. So its first weights begin larger.

# %% name="conditional" slides=[35, 36, 37, 38, 39] needs=["realistic"]
rounds = 40 if small else 5
two_heads = lambda more: TwoHeads(leaky([pixels, wide_g, wide_g]), nn.Linear(wide_g, 1, rng=talk.rng),
                                  nn.Linear(wide_g, more, rng=talk.rng))
maker = lambda inputs: smooth([inputs, wide_g, wide_g, pixels], nn.Tanh)


def heard(network, first, times):
    """The network, with the first weights of its inputs from `first` on so many times as large."""
    network[0].weight.data[first:] *= times
    return network


labelled = {
    "conditional": (ConditionalGAN(
        heard(maker(latent + 10), latent, 2),
        heard(leaky([pixels + 10, wide_g, wide_g, 1]), pixels, 4 if small else 10),
        latent=latent, classes=10, rng=talk.rng), []),
    "AC-GAN": (AuxiliaryGAN(maker(latent + 10), two_heads(10), latent=latent, classes=10, rng=talk.rng), [Naming()])}
every = np.repeat(np.arange(10), 100)
right = {}
for name, (gan, extras) in labelled.items():
    play(gan, batches(rows(signed), y_train), epochs=talk.epochs(rounds), about=talk.of(name, [*labelled, "InfoGAN"]),
         lr=1e-3, extras=extras, look=lambda gan: shown(gan.sample(20, 0, label=np.arange(20) % 10)))
    right[name] = float((verdicts(gan.sample(1000, talk.seed, label=every)).argmax(1) == every).mean())
info = InfoGAN(maker(latent + 12), two_heads(12), latent=latent + 12, classes=10, codes=2, rng=talk.rng)
play(info, batches(rows(signed)), epochs=talk.epochs(rounds), about=talk.of("InfoGAN", [*labelled, "InfoGAN"]), lr=1e-3,
     extras=[Information()], look=lambda gan: shown(gan.sample(20, 0)))


def coded(classes, codes, noise):
    """What InfoGAN makes of classes (N,), codes (N, 2) and noise (N, latent)."""
    z = np.concatenate([noise, np.eye(10)[classes], codes], 1)
    return info.decode(talk.device.put(z.astype(np.float32)))


noise = talk.rng.standard_normal((1000, latent))
meant = np.stack([np.bincount(part, minlength=10) for part in
                  verdicts(coded(every, talk.rng.uniform(-1, 1, (1000, 2)), noise)).argmax(1).reshape(10, 100)]) / 100
in_turn = np.tile(np.arange(10), 3)
columns_of = {name: gan.sample(30, talk.seed + 1, label=in_turn) for name, (gan, _) in labelled.items()}
columns_of["InfoGAN"] = coded(in_turn, np.zeros((30, 2)), np.repeat(noise[:3], 10, 0))
talk.save(plotting.image_rows([plotting.Row(name if i == 1 else "", shown(drawn)[10 * i:10 * i + 10])
                               for name, drawn in columns_of.items() for i in range(3)],
                              title="Each column: one label, or one of InfoGAN's codes"), "labels")
purity, found = float(meant.max(1).mean()), len(set(meant.argmax(1)))
talk.say(f"The judge reads the label that was asked for in {100 * right['conditional']:.0f} % (conditional) and "
         f"{100 * right['AC-GAN']:.0f} % (AC-GAN) of the images. Nobody told InfoGAN of labels: {100 * purity:.0f} % "
         f"of a code's images are its commonest digit, and the ten codes have {found} different ones.")

# %% [markdown]
# InfoGAN's other two numbers are free to mean something as well. Each row below moves one of them from -1 to 1 and
# holds all else.

# %% name="codes" slides=[38, 39] needs=["conditional"]
ladder = np.linspace(-1, 1, 10)
common = int(meant.max(1).argmax())
moves = {f"code {i + 1}": coded(np.full(10, common), np.where(np.arange(2) == i, ladder[:, None], 0.0),
                                np.repeat(noise[3:4], 10, 0)) for i in range(2)}
talk.rows("codes", "From -1 to 1", {name: shown(drawn) for name, drawn in moves.items()})
spans = [float(abs(talk.on_host(drawn)[-1] - talk.on_host(drawn)[0]).mean()) for drawn in moves.values()]
talk.say("From end to end the two numbers change a pixel by "
         f"{spans[0] / 2:.2f} and {spans[1] / 2:.2f} on average, of 1 from black to white.")

# %% [markdown]
# ## Slide 30, "Learning to encode"
#
# A GAN makes data of noise, but cannot say which noise an image would be of. In BiGAN (Donahue et al., 2017) an encoder
# plays along. The discriminator sees *pairs*, $(x, E(x))$ or $(G(z), z)$. Where it cannot tell them apart, $E$ and $G$
# are each other's inverse, although nobody has ever compared $x$ with $G(E(x))$: no reconstruction error at all.
#
# Are the codes worth something? A nearest neighbour among the codes of training images names the digit. The same
# encoder before training, random projections and the pixels are the fair comparison.

# %% name="encode" slides=[40, 41, 42, 43] needs=["distance"]
code, wide_b = (8, 256) if small else (50, 512)


def normalised(sizes, activation, *last):
    """A dense network with batch normalisation in its hidden layers."""
    steps = [(nn.Linear(a, b, rng=talk.rng), nn.BatchNorm(b), activation()) for a, b in zip(sizes[:-2], sizes[1:-1],
                                                                                           strict=True)]
    return nn.Sequential(*sum(steps, ()), nn.Linear(*sizes[-2:], rng=talk.rng), *last)


leaky_relu = lambda: nn.LeakyReLU(0.2)
pair_judge = nn.Sequential(*(part for inputs in (pixels + code, wide_b) for part in (
    nn.Linear(inputs, wide_b, rng=talk.rng), leaky_relu(), nn.Dropout(0.2 if small else 0.5, rng=talk.rng))),
    nn.Linear(wide_b, 1, rng=talk.rng))
bigan = BiGAN(normalised([code, wide_b, wide_b, pixels], nn.ReLU, nn.Tanh()),
              normalised([pixels, wide_b, wide_b, code], leaky_relu), pair_judge, latent=code,
              rng=talk.rng).to(talk.device)
bigan.eval()
few = slice(5000)
known, asked_for = (talk.device.put(rows(2 * x - 1)) for x in (x_train[few], x_test))


def neighbours_right(codes, queries):
    """The share of test images whose nearest training image, by these codes (N, d), has their label."""
    nearest = talk.on_host(nearest_neighbours(codes, queries, 1)[1])[:, 0]
    return float((y_train[few][nearest] == y_test).mean())


projection = talk.device.put(talk.rng.standard_normal((pixels, code)).astype(np.float32))
one_nn = {"pixels": neighbours_right(known, asked_for),
          "random projection": neighbours_right(known @ projection, asked_for @ projection),
          "untrained encoder": neighbours_right(bigan.encode(known), bigan.encode(asked_for))}
play(bigan, batches(rows(signed)), epochs=talk.epochs(42 if small else 12), about="BiGAN", lr=1e-3,
     lr_d=5e-4 if small else 2.5e-4, decay=0,
     look=lambda gan: shown(gan.reconstruct(asked_for[:10])))
one_nn["BiGAN"] = neighbours_right(bigan.encode(known), bigan.encode(asked_for))
again = bigan.reconstruct(asked_for)
talk.rows("bigan", "There and back, without a reconstruction error", {
    "data": x_test[chosen], "G(E(x))": shown(again)[chosen], "new": shown(bigan.sample(len(chosen), talk.seed))})
talk.table(["codes", "numbers", "nearest neighbour right"], [
    [name, pixels if name == "pixels" else code, value] for name, value in one_nn.items()])
bigan_error, mean_error = squared_error(shown(again), x_test[..., 0]), squared_error(
    np.broadcast_to(x_train.mean(0), x_test.shape), x_test)
gained = one_nn["BiGAN"] - one_nn["untrained encoder"]
talk.say(f"The reconstructions have a squared error of {bigan_error:.1f}; the mean image has {mean_error:.1f}"
         + (": after so short a game E and G are not yet each other's inverse" if bigan_error > mean_error / 2 else "")
         + f". The neighbour is right for {100 * one_nn['BiGAN']:.1f} % by the codes, for "
         f"{100 * one_nn['untrained encoder']:.1f} % before training.")

# %% [markdown]
# ## What must come out
#
# A moved digit is farther than another one for most images. D follows $D^*$ on the line, and the game ends near its
# solution there; at least six of the eight places are found in the plane. The best generator covers all ten digits,
# a label that is asked for comes out, and BiGAN's codes know digits better than they did before training.

# %% name="bounds"
talk.metric("moved_is_farther_than_another", farther, at_least=0.7)
talk.metrics(judge_accuracy=accuracy, detail_vae=crisp["VAE"], detail_vaegan=crisp["VAE-GAN"])
talk.metric("crisper", crisp["VAE-GAN"] / crisp["VAE"], at_least=1.3)
talk.metric("d_from_best", float(np.mean(gaps)), at_most=0.1)
talk.metric("js_at_the_end", js[-1], at_most=0.05)
talk.metric("modes", reached.found, at_least=6)
talk.metrics(**{f"score_{name.lower().replace(' ', '_')}": value for name, value in scores.items()})
talk.metric("rarest_digit", int(counts[best].min()), at_least=10)
talk.metric("rules_broken_by_dcgan", len(dcgan_rules(*players["DCGAN"])), at_most=0 if small else 2, always=True)
talk.metric("conditional_right", right["conditional"], at_least=0.85)
talk.metric("auxiliary_right", right["AC-GAN"], at_least=0.85)
talk.metrics(info_purity=purity, info_digits=found)
talk.metrics(bigan_error_of_mean=bigan_error / mean_error)
talk.metric("bigan_gained", gained, at_least=0.02 if small else 0.08)
talk.finish()
