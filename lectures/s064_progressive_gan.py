# %% [markdown]
# # Slides 64-74: progressive growing of GANs
#
# Large images are hard for a game of two. The critic sees at once that something is wrong, in any of a million pixels,
# and the generator learns little from that. Karras et al. (2018) begin with images of 4x4 pixels, where there is
# nothing to be learned but where it is bright and where it is dark. Then both networks gain a layer, the images are
# twice as large, and so on. Beside that the paper has a handful of tricks. Here each of them is switched on and off,
# and measured by what it promises.

# %%
import time
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

import minidl as md
from minidl import adversarial, nn, ops, plotting
from minidl.adversarial import ProgressiveGAN, Stage, Tricks, grow, shrunk
from minidl.lectures import lecture
from minidl.lectures.pictures import progressive_gan as pictures
from minidl.metrics import sliced_wasserstein, swd
from minidl.tuning import one_core

talk = lecture(64, data=["digits", "mnist"])
small = talk.data == "digits"
images = talk.load(flat=False, margin=0 if small else 2)
full = 16 if small else 32
widths = talk.short([32, 32, 16] if small else [64, 64, 32, 16], [8, 8, 4] if small else [8, 8, 4, 4])
x_train = np.asarray(images.x_train[:talk.short(None, 320)], np.float32)
if small:                                                           # 8x8 pixels, smoothly enlarged
    x_train = ops.interpolate(md.Tensor(x_train), full).numpy()
signed = 2.0 * x_train - 1.0                                        # black is -1; (N, full, full, 1)
rate, average = 6e-3, 0.99


def enlarged(x):
    """Images of any stage at full size: each pixel becomes a square."""
    x = talk.on_host(x)
    times = full // x.shape[1]
    return x.repeat(times, 1).repeat(times, 2)


shown = lambda x: (enlarged(x) + 1.0) / 2.0
look = lambda gan: {f"{gan.size}x{gan.size}": shown(gan.sample(24, talk.seed))}
fresh = lambda tricks=None, seed=talk.seed: ProgressiveGAN(latent=32 if small else 64, widths=widths, tricks=tricks,
                                                           rng=seed).to(talk.device)

# %% [markdown]
# ## Slide 64: the two networks
#
# This is what there is in the end. The generator makes maps of 4x4 places out of noise, and each block doubles their
# height and width. Its last layer makes pixels of features. The critic is the generator's mirror image. What is there
# at 4x4 is all that is trained at first.

# %% name="networks" slides=[64]
whole = fresh()
while whole.size < full:
    whole.grow()
talk.save(pictures.networks(whole, f"Two networks that have grown from 4x4 to {full}x{full}"), "networks")
of_first = sum(p.size for p in fresh().parameters())
of_all = sum(p.size for p in whole.parameters())
talk.say(f"Of {of_all:,} numbers in the end, the first stage trains {of_first:,}. A map of {full}x{full} places costs "
         f"{(full // 4)**2} times as much as one of 4x4, so early steps are cheap.")

# %% [markdown]
# ## Slide 66: one layer at a time
#
# 1. Generator and critic as in any GAN, with the loss of WGAN-GP and a small drift term: the critic pays for scores
#    that are far from 0.
# 2. Train on 4x4 images. The data are shrunk: each pixel is the mean of those that it covers.
# 3. Append a layer to both. It has learned nothing yet, so it must not be let in at once: with $\alpha$ going from 0 to
#    1, the image is $(1-\alpha)$ times the older one, enlarged, and $\alpha$ times the new one. The critic looks at
#    its image in the same two ways.
# 4. Train on 8x8 images, then on 16x16, and so on. All layers go on learning.
#
# *First the global structure, then details*: that is a curriculum. The slide sees deep belief nets in it (slides
# 101-109), which learn one layer at a time, too. But there the earlier layers stay as they are.

# %% name="growth" slides=[66, 67, 68]
schedule = ([Stage(4, 9600, batch_size=32), Stage(8, 9600, fade=4800), Stage(16, 16000, fade=8000)] if small else
            [Stage(4, 60000, batch_size=32), Stage(8, 60000, fade=30000), Stage(16, 80000, fade=40000),
             Stage(32, 100000, fade=50000)])
if talk.fast:
    schedule = [Stage(4, 32, batch_size=32), Stage(8, 32, fade=16), Stage(full, 32, fade=16)]
every = talk.short(800 if small else 8000, 32)
some = slice(0, talk.short(700, 40))
half, other = signed[some], signed[-talk.short(700, 40):]


def distance(x):
    """The sliced Wasserstein distance of generated images, enlarged, from data: in thousandths, as the paper has it."""
    return swd(half, enlarged(x), patches=16, directions=128, rng=talk.seed).mean


def measured(gan, film=None):
    """What `grow` calls after each round: the history gets its CPU seconds and a distance, a film another picture."""
    begun = [time.process_time()]

    def after_epoch(history):
        history.setdefault("cpu", []).append(time.process_time() - begun[0])
        history.setdefault("swd", []).append(distance(gan.sample(len(half), talk.seed + 1)))
        if film is not None:
            film.append(plotting.image_grid(shown(gan.sample(24, talk.seed)), columns=8,
                                            title=f"{gan.size}x{gan.size}, alpha {gan.alpha:.2f}"))
        begun[0] = time.process_time()
    return after_epoch


floor = distance(other)
gan = fresh()
made: dict[int, Any] = {}
film: list[Any] = []


def stage_is_done(stage, history):
    """Keep samples of this size."""
    made[stage.size] = talk.on_host(gan.sample(len(half), talk.seed))


with one_core():
    histories = grow(gan, signed, schedule, lr=rate, average=average, every=every, rng=talk.seed,
                     after_stage=stage_is_done, after_epoch=measured(gan, film),
                     **talk.shown(gan, "growing", name="growing", look=look))
talk.save(film, "growth", slides=[66])
of_stage = {size: distance(x) for size, x in made.items()}
at_best = {size: distance(shrunk(other, size)) for size in made}
seconds = {size: float(np.sum(history["cpu"])) for size, history in histories.items()}
talk.say(f"The same 24 noises while the networks grow, in {sum(seconds.values()):.0f} CPU seconds of training.")

# %% [markdown]
# ## Slide 67: from 4x4 on
#
# What is shown to the critic, and what the generator made of it when the stage was over. The *sliced Wasserstein
# distance* of slide 80 compares patches of two sets of images; less is better. To be comparable all images are
# enlarged, and compared with data at full size. So a part of the distance is owed to squares for pixels: data of the
# same size, enlarged, say how large that part is. And two halves of the data are not at distance 0 from each other.

# %% name="growth" slides=[67]
rows: dict[str, Any] = {}
for size, x in made.items():
    rows[f"data, {size}x{size}"] = shown(shrunk(signed[:12], size)), f"{at_best[size]:.0f}"
    rows[f"made, {size}x{size}"] = shown(x[:12]), f"{of_stage[size]:.0f}"
talk.rows("stages", "When each stage was over; on the right: SWD from data", rows)
sizes = list(made)
falls = [of_stage[a] - of_stage[b] for a, b in pairwise(sizes)]
talk.say(f"The distance {'falls at each stage' if min(falls) > 0 else 'does not fall at each stage'}: "
         f"{', '.join(f'{of_stage[size]:.0f} at {size}x{size}' for size in sizes)}; data of that size have "
         f"{', '.join(f'{at_best[size]:.0f}' for size in sizes)}.")
talk.table(["stage", "images", "batch", "CPU s", "SWD made", "SWD data"],
           [[f"{stage.size}x{stage.size}", f"{stage.images:,}", stage.batch_size, f"{seconds[stage.size]:.1f}",
             f"{of_stage[stage.size]:.1f}", f"{at_best[stage.size]:.1f}"] for stage in schedule])

# %% [markdown]
# ## Slide 68: a layer fades in
#
# Here the training is over, and alpha is moved by hand. At 0 the generator's image is that of the older layers,
# enlarged; at 1 it is the new layer's. The data are blurred in the same way while a layer fades in, so that the critic
# does not win by sharpness alone. (What made pixels of the older features has not been trained since the fade was over,
# while they went on learning: so the older image may have another contrast.)

# %% name="growth" slides=[68]
some_data = (md.Tensor(talk.device.put(signed[:12])),)
fading: dict[str, dict[str, Any]] = {"made": {}, "data": {}}
for alpha in (0.0, 0.5, 1.0):
    gan.fade(alpha)
    fading["made"][f"made, alpha {alpha:g}"] = shown(gan.sample(12, talk.seed))
    fading["data"][f"data, alpha {alpha:g}"] = shown(gan.real(some_data)[0].data)
talk.rows("fading", "The same noise, the same weights", fading["made"] | fading["data"])
talk.say("At alpha 0 each image consists of squares of 2x2 pixels: it is one of half the size. At alpha 1 it has "
         f"{full}x{full} pixels of its own.")
talk.save(pictures.schedule(schedule, {size: history["swd"] for size, history in histories.items()}, floor), "schedule")
talk.say(f"The schedule counts images: {sum(stage.images for stage in schedule):,} in all, in "
         f"{sum(stage.images // stage.batch_size for stage in schedule):,} steps. At the end samples are "
         f"{of_stage[full] / floor:.1f} times as far from the data as two halves of these are from each other.")

# %% [markdown]
# ## Slide 69: against training at full size from the start
#
# The same networks, grown before they have learned anything, see images of full size only, for as many CPU seconds. A
# step at full size costs more, so there are fewer of them. The rate falls to 0 in both.

# %% name="scratch" slides=[69] needs=["growth"]
last = histories[full]["cpu"]
per_image = float(np.median(last[len(last) // 2:])) / (schedule[-1].batch_size * (every // schedule[-1].batch_size))
n = talk.short(int(sum(seconds.values()) / per_image) // every * every, 32)
scratch = fresh()
with one_core():
    from_start = grow(scratch, signed, [Stage(full, n)], lr=rate, average=average, every=every, rng=talk.seed,
                      after_epoch=measured(scratch),
                      **talk.shown(scratch, "full size from the start", name="scratch", look=look))[full]
at_once = talk.on_host(scratch.sample(len(half), talk.seed))
from_scratch = distance(at_once)
together = [second for history in histories.values() for second in history["cpu"]]
distances = [d for history in histories.values() for d in history["swd"]]
talk.save(pictures.over_time({
    "growing": (np.cumsum(together), distances),
    "full size\nfrom the start": (np.cumsum(from_start["cpu"]), from_start["swd"])}, floor,
    "Growing, or full size from the start"), "curriculum")
talk.rows("from-scratch", "After equal times; on the right: SWD from data", {
    "data": (shown(other[:12]), f"{floor:.0f}"), "growing": (shown(made[full][:12]), f"{of_stage[full]:.0f}"),
    "full size from\nthe start": (shown(at_once[:12]), f"{from_scratch:.0f}")})
talk.say(f"After {sum(together):.0f} and {sum(from_start['cpu']):.0f} CPU seconds the distances are "
         f"{of_stage[full]:.1f} with growing and {from_scratch:.1f} without. That is one run of each."
         + (f" At {full}x{full} pixels there is little to gain: the paper's images have 1024x1024."
            if of_stage[full] > 0.8 * from_scratch else ""))

# %% [markdown]
# ## Slide 70: batches without variety
#
# A critic that looks at one image at a time cannot see that all images are the same. Here is a task for it that no
# generator comes into: batches of 16 data on one side; on the other side two of these data, each eight times. All
# images are perfect. Only a look at the whole batch helps. Three critics learn to tell the sides apart; they differ by
# one layer near the end, before a fully connected one: none, *minibatch discrimination* (slide 44), or the *minibatch
# standard deviation*.

# %% name="batches" slides=[70]
KINDS: dict[str, Any] = {
    "none": lambda width, rng: [],
    "discrimination": lambda width, rng: [adversarial.MinibatchDiscrimination(width, 8, 4, rng=rng)],
    "deviation": lambda width, rng: [adversarial.MinibatchStd()]}
more = {"none": 0, "discrimination": 8, "deviation": 1}                 # the features that the layer adds


def critic_with(kind, inputs, hidden, rng):
    """A dense critic whose last hidden layer sees of the whole batch what this kind of layer tells."""
    body = nn.mlp([inputs, *hidden], rng=rng, activation=nn.ReLU, weight_init=nn.init.he_normal)
    dense = [nn.Linear(hidden[-1] + more[kind], hidden[-1], rng=rng, weight_init=nn.init.he_normal),
             nn.ReLU(), nn.Linear(hidden[-1], 1, rng=rng, weight_init=nn.init.he_normal)]
    return nn.Sequential(*body, nn.ReLU(), *KINDS[kind](hidden[-1], rng), *dense)


def two_sides(critic, x):
    """The cross-entropy of a batch of data, and of two of them instead."""
    data, poor = critic(x), critic(ops.concatenate([x[:2]] * 8, 0))
    return (ops.softplus(-data).mean() + ops.softplus(poor).mean()) / 2.0


told = {}
for kind in KINDS:
    critic = critic_with(kind, signed[0].size, [64, 64], np.random.default_rng(talk.seed))
    loader = md.data.Loader(signed.reshape(len(signed), -1)[:1280], batch_size=16, rng=talk.rng, drop_last=True,
                            device=talk.device)
    told[kind] = talk.train(critic, loader, epochs=talk.epochs(10), lr=1e-3, loss=two_sides,
                            about=talk.of(kind, KINDS)).loss
talk.save(plotting.curves({kind: (np.arange(1, len(loss) + 1), loss) for kind, loss in told.items()},
                          x=f"passes through {min(1280, len(signed)):,} images", y="cross-entropy, nats",
                          levels={"guessing": float(np.log(2))},
                          title="Sixteen different images, or two eight times?"), "batches")
talk.say(f"Guessing costs {np.log(2):.2f} nats. At the end the critic that sees one image at a time pays "
         f"{told['none'][-1]:.2f}, with minibatch discrimination {told['discrimination'][-1]:.2f}, with the standard "
         f"deviation {told['deviation'][-1]:.2f}.")

# %% [markdown]
# ## Slide 72: five steps
#
# The simpler approach has nothing to learn. Four items, each with two features at two places:
#
# 1. take a group of items (the paper's groups are of four);
# 2. the standard deviation of each feature at each place, over the group;
# 3. their mean over all features and places: one number, the group's diversity;
# 4. repeat it for each item and place;
# 5. append it as one more feature.

# %% name="steps" slides=[72]
several = np.array([[[1, 4], [0, 2]], [[3, 4], [0, 6]], [[5, 0], [0, 2]], [[7, 0], [0, 6]]], np.float64)
seen = {}
for name, items in {"four items": several, "one item, four times": several[[0, 0, 0, 0]]}.items():
    group = items                                                      # 1: (4 items, 2 places, 2 features)
    deviation = group.std(0)                                           # 2: (2 places, 2 features)
    diversity = float(deviation.mean())                                # 3: one number
    everywhere = np.full((4, 2, 1), diversity)                         # 4: (4 items, 2 places, 1)
    seen[name] = items, deviation, diversity, np.concatenate([group, everywhere], -1)                         # 5
by_the_layer = {name: adversarial.MinibatchStd(4)(md.Tensor(items)).numpy() for name, (items, *_) in seen.items()}
off = max(float(abs(by_the_layer[name] - out).max()) for name, (*_, out) in seen.items())
talk.save(pictures.five_steps(seen), "five-steps")
talk.say(f"The four items have a diversity of {seen['four items'][2]:.2f}; the same item four times has "
         f"{seen['one item, four times'][2]:g}. No weights are needed for that.")

# %% [markdown]
# How large is a group to be? Below, batches of 16 data of which more and more are different. A group of two sees no
# more than a pair; a group of sixteen sees the whole batch. The smaller the groups, the more numbers a batch has, and
# the less each of them says.

# %% name="steps" slides=[72]
different, groups, draws = [1, 2, 4, 8, 16], [2, 4, 16], talk.short(200, 10)
channel = {group: np.empty((len(different), draws)) for group in groups}
for i, n_different in enumerate(different):
    for draw in range(draws):
        chosen = talk.rng.permutation(np.resize(talk.rng.choice(len(signed), n_different, replace=False), 16))
        for size in groups:
            batch = md.Tensor(signed[chosen])
            channel[size][i, draw] = adversarial.MinibatchStd(size)(batch).numpy()[0, 0, 0, -1]
talk.save(plotting.curves({f"groups of {group}": (different, values.mean(1)) for group, values in channel.items()},
                          x="different images in a batch of 16", y="the new feature",
                          title="What the critic is told of a batch"), "groups")
spread = {group: float(values[-1].std() / values[-1].mean()) for group, values in channel.items()}
talk.say("From batch to batch of sixteen different images the number varies by "
         f"{100 * spread[2]:.0f} % in groups of 2, by "
         f"{100 * spread[4]:.0f} % in groups of 4 and by {100 * spread[16]:.0f} % in groups of 16.")

# %% [markdown]
# ## Slides 71 and 72: diversity in a game
#
# Does it help? The same game at the smallest size, the same noise and the same rate; only what the critic sees of a
# batch is changed. *Variety* is the deviation of samples from their mean, in percent of that of the data: 100 is as
# varied as these, and nearly 0 is a collapse. Beside it stands the sliced Wasserstein distance of whole images.
#
# Minibatch discrimination has weights of its own. They are not equalised (slide 73), so at this rate they move fast.

# %% name="diversity" slides=[71, 72]
tiny = shrunk(signed, 4)
seeds = [talk.seed + i for i in range(talk.short(3, 1))]
ways = ["none", "discrimination", "std"]
variety: dict[str, list[float]] = {way: [] for way in ways}
away: dict[str, list[float]] = {way: [] for way in ways}
samples: dict[str, Any] = {}
deviation = lambda x: float(np.sqrt(talk.on_host(x).var(0).sum()))
for way in ways:
    for seed in seeds:
        game = fresh(Tricks(minibatch=way), seed)
        n = talk.short(6400 if small else 32000, 32)
        with one_core():
            grow(game, signed, [Stage(4, n, batch_size=32)], lr=rate, average=average, every=n // 2, rng=seed,
                 **talk.shown(game, f"{way}, seed {seed}", look=look))
        drawn = talk.on_host(game.sample(len(tiny), seed))
        variety[way].append(100.0 * deviation(drawn) / deviation(tiny))
        away[way].append(1000.0 * sliced_wasserstein(drawn.reshape(-1, 16), tiny.reshape(-1, 16), directions=128,
                                                     rng=talk.seed))
        samples.setdefault(way, drawn)
talk.rows("diversity", "4x4 pixels; on the right: variety in % of the data's", {
    "data": (shown(tiny[:12]), "100"),
    **{way: (shown(x[:12]), f"{variety[way][0]:.0f}") for way, x in samples.items()}})
talk.table(["the critic sees", "variety, each seed, %", "SWD, each seed"], [
    [way, *(", ".join(f"{value:.0f}" for value in values[way]) for values in (variety, away))] for way in ways])
closest = min(ways, key=lambda way: np.mean(away[way]))
clear = all(max(away[closest]) < min(away[way]) for way in ways if way != closest)
talk.say(f"Over {len(seeds)} seeds samples have {np.mean(variety['none']):.0f} % of the data's variety without such a "
         f"layer, {np.mean(variety['discrimination']):.0f} % with minibatch discrimination, "
         f"{np.mean(variety['std']):.0f} % with the standard deviation. "
         + (f"The distance from the data is least for {closest}, with every seed" if clear else
            "Which is nearest to the data depends on the seed")
         + (": this game does not collapse by itself." if min(variety["none"]) > 50 else "."))

# %% [markdown]
# ## Slide 73: equalised learning rate
#
# Adam divides each gradient by its usual size. So every weight moves by about the learning rate in each step, be it
# large or small. But He's initial weights are small where a unit has many inputs, $\sqrt{2 / n}$, and large where it
# has few. The same step is much for the one layer and little for the other.
#
# The paper draws all weights from $N(0, 1)$, and multiplies them by $\sqrt{2 / n}$ when they are used. The networks
# are the same at first. But now all weights that Adam sees are of one size.

# %% name="equalised" slides=[73]
def update_ratios(tricks):
    """By how many percent each layer's weights change in a step of Adam: the mean over the first steps."""
    gan, batch, steps = fresh(tricks), 16, talk.short(20, 2)
    while gan.size < full:
        gan.grow()
    weights = pictures.layers(gan)
    before = {name: p.numpy().copy() for name, p in weights.items()}
    moved: dict[str, list[float]] = {name: [] for name in weights}

    def after_step(history):
        for name, p in weights.items():
            now = p.numpy().copy()
            moved[name].append(100.0 * float(np.linalg.norm(now - before[name]) / np.linalg.norm(before[name])))
            before[name] = now
    with one_core():
        grow(gan, signed, [Stage(full, batch * steps, batch_size=batch)], lr=1e-3, every=batch, decay=False,
             rng=talk.seed, after_epoch=after_step, progress=False)
    return {name: float(np.mean(shares)) for name, shares in moved.items()}


plain_tricks = Tricks(equalized=False)
with talk.doing("steps of Adam, counted"):
    ratios = {"plain": update_ratios(plain_tricks), "equalised": update_ratios(Tricks())}
talk.save(pictures.per_layer(ratios, y="change in a step, %",
                             title="How much a step of Adam changes each layer"), "update-ratios")
dynamic_range = {name: max(shares.values()) / min(shares.values()) for name, shares in ratios.items()}
slowest, fastest = (pick(ratios["plain"], key=ratios["plain"].get) for pick in (min, max))
talk.say(f"With He's weights a step changes {fastest} by {ratios['plain'][fastest]:.2g} % "
         f"and {slowest} by {ratios['plain'][slowest]:.2g} %: a factor of "
         f"{dynamic_range['plain']:.0f}. Equalised, the factor is "
         f"{dynamic_range['equalised']:.1f}.")

# %% [markdown]
# ## Slide 74: pixel normalisation
#
# The generator's features at each pixel are a vector. After each convolution it is divided by its length (and times
# the root of their number, so that features are of size 1 on average). There is nothing to learn in it. The paper's
# argument: two players that compete may outbid each other, and the sizes of features spiral out of control. Whatever a
# layer makes, the next one now gets features of size 1.
#
# The noise goes through the same layer first. So only its direction matters, and not its length.

# %% name="pixel-norm" slides=[74]
def note_size(values, layer, inputs, y):
    """Append the root mean square of a layer's output."""
    values.append(float(np.sqrt(np.mean(talk.on_host(y.data)**2))))


def sizes_of_features(tricks, about):
    """A GAN, and the root mean square of what each layer of its generator makes, and passes on, while it trains."""
    gan, stage = fresh(tricks), Stage(8, talk.short(4800 if small else 32000, 32), batch_size=16)
    gan.grow()
    gan.fade(1.0)
    made: dict[str, list[float]] = {"dense": [], "4x4": [], "8x8 a": [], "8x8 b": []}
    passed_on: dict[str, list[float]] = {name: [] for name in made}
    layers = [layer for block in (gan.generator.first, gan.generator.blocks[0]) for _, layer in block.children()]
    activations = [layer for layer in layers if isinstance(layer, nn.LeakyReLU)]
    norms = [layer for layer in layers if isinstance(layer, nn.PixelNorm)][1:]           # the first is the noise's

    def after_epoch(history):
        hooks = []
        for kept, chosen in ((made, activations), (passed_on, norms or activations)):
            for values, layer in zip(kept.values(), chosen, strict=True):
                hooks.append(layer.register_forward_hook(partial(note_size, values)))
        gan.sample(200, talk.seed)
        for hook in hooks:
            hook.remove()
    after_epoch({})
    with one_core():
        grow(gan, signed, [stage], lr=rate, average=average, every=talk.short(stage.images // 20, 32), rng=talk.seed,
             after_epoch=after_epoch, **talk.shown(gan, about, look=look))
    return gan, made, passed_on


normal, before, after = sizes_of_features(Tricks(), "with pixel normalisation")
_, without, _ = sizes_of_features(Tricks(pixel_norm=False), "without pixel normalisation")
passes = np.linspace(0, talk.short(4.8 if small else 32, 0.032), len(before["dense"]))
panels = {"without": without, "with, before it": before, "with, after it": after}
talk.save(plotting.curve_panels({name: {layer: (passes, values) for layer, values in layers.items()}
                                 for name, layers in panels.items()}, x="images seen, in thousands",
                                y="size of features", title="The generator's features, and pixel normalisation"),
          "features")
drift = {name: max(max(values) / min(values) for values in layers.values()) for name, layers in panels.items()}
talk.say(f"Without pixel normalisation some layer's features change their size by a factor of {drift['without']:.1f} "
         f"in this training, with it by {drift['with, before it']:.1f}; but what the next layer gets is divided by it, "
         f"and changes by {drift['with, after it']:.2f}."
         + (" Nothing spirals in so short a game." if drift["without"] < 10 else ""))

# %% name="pixel-norm" slides=[74]
z = np.random.default_rng(talk.seed).standard_normal((12, normal.latent)).astype(np.float32)
scaled = {f"noise times {factor:g}": normal.decode(talk.device.put(np.float32(factor) * z)) for factor in (0.5, 1, 2)}
talk.rows("latent", "With the noise on a sphere only its direction matters", {
    name: shown(x) for name, x in scaled.items()})
moved_by = max(float(abs(talk.on_host(x) - talk.on_host(scaled["noise times 1"])).max()) for x in scaled.values())
lengths = np.linalg.norm(z, axis=1)
talk.say(f"These noises have lengths from {lengths.min():.1f} to {lengths.max():.1f}. Half as long or twice as long, "
         f"they change no pixel by more than {moved_by:.0e}.")

# %% [markdown]
# ## Slide 65: contributions
#
# The list once more, each contribution by its own measure in this run. Metrics are those of slides 75-80.

# %% name="contributions" slides=[65] needs=["scratch", "batches", "equalised", "pixel-norm"]
pairs = [pictures.Pair("progressive\ngrowing", "SWD after the same time:\nless is better",
                       from_scratch, of_stage[full]),
         pictures.Pair("minibatch\nstandard deviation", "cross-entropy of batches\nwithout variety: less is better",
                       told["none"][-1], told["deviation"][-1]),
         pictures.Pair("equalised\nlearning rate", "fastest layer's step by\nslowest's: 1 is best",
                       dynamic_range["plain"], dynamic_range["equalised"]),
         pictures.Pair("pixel\nnormalisation", "change of what a layer gets:\n1 is stable", drift["without"],
                       drift["with, after it"])]
talk.save(pictures.contributions(pairs), "contributions")
talk.say(f"Growing ends at a distance of {of_stage[full]:.0f}, full size from the start at {from_scratch:.0f}. Batches "
         f"without variety are told for {told['deviation'][-1]:.2f} nats, where guessing costs {np.log(2):.2f}. The "
         f"fastest layer learns {dynamic_range['equalised']:.1f} times as fast as the slowest, not "
         f"{dynamic_range['plain']:.0f} times, and a layer's input changes its size by a factor of "
         f"{drift['with, after it']:.2f}, not {drift['without']:.1f}.")

# %% [markdown]
# ## What must come out
#
# The distance falls from stage to stage. A critic that sees batches knows those without variety, one that does not
# guesses. The layer agrees with the five steps written out. Equalised, all layers learn at nearly the same speed. And
# the length of the noise does not matter.

# %% name="bounds"
for size, value in of_stage.items():
    talk.metrics(**{f"swd_{size}": value, f"swd_of_data_{size}": at_best[size], f"seconds_{size}": seconds[size]})
talk.metric("least_fall_of_swd", min(falls), at_least=0.0)
talk.metrics(swd_floor=floor, swd_from_scratch=from_scratch, seconds_from_scratch=float(sum(from_start["cpu"])))
talk.metric("seconds_of_growth", sum(seconds.values()))
talk.metric("told_without", told["none"][-1], at_least=0.6)
for kind in ("discrimination", "deviation"):
    talk.metric(f"told_with_{kind}", told[kind][-1], at_most=0.3)
talk.metric("five_steps_off", off, at_most=2e-4, always=True)
talk.metrics(**{f"variety_{way}": float(np.mean(values)) for way, values in variety.items()})
talk.metrics(**{f"swd_4_{way}": float(np.mean(values)) for way, values in away.items()})
talk.metric("range_plain", dynamic_range["plain"], at_least=5.0)
talk.metric("range_equalised", dynamic_range["equalised"], at_most=2.5)
talk.metrics(drift_without=drift["without"], drift_before=drift["with, before it"])
talk.metric("drift_after", drift["with, after it"], at_most=1.01, always=True)
talk.metric("length_matters", moved_by, at_most=1e-3, always=True)
talk.finish()
