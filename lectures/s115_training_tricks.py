# %% [markdown]
# # Slide 115: optimisation and regularisation tricks, side by side
#
# Between a network and a network that has learned stand many tricks. This lecture tries them on the same task from the
# same start, and says of each what it did here: of the optimisers, of initial values and normalisation in a deep
# network, and of the regularisers, with few examples and with wrong ones. Some do not help, and that is shown too.

# %%
import numpy as np

from minidl import data, nn, optim, plotting, training
from minidl.data import augmentation
from minidl.lectures import lecture
from minidl.lectures.pictures import training_tricks as pictures
from minidl.tuning import one_core

talk = lecture("training-tricks")
images = talk.load()

# %% [markdown]
# ## Down a long valley
#
# A function of two numbers, steep across a valley and flat along it. Gradient descent may not take larger steps than
# the steep direction allows, and so it crawls along the flat one. Momentum adds up what the gradients agree on, and
# swings like a heavy ball; Nesterov's looks ahead and swings less. Adagrad, RMSprop and Adam divide each number's step
# by the size of its gradients, which helps less in a valley that runs between the axes. Each optimiser has the learning
# rate, of seven, with which it gets lowest.

# %%
optimizers = {
    "SGD": lambda p, lr: optim.SGD(p, lr),
    "momentum": lambda p, lr: optim.SGD(p, lr, momentum=0.9),
    "Nesterov": lambda p, lr: optim.SGD(p, lr, momentum=0.9, nesterov=True),
    "Adagrad": lambda p, lr: optim.Adagrad(p, lr),
    "RMSprop": lambda p, lr: optim.RMSprop(p, lr),
    "Adam": lambda p, lr: optim.Adam(p, lr)}
rates = talk.short([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0], [0.003, 0.03, 0.3])


def height(x, y):
    along, across = 0.87 * x + 0.5 * y, 0.87 * y - 0.5 * x
    return 0.5 * along * along + 20.0 * across * across


def walk(optimizer, lr, steps):
    """The places at which the optimiser was, (steps + 1, 2)."""
    place = nn.Parameter(np.array([-4.0, -0.8], np.float32))
    optimizer = optimizer([place], lr)
    places = [place.numpy().copy()]
    for _ in range(steps):
        optimizer.zero_grad()
        height(place[0], place[1]).backward()
        optimizer.step()
        places.append(place.numpy().copy())
    return np.array(places)


def end(path):
    """How low a path ends; one that leaves the picture does not count."""
    inside = (path > [-4.8, -2.9]).all() and (path < [1.8, 1.1]).all()
    return float(height(*path[-1])) if inside else np.inf


with np.errstate(all="ignore"):                                                # some of the rates are far too large
    paths = {name: min((walk(optimizer, lr, steps=60) for lr in rates), key=end)
             for name, optimizer in optimizers.items()}
frames = talk.short([*range(9), 10, 12, 15, 20, 25, 30, 40, 50, 60], [0, 60])
talk.save([pictures.descent(height, {name: path[:t + 1] for name, path in paths.items()}, x=(-4.8, 1.8), y=(-2.9, 1.1),
                            minimum=(0, 0), title=f"Height above the bottom after {t} steps")
           for t in talk.each(frames, "the film of the valley")],
          "valley")

# %% [markdown]
# ## The same on digits
#
# One multilayer perceptron, the same initial weights and the same batches for all. What is a fair learning rate? Each
# optimiser tries the same seven and keeps the one with the lowest training loss.
#
# The learning-rate range test (L. Smith, 2017) asks for less: a single run of at most 100 steps in which the rate rises
# from step to step. It suggests a tenth of the rate at which the loss is lowest, to be on the safe side.

# %%
x_mean, x_sd = images.x_train.mean(), images.x_train.std()
labels, seen = np.asarray(images.y_train), talk.short(None, 320)
x_train, x_test = (images.x_train[:seen] - x_mean) / x_sd, (images.x_test - x_mean) / x_sd


def mlp(sizes, weight_init=nn.init.he_normal, normalise=False):
    """Linear layers, always the same ones, with ReLUs between them, after BatchNorm if that is wanted."""
    activation = (lambda: nn.Sequential(nn.BatchNorm(sizes[1]), nn.ReLU())) if normalise else nn.ReLU
    return nn.mlp(sizes, activation=activation, weight_init=weight_init, rng=talk.seed).to(talk.device)


loss = lambda model, x, labels: nn.cross_entropy(model(x), labels)
error = lambda model, x, labels: (len(x) - talk.right(model, x, labels)) / len(x)       # the share of wrong labels
batches = lambda: data.Loader(x_train, labels[:seen], batch_size=64, rng=np.random.default_rng(talk.seed),
                              device=talk.device)


def losses(model, optimizer, epochs, schedule=None, gradients=()):
    """The training loss of each epoch; all of them infinite if it is too much for floating-point numbers."""
    with np.errstate(all="ignore"):
        try:
            return talk.train(model, batches(), epochs=epochs, optimizer=optimizer, schedule=schedule, loss=loss,
                              gradients=gradients, progress=False).loss
        except FloatingPointError:
            return [np.inf] * epochs


epochs, sizes = talk.epochs(6), [images.x_train.shape[1], 100, 100, 10]
tests, runs, errors = {}, {}, {}
for name, optimizer in talk.each(optimizers.items(), "optimisers at seven rates"):
    model = mlp(sizes)
    with one_core():
        tests[name] = training.lr_range_test(model, batches(), optimizer(model.parameters(), rates[0]), loss=loss,
                                             low=1e-4, high=10.0, steps=talk.short(100, 30))
    for lr in rates:
        model = mlp(sizes)
        runs[name, lr] = losses(model, optimizer(model.parameters(), lr), epochs)
        errors[name, lr] = error(model, x_test, images.y_test)
best = {name: min(rates, key=lambda lr: runs[name, lr][-1]) for name in optimizers}
final = {name: runs[name, lr][-1] for name, lr in best.items()}
ways = "range test (dots: what it suggests)", "a run at each rate (dots: the best)"
talk.save(plotting.curve_panels(
    {ways[0]: {name: (test.rates, test.losses) for name, test in tests.items()},
     ways[1]: {name: (rates, [runs[name, lr][-1] for lr in rates]) for name in optimizers}},
    marks={ways[0]: {name: test.suggestion for name, test in tests.items()}, ways[1]: best},
    x="learning rate", y="training loss", log=True, log_x=True, top=10.0,
    title="Every optimiser has a learning rate of its own"), "learning-rates")

# %% [markdown]
# The best rates differ by a factor of 100, and beyond the best one the loss soon rises. So no optimiser can be compared
# with another at one and the same rate.
#
# The loss is that of the training images, for to lower it is an optimiser's task. With momentum it falls far lower than
# without; the order of the others is that of this task after so few epochs. AdamW is Adam with another weight decay: it
# comes with the regularisers.

# %%
talk.save(plotting.curves({name: (np.arange(1, epochs + 1), runs[name, lr]) for name, lr in best.items()},
                          x="epoch", y="training loss", log=True, title="Six optimisers, each at its best rate"),
          "optimisers")
lowest = min(final, key=lambda name: final[name])
talk.say(f"The best learning rates lie between {min(best.values()):g} and {max(best.values()):g}. At its own, each "
         f"optimiser gets this far: SGD to a loss of {final['SGD']:.3f}, with momentum to {final['momentum']:.3f}; "
         f"the lowest is {lowest}'s, {final[lowest]:.3f}.")
talk.table(["optimiser", "range test says", "best rate", "training loss", "test error"], [
    [name, f"{tests[name].suggestion:.2g}", f"{best[name]:g}", final[name], f"{errors[name, best[name]]:.1%}"]
    for name in optimizers])

# %% [markdown]
# ## A deep network: how to begin
#
# Ten hidden layers. Each multiplies what comes in by its weights, and ReLU lets about half of it pass. With weights
# that are twice too small or too large the signal is halved or doubled at each layer, the gradient on its way back as
# well: after ten layers that is a factor of 1000. K. He's initial values (2015) are made to keep the signal as it is;
# X. Glorot's (2010) as well, but for tanh. Batch normalisation (S. Ioffe and C. Szegedy, 2015) divides each layer's
# outputs by their spread, so that the signal is right whatever the weights are.

# %%
times = lambda factor: lambda shape, *, rng: nn.init.he_normal(shape, rng=rng) * np.float32(factor)
starts = {"He / 2": times(0.5), "Glorot": nn.init.glorot_normal, "He": nn.init.he_normal, "He x 2": times(2.0)}
panels = {"without normalisation": False, "with batch normalisation": True}


deep_mlp = lambda start, normalise: mlp([sizes[0]] + [64] * 10 + [10], starts[start], normalise)


def spreads(model):
    """The standard deviation of what comes out of each hidden layer."""
    return [float(y.std()) for layer, y in zip(model, talk.look(model, x_train[:500]), strict=True)
            if not isinstance(layer, nn.Linear)]


signal = {(panel, start): spreads(deep_mlp(start, normalise)) for panel, normalise in panels.items()
          for start in starts}
talk.save(plotting.curve_panels(
    {panel: {start: (np.arange(1, 11), signal[panel, start]) for start in starts} for panel in panels},
    x="hidden layer", y="spread of its outputs", log=True, title="Ten layers before training: how large is the signal?"
), "signal")

# %% [markdown]
# ## A deep network: how it learns
#
# All with momentum and the same learning rate. Where the signal has vanished the network learns nothing: its loss stays
# at log 10 = 2.3, that of guessing. Where it has exploded the first steps end in infinity.

# %%
epochs = talk.epochs(8)


def learn_deep(start, lr, normalise=False, warmup=False, gradients=()):
    """The training loss of each epoch; with `warmup` the rate rises for two epochs, and then falls."""
    model = deep_mlp(start, normalise)
    optimizer, steps = optim.SGD(model.parameters(), lr, momentum=0.9), epochs * len(batches())
    schedule = optim.CosineAnnealingLR(optimizer, steps, warmup=steps // 4) if warmup else None
    return losses(model, optimizer, epochs, schedule, gradients)


learned = {(panel, start): learn_deep(start, 0.01, normalise) for panel, normalise in panels.items()
           for start in talk.each(starts, f"ten layers, {panel}")}
talk.save(plotting.curve_panels(
    {panel: {start: (np.arange(1, epochs + 1), learned[panel, start]) for start in starts} for panel in panels},
    x="epoch", y="training loss", title="Ten layers, learning rate 0.01", top=2.6), "deep")
bare, normalised = panels
talk.say(f"Guessing costs {np.log(10):.2f}. Ten layers learn from He's start, to a loss of "
         f"{learned[bare, 'He'][-1]:.2f}; from weights half as large to {learned[bare, 'He / 2'][-1]:.2f}, with "
         f"batch normalisation to {learned[normalised, 'He / 2'][-1]:.2f}.")

# %% [markdown]
# ## What else saves a deep network
#
# Even from He's start nothing is learned at ten times that rate, or the loss becomes infinite. What helps: a rate that
# rises during the first two epochs and then falls along half a cosine (warm-up and schedule), a limit on the gradient's
# norm (clipping, to 1), and batch normalisation. The first alone is not enough; with the second it is best.
#
# From the start that is too small the gradient is nearly zero. Noise added to it (A. Neelakantan et al., 2015) makes
# the weights grow by chance until there is a signal.

# %%
clipping = [optim.ClipGradNorm(1.0)]
rescued = {
    "nothing else": learn_deep("He", 0.1),
    "warm-up, cosine": learn_deep("He", 0.1, warmup=True),
    "clipping": learn_deep("He", 0.1, gradients=clipping),
    "warm-up, cosine,\nclipping": learn_deep("He", 0.1, warmup=True, gradients=clipping),
    "batch norm.": learn_deep("He", 0.1, normalise=True)}
noisy = learn_deep("He / 2", 0.01, gradients=[optim.GradientNoise(0.1, rng=talk.seed)])
talk.save(plotting.curve_panels(
    {"": {name: (np.arange(1, epochs + 1), values) for name, values in rescued.items()}},
    x="epoch", y="training loss", title="Ten layers, learning rate 0.1", top=2.6), "rescue")
talk.table(["start", "learning rate", "trick", "training loss"],
           [["He", 0.1, name.replace("\n", " "), values[-1]] for name, values in rescued.items()]
           + [["He / 2", 0.01, "nothing else", learned["without normalisation", "He / 2"][-1]],
              ["He / 2", 0.01, "gradient noise", noisy[-1]]])

# %% [markdown]
# ## Regularisation: few examples, and wrong ones
#
# 200 images are few for a network of 8,970 parameters: it soon makes no error on them, even if 40 of the 200 labels are
# wrong. It has learned them by heart, and pays for that on other images. Regularisers are to keep it from that.
#
# Each is tried on five draws of 200 images, and starts from the same weights as the network without; all other images
# are the test. Early stopping pays for what it looks at: 40 of its 200 images are not trained on. The strengths were
# chosen beforehand, on other draws.

# %%
shown = talk.images(np.concatenate([images.x_train, images.x_test]))
truth = np.concatenate([labels, images.y_test])
few, epochs, draws = 200, talk.epochs(80), range(talk.short(5, 2))


def learn(draw, wrong, *, dropout=False, dropconnect=0.0, l1=0.0, weight_decay=0.0, label_smoothing=0.0,
          gradient_noise=0.0, average=0.0, held_out=0, augment=None, mixup=None):
    """Train on a draw of 200 images with so many wrong labels; returns the errors on them and on all others."""
    rng = np.random.default_rng([talk.seed, draw])
    order = rng.permutation(len(shown))
    train, test = order[:few], order[few:]
    given, lies = truth.copy(), rng.choice(train, wrong, replace=False)
    given[lies] = (truth[lies] + rng.integers(1, 10, wrong)) % 10
    train, validation = train[held_out:], train[:held_out]
    stream = np.random.default_rng(draw)

    def linear(inputs, outputs):
        layer = nn.Linear(inputs, outputs, rng=rng, weight_init=nn.init.he_normal)
        return nn.DropConnect(layer, dropconnect, rng=stream) if dropconnect else layer

    dropped = lambda p: [nn.Dropout(p, rng=stream)] if dropout else []
    model = nn.Sequential(
        nn.Flatten(), *dropped(0.2), linear(sizes[0], 64), nn.ReLU(), *dropped(0.5), linear(64, 64), nn.ReLU(),
        *dropped(0.5), nn.Linear(64, 10, rng=rng)).to(talk.device)

    def penalised(model, x, y):
        value = nn.cross_entropy(model(x), y, label_smoothing=label_smoothing)
        return value + l1 * nn.l1_penalty(p for p in model.parameters() if p.ndim > 1) if l1 else value

    def check(model):
        return loss(model, talk.device.put(shown[validation]), talk.device.put(given[validation])).item()

    loader = data.Loader(shown[train], given[train], batch_size=100, rng=rng, classes=10, augment=augment, mixup=mixup,
                         device=talk.device)
    talk.train(model, loader, epochs=epochs, lr=5e-3, weight_decay=weight_decay, schedule=None, loss=penalised,
               progress=False, validate=check if held_out else None, patience=10 if held_out else None,
               average=optim.EMA(model, average) if average else None,
               gradients=[optim.GradientNoise(gradient_noise, rng=stream)] if gradient_noise else ())
    return [error(model, shown[part], given[part]) for part in (train, test)]


with_noise = lambda x, rng: augmentation.noise(x, rng, sd=0.3)
tricks: dict[str, dict] = {
    "none": {},
    "weight decay (L2)": {"weight_decay": 2.0},
    "L1 penalty": {"l1": 2e-3},
    "dropout": {"dropout": True},
    "DropConnect": {"dropconnect": 0.3},
    "label smoothing": {"label_smoothing": 0.1},
    "shifted images": {"augment": lambda x, rng: augmentation.shift(x, rng, pixels=1)},
    "rotated images": {"augment": lambda x, rng: augmentation.rotate(x, rng, degrees=10)},
    "noise on pixels": {"augment": with_noise},
    "mixup": {"mixup": 1.0},
    "gradient noise": {"gradient_noise": 0.01},
    "early stopping": {"held_out": 40},
    "averaged weights": {"average": 0.98},
    "noise + decay + smoothing": {"augment": with_noise, "weight_decay": 1.0, "label_smoothing": 0.1}}
tasks = {"200 digits": 0, "200 digits, 40 with wrong labels": 40}
with one_core():
    found = {(task, trick): np.array([learn(draw, wrong, **tricks[trick]) for draw in draws]).T * 100
             for task, wrong in tasks.items() for trick in talk.each(tricks, task)}

# %% [markdown]
# What is better or worse? Each draw is easy or hard for all tricks alike, so we look at the differences to the network
# without, draw by draw, and trust their mean if it is more than three times its standard error.

# %%
def better(task, trick):
    """Whether the test error is lower than without; None if the draws do not tell."""
    less = found[task, "none"][1] - found[task, trick][1]
    return bool(less.mean() > 0) if abs(less.mean()) > 3 * less.std(ddof=1) / len(less)**0.5 else None


first, second = tasks
ranking = ["none", *sorted(list(tricks)[1:], key=lambda trick: found[second, trick][1].mean())]
talk.save(plotting.trials(
    {task: [plotting.Trial(trick, found[task, trick][1], better(task, trick)) for trick in ranking] for task in tasks},
    x="test error (%)", title="Regularisers: blue helps, orange hurts"), "regularisers")
plain = {task: found[task, "none"][1].mean() for task in tasks}
helper = {task: min(tricks, key=lambda trick: found[task, trick][1].mean()) for task in tasks}
talk.say(f"Without any trick {plain[first]:.1f} % of the test images are read wrong; the best, {helper[first]}, "
         f"makes it {found[first, helper[first]][1].mean():.1f} %. With 40 of the 200 labels wrong it is "
         f"{plain[second]:.1f} %, and {helper[second]} makes it {found[second, helper[second]][1].mean():.1f} %: a "
         "regulariser has to fit the data.")
words = {True: "helps", False: "hurts", None: ""}
for task in tasks:
    talk.table([f"{task}: errors in %", "training", "test", "sd", ""], [
        [trick, *(f"{value:.1f}" for value in (*found[task, trick].mean(1), found[task, trick][1].std(ddof=1))),
         words[better(task, trick)]] for trick in ranking])

# %% [markdown]
# ## Which did not help?
#
# With right labels hardly any did. The network without makes 7 % of errors; label smoothing may save a little of that,
# others cost. Each digit fills its 8x8 pixels, so a shift cuts it off, and no test image is shifted; dropout and
# DropConnect would need more steps than the others; the 40 images that early stopping looks at are missing in training.
#
# With wrong labels most help, and some halve the error: dropout and noise make it hard to learn single images by heart,
# L2 and L1 make large weights expensive. Label smoothing helps little. Averaged weights hardly help at all: at the end,
# when all images are known by heart, the weights stand still (those of GANs never come to rest, and gain from it).
# Turned images make it worse if anything: an image with a wrong label then tells its lie in many forms.
#
# So a regulariser is not good or bad in itself: it is an assumption about the data, and has to fit them.
#
# ## What must come out
#
# The bounds hold for other seeds as well.

# %%
bounded = lambda name, value, **bounds: talk.metric(name, min(value, 1000.0), **bounds)      # 1000 for infinity
test_error = lambda task, trick: found[task, trick][1].mean()
bounded("valley_sgd", end(paths["SGD"]), at_least=0.15)
bounded("valley_momentum", end(paths["momentum"]), at_most=0.05)
for name, value in final.items():
    bounded(f"loss_{name}", value)
bounded("momentum_of_sgd", final["momentum"] / final["SGD"], at_most=0.7)
bounded("range_test_off", max(max(test.suggestion / best[name], best[name] / test.suggestion)
                              for name, test in tests.items()), at_most=30)
talk.metric("signal_small", signal[bare, "He / 2"][-1], at_most=0.01, always=True)
talk.metric("signal_he", signal[bare, "He"][-1], at_least=0.1, at_most=5.0, always=True)
talk.metric("signal_large", signal[bare, "He x 2"][-1], at_least=100.0, always=True)
talk.metric("signal_small_normalised", signal[normalised, "He / 2"][-1], at_least=0.4, at_most=0.8, always=True)
bounded("deep_small", learned[bare, "He / 2"][-1], at_least=2.25)
bounded("deep_he", learned[bare, "He"][-1], at_most=0.3)
bounded("deep_large", learned[bare, "He x 2"][-1], at_least=2.25)
bounded("deep_normalised", max(learned[normalised, start][-1] for start in starts), at_most=0.7)
bounded("rescue_nothing", rescued["nothing else"][-1], at_least=1.0)
bounded("rescue_clipping", rescued["clipping"][-1], at_most=0.5)
bounded("rescue_warmup_clipping", rescued["warm-up, cosine,\nclipping"][-1], at_most=0.2)
bounded("rescue_normalised", rescued["batch norm."][-1], at_most=0.4)
bounded("rescue_noise", noisy[-1], at_most=1.2)
bounded("learned_by_heart", found[second, "none"][0].mean(), at_most=2.0)
bounded("test_error", test_error(first, "none"), at_most=12.0)
bounded("test_error_wrong_labels", test_error(second, "none"), at_least=15.0)
bounded("best_gain", max(test_error(first, "none") - test_error(first, trick) for trick in tricks))
bounded("best_gain_wrong_labels", test_error(second, "none") - min(test_error(second, trick) for trick in tricks),
        at_least=6.0)
bounded("dropout_gain_wrong_labels", test_error(second, "none") - test_error(second, "dropout"), at_least=4.0)
talk.finish()
