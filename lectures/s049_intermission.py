# %% [markdown]
# # Slides 49-52: intermission, with cats
#
# A break, and a GAN for the break. CycleGAN (Zhu et al., 2017) has turned horses into zebras without ever having seen
# the same animal as both. We have no horses here, but digits; and the slide wants cats. So there are two kinds of
# pictures: plain digits, white on black, and *tabby* digits, with a ginger cat's stripes, on a carpet.

# %%
import numpy as np

from minidl import data, nn, optim, plotting
from minidl.adversarial import Cycle, CycleGAN, train
from minidl.lectures import lecture
from minidl.metrics import squared_error
from minidl.tuning import one_core

talk = lecture(49, data=["digits"])
images = talk.load(flat=False)


def plain(x):
    """Digits (N, 8, 8, 1) in [0, 1] as pictures (N, 16, 16, 3) in [-1, 1]: white on black."""
    return (2.0 * np.repeat(x.repeat(2, 1).repeat(2, 2), 3, 3) - 1.0).astype(np.float32)


def tabby(x):
    """The same digits as a ginger cat would be one: dark stripes along the strokes, and a green carpet."""
    stroke = x.repeat(2, 1).repeat(2, 2)                                                  # (N, 16, 16, 1)
    striped = (np.arange(16) % 4 < 2)[:, None, None]
    coat = np.where(striped, (0.35, 0.15, 0.05), (0.95, 0.55, 0.15))
    return (2.0 * (stroke * coat + (1.0 - stroke) * (0.55, 0.75, 0.6)) - 1.0).astype(np.float32)


half = len(images.x_train) // 2
used = talk.short(half, 128)
a, b = plain(images.x_train[:used]), tabby(images.x_train[half:half + used])
y_a, y_b = (np.asarray(images.y_train)[part] for part in (slice(used), slice(half, half + used)))
y_test = np.asarray(images.y_test)
test_a, test_b = plain(images.x_test), tabby(images.x_test)
show = lambda x: (talk.on_host(x) + 1.0) / 2.0
chosen = images.one_of_each()

# %% name="kinds" slides=[49]
talk.rows("kinds", "Two kinds of digits, and no pairs", {"plain": show(a[:10]), "tabby": show(b[:10])})

# %% [markdown]
# ## There and back
#
# No picture comes in both kinds: the first half of the training set is plain, the other half is tabby. Two judges ask
# only whether a picture looks like its kind. That leaves too much freedom: a translator could turn each 3 into a lovely
# tabby 7. So whatever is translated must come back:
#
# $$\mathcal L = \mathcal L_{\text{judge a}} + \mathcal L_{\text{judge b}}
# + 10\left(\,|G_a(G_b(a)) - a| + |G_b(G_a(b)) - b|\,\right).$$

# %% name="training" slides=[50, 51]
def translator():
    """Two stages down, two stages up: (N, 16, 16, 3) to the same in [-1, 1]."""
    return nn.Sequential(*nn.halving(3, 24, rng=talk.rng), *nn.halving(24, 48, rng=talk.rng),
                         *nn.doubling(48, 24, rng=talk.rng), *nn.doubling(24, 3, rng=talk.rng, activation=nn.Tanh))


def critic():
    """Whether a picture is of the kind."""
    leaky = lambda: nn.LeakyReLU(0.2)
    return nn.Sequential(*nn.halving(3, 16, rng=talk.rng, activation=leaky),
                         *nn.halving(16, 32, rng=talk.rng, activation=leaky), nn.Flatten(),
                         nn.Linear(4 * 4 * 32, 1, rng=talk.rng))


model = CycleGAN(translator(), translator(), critic(), critic()).to(talk.device)
some_a, some_b = talk.device.put(test_a[chosen]), talk.device.put(test_b[chosen[::-1]])


def views(model):
    """Pictures of both kinds, their translations, and the way back."""
    as_b, as_a = model.translate(some_a, to="b"), model.translate(some_b, to="a")
    return {"plain": some_a, "as tabby": as_b, "back to plain": model.translate(as_b, to="a"),
            "tabby": some_b, "as plain": as_a, "back to tabby": model.translate(as_a, to="b")}


def snapshot(title):
    return plotting.image_rows([plotting.Row(name, show(x)) for name, x in views(model).items()], title=title)


loader = data.Loader(a, b, batch_size=32, drop_last=True, rng=talk.rng, device=talk.device)
epochs = talk.epochs(24)
adam_g, adam_d = (optim.Adam(part.parameters(), lr=2e-3, betas=(0.5, 0.999))
                  for part in (model.generator, model.discriminator))
schedules = [optim.CosineAnnealingLR(adam, T_max=epochs * len(loader)) for adam in (adam_g, adam_d)]
film = [snapshot("before training")]
with one_core():
    train(model, loader, adam_g, adam_d, epochs=epochs, loss="least-squares", extras=[Cycle(10.0)],
          schedules=schedules, after_epoch=lambda history: film.append(snapshot(
              f"after {len(history['seconds']) * len(loader)} steps")),
          **talk.shown(model, "two translators",
                       look=lambda model: {name: show(x) for name, x in views(model).items()}))
talk.save([film[0], *film[talk.short(2, 1)::talk.short(2, 1)]], "learning")

# %% [markdown]
# ## Is a tabby 3 still a 3?
#
# Two readers have learned the digits, one in each kind. They read the translations. And there is a secret that only the
# lecturer knows: how a digit *should* look as a tabby, so that the translation can be compared with it.

# %% name="reading" slides=[52] needs=["training"]
def reader(x, y):
    network = nn.Sequential(*nn.halving(3, 16, rng=talk.rng), *nn.halving(16, 32, rng=talk.rng), nn.Flatten(),
                            nn.Linear(4 * 4 * 32, 10, rng=talk.rng))
    talk.train(network, x, y, epochs=talk.epochs(8), batch_size=32, lr=3e-3, about="a reader",
               loss=lambda network, x, y: nn.cross_entropy(network(x), y))
    network.eval()
    return network


readers = {"plain": reader(a, y_a), "tabby": reader(b, y_b)}
as_b, as_a = (model.translate(talk.device.put(x), to=to) for x, to in ((test_a, "b"), (test_b, "a")))
read = lambda kind, x: talk.right(readers[kind], x, y_test) / len(y_test)
kept = {"plain": (read("plain", test_a), read("tabby", as_b)), "tabby": (read("tabby", test_b), read("plain", as_a))}
back = {"plain": squared_error(talk.on_host(model.translate(as_b, to="a")), test_a),
        "tabby": squared_error(talk.on_host(model.translate(as_a, to="b")), test_b)}
spread = {"plain": squared_error(np.broadcast_to(a.mean(0), test_a.shape), test_a),
          "tabby": squared_error(np.broadcast_to(b.mean(0), test_b.shape), test_b)}
secret = {"plain": squared_error(talk.on_host(as_b), test_b) / spread["tabby"],
          "tabby": squared_error(talk.on_host(as_a), test_a) / spread["plain"]}
talk.rows("translated", "Translated, and what it should have been", {
    "plain": show(test_a[chosen]), "as tabby": (show(as_b)[chosen], f"read:\n{100 * kept['plain'][1]:.0f} %"),
    "should be tabby": show(test_b[chosen]), "tabby": show(test_b[chosen[::-1]]),
    "as plain": (show(as_a)[chosen[::-1]], f"read:\n{100 * kept['tabby'][1]:.0f} %"),
    "should be plain": show(test_a[chosen[::-1]])})
talk.table(["from", "read before", "read translated", "there and back", "from the secret"],
           [[kind, *kept[kind], back[kind] / spread[kind], secret[kind]] for kind in kept])
talk.say(f"As tabbies, {100 * kept['plain'][1]:.0f} % of the digits are read right; as plain ones "
         f"{100 * kept['tabby'][1]:.0f} %. There and back costs {100 * back['plain'] / spread['plain']:.0f} % and "
         f"{100 * back['tabby'] / spread['tabby']:.0f} % of the pictures' variance. From how they should look they are "
         f"away by {100 * secret['plain']:.0f} % and {100 * secret['tabby']:.0f} %; nobody has shown them a pair.")

# %% [markdown]
# The table's last two columns are squared errors as shares of the variance. The fourth column is what was trained; the
# fifth was not: a cycle forbids to lose a digit, but not to translate each 3 into a 7 and back. That it mostly does not
# is the networks' doing: to leave a stroke where it is is the easiest thing to learn.

# %% name="bounds"
for kind in kept:
    talk.metric(f"kept_{kind}", kept[kind][1], at_least=0.85)
    talk.metric(f"cycle_{kind}", back[kind] / spread[kind], at_most=0.15)
    talk.metric(f"secret_{kind}", secret[kind])
talk.finish()
