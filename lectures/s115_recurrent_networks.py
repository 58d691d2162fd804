# %% [markdown]
# # Slide 115: recurrent networks and long short-term memory
#
# A sentence has no fixed length, and what a word means depends on the words before it. A recurrent network reads one
# step after the other, always with the same weights, and keeps what it needs in a state $h_t$:
# $$h_t = \tanh(W_x x_t + W_h h_{t-1} + b)$$
#
# This lecture measures how far back such a network can learn, and why the LSTM can learn further; then it has an LSTM
# read a book, character by character, and write on in its manner.

# %%
import re

import numpy as np

import minidl as md
from minidl import data, nn, optim, plotting
from minidl.lectures import lecture
from minidl.lectures.pictures import recurrent_networks as pictures
from minidl.metrics import ngram_bits
from minidl.tuning import one_core

talk = lecture("recurrent-networks", data=["alice"])

# %% [markdown]
# ## The vanishing gradient
#
# Backpropagation through time multiplies the gradient by the same matrix at every step back (and by the slope of the
# tanh, which is at most 1). So it becomes smaller and smaller, or larger and larger.
#
# Long short-term memory (S. Hochreiter and J. Schmidhuber, 1997) keeps a second state, the cells $c_t$, and changes it
# by addition:
# $$c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t)$$
# On its way back along the cells the gradient is multiplied by the forget gate $f_t$ and by nothing else. This gate is
# a sigmoid: with a bias of 0 it is half open, with a bias of 5 it lets 99.3 % pass.
#
# Four networks, as they are before any training, read 51 random vectors. How long is the gradient of the last $h$ (in a
# random direction) by what was read $d$ steps before? It is divided by its length at $d = 0$.

# %%
def rnn(inputs, size, scale=1.0):
    net = nn.RNN(inputs, size, rng=talk.rng)
    net.cells[0].weight_h.data *= scale
    return net


def lstm(inputs, size, forget_bias=0.0):
    net = nn.LSTM(inputs, size, rng=talk.rng)
    net.cells[0].bias.data[size:2 * size] = forget_bias            # gates in the order i, f, g, o
    return net


def gradient_by_distance(net, distance=50):
    """The relative length of the gradient of the last h by x, for x 0, 1, ... steps before: (distance + 1,)."""
    x = md.Tensor(talk.rng.standard_normal((32, distance + 1, 16)).astype("float32"), requires_grad=True)
    y, _ = net(x)
    direction = talk.rng.standard_normal(y.shape[-1]).astype("float32")
    gradient = md.grad((y[:, -1] * direction).sum(), x).numpy().astype("float64")
    norms = np.linalg.norm(gradient, axis=-1).mean(0)[::-1]        # (32, distance + 1, 16) -> (distance + 1,)
    return norms / norms[0]


gradients = {"RNN": gradient_by_distance(rnn(16, 64)),
             "LSTM, forget\ngate half open": gradient_by_distance(lstm(16, 64)),
             "LSTM, forget\ngate open": gradient_by_distance(lstm(16, 64, forget_bias=5.0)),
             "RNN, weights\nfour times as large": gradient_by_distance(rnn(16, 64, scale=4.0))}
talk.save(plotting.curves({name: (np.arange(51), values) for name, values in gradients.items()},
                          x="steps back", y="length of the gradient", log=True,
                          title="How far back does learning reach?"), "gradient")

# %% [markdown]
# The plain network's gradient shrinks to about a hundred-thousandth in twenty steps: nothing beside what the last steps
# have to say. Larger weights make it explode, which is no better: the direction in which it points holds for a tiny
# step only. An LSTM is not safe by its name: with half-open gates its gradient vanishes as well. Open gates keep it.

# %% [markdown]
# ## What follows from it
#
# A task for a child: remember the first symbol, one of four, while others go by, and say at the end which it was. All
# networks get 150 batches. Guessing is right once in four.

# %%
class Reader(nn.Module):
    """Each symbol has a vector that is learned, a recurrent network reads it, a linear layer answers from h."""

    def __init__(self, recurrent, symbols, answers):
        self.embedding = nn.Embedding(symbols, recurrent.input_size, rng=talk.rng)
        self.recurrent = recurrent
        self.output = nn.Linear(recurrent.hidden_size, answers, rng=talk.rng)

    def read(self, symbols, state=None):
        """Symbols (B, T) -> h after each of them (B, T, H), and the state to go on from."""
        return self.recurrent(self.embedding(symbols), state)

    def forward(self, symbols, state=None):
        """An answer after each symbol: (B, T) -> logits (B, T, answers), and the state to go on from."""
        h, state = self.read(symbols, state)
        return self.output(h), state


def step_down(optimizer, loss):
    """A step against the gradient, which is cut to length 1 where it is longer."""
    optimizer.zero_grad()
    loss.backward()
    optim.clip_grad_norm_(optimizer.params.values(), 1.0)
    optimizer.step()


def sequences(n, delay):
    """Symbols 0..3 to remember, followed by symbols 4..7 that don't matter: (n, delay + 1), and the first ones (n,)."""
    symbols = talk.rng.integers(4, 8, (n, delay + 1))
    symbols[:, 0] = talk.rng.integers(0, 4, n)
    return symbols, symbols[:, 0]


def recall_accuracy(recurrent, delay, steps):
    """Trains on sequences of this delay; returns the share of right answers on 1000 new ones."""
    model = Reader(recurrent, symbols=8, answers=4)
    model.to(talk.device)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    answer = lambda symbols: model.output(model.read(symbols)[0][:, -1])                # which was it? (B, 4)
    for _ in range(steps):
        symbols, first = sequences(32, delay)
        step_down(optimizer, nn.cross_entropy(answer(symbols), talk.device.put(first)))
    symbols, first = sequences(1000, delay)
    with md.no_grad():
        return float((answer(symbols).numpy().argmax(1) == first).mean())


delays = talk.short([5, 10, 20, 40], [3, 6])
recalled = {"RNN": lambda: rnn(8, 32), "LSTM, forget\ngate half open": lambda: lstm(8, 32),
            "LSTM, forget\ngate open": lambda: lstm(8, 32, forget_bias=5.0)}
with one_core():                   # several would spend more time on waiting for each other than on these products
    recall = {name: [recall_accuracy(make(), delay, steps=talk.short(150, 50)) for delay in delays]
              for name, make in talk.each(recalled.items(), "recall")}
talk.save(plotting.curves({name: (delays, values) for name, values in recall.items()}, levels={"guessing": 0.25},
                          x="symbols in between", y="share of right answers", title="Which was the first symbol?"),
          "recall")
forgets, keeps = (100 * recall[name][-1] for name in ("RNN", "LSTM, forget\ngate open"))
talk.say(f"With {delays[-1]} symbols in between, the RNN names the first one in {forgets:.0f} % of the cases, the "
         f"LSTM whose forget gate is open in {keeps:.0f} %; guessing is right in 25 %.")
talk.table(["symbols in between", *map(str, delays)],
           [[" ".join(name.split()), *values] for name, values in recall.items()])

# %% [markdown]
# Where the gradient still arrives, a network learns the task within these batches; where it is lost, the network goes
# on guessing. (Adam divides each gradient by its usual size. So even a thousandth teaches, as long as it stands out
# from the rest.)
#
# ## A book
#
# "Alice's Adventures in Wonderland" by Lewis Carroll (1865). The network shall say which character comes next. Whoever
# has probabilities for that can be measured: $-\log_2 p$ of the character that does come, in bits, on average over the
# last tenth of the book, which no model has seen.
#
# What is a good value? Count how often each character follows each other one (a bigram), each two others (a trigram),
# and so on. Contexts that are rare lean on the next shorter one.

# %%
book = talk.text()[:talk.short(None, 20_000)]
alphabet = data.Characters(book)
seen, held_out = book[:len(book) * 9 // 10], book[len(book) * 9 // 10:]
ids, held_out_ids = talk.device.put(alphabet.encode(seen)), talk.device.put(alphabet.encode(held_out))
by_counting = ngram_bits(seen, held_out, longest=6)                    # n -> bits

# %% [markdown]
# ## The network
#
# Each character has a vector (an embedding) that is learned with the rest; the LSTM reads it; a linear layer turns
# $h_t$ into a logit for each character that could be next. The forget gates start with a bias of 1. (In the LSTM's
# place, `nn.GRU(32, 128, rng=talk.rng)` does as well: it has two gates and no second state.)

# %%
model = Reader(lstm(32, 128, forget_bias=1.0), len(alphabet), len(alphabet))
model.to(talk.device)
print(model)

# %% [markdown]
# ## Training
#
# The book is cut into 32 stretches that are read side by side, 50 characters at a time. Backpropagation goes back to
# the beginning of these 50 (it is *truncated*), but the state is handed on: what it holds may be older. A gradient
# that has grown too long is cut to length 1 (*clipped*).

# %%
epochs = talk.epochs(8, fast=2)


def train(model, about, lr):
    """Minimises the cross-entropy; yields the number of epochs that are done, before the first and after each."""
    pieces = list(data.chunks(ids, batch_size=32, steps=50))
    optimizer = optim.Adam(model.parameters(), lr=lr)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=epochs * len(pieces))
    yield 0
    for epoch in range(epochs):
        state = None
        for x, y in talk.each(pieces, f"{about}, epoch {epoch + 1}/{epochs}"):
            logits, state = model(x, nn.detach_state(state))
            step_down(optimizer, nn.cross_entropy(logits, y))
            schedule.step()
        yield epoch + 1


@md.no_grad()
def bits(model):
    """Bits per character of the held-out text."""
    total, count, state = 0.0, 0, None
    for x, y in data.chunks(held_out_ids, batch_size=8, steps=500):
        logits, state = model(x, state)
        total += nn.cross_entropy(logits, y, reduction="sum").item()
        count += y.size
    return float(total / count / np.log(2))


@md.no_grad()
def write(model, before, n, temperature):
    """The next n characters of a text: each is drawn from its probabilities, and read in its turn."""
    unread, state, written = alphabet.encode(before), None, ""
    for _ in range(n):
        logits, state = model(unread[None], state)
        p = md.softmax(logits[0, -1] * (1 / temperature)).numpy().astype("float64")
        unread = talk.rng.choice(len(alphabet), size=1, p=p / p.sum())
        written += alphabet.decode(unread)
    return written


@md.no_grad()
def expected(model, text, before):
    """The probabilities of each place of a text, given all that stands before it: (len(text), characters)."""
    logits, _ = model(alphabet.encode(before + text[:-1])[None])
    return md.softmax(logits[0, -len(text):]).numpy()

# %% [markdown]
# While it learns, it writes. It begins with noise; then it has learned which characters there are, how long a word is,
# words that are short, words that are long, in time quotes that are closed again.
#
# A plain recurrent network with as many units gets the same epochs (and a learning rate of 0.01, as it learns worse
# with the LSTM's 0.02). It stays behind, but not far: most of what decides the next character stands close by.

# %%
phrase = "`Stuff and nonsense!' said Alice"
at = book.rfind(phrase) if phrase in held_out else len(seen)          # a shortened book ends before
phrase, before = book[at:at + len(phrase)], book[at - 300:at]
length = talk.short(200, 60)
lstm_bits, written, frames = [], {}, []
with one_core():
    for epoch in train(model, "the LSTM, 1 of 2", lr=0.02):
        lstm_bits.append(bits(model))
        written[epoch] = write(model, before, length, temperature=0.5)
        print(f"epoch {epoch:2}, {lstm_bits[-1]:.2f} bits: {' '.join(written[epoch].split()):.57}", flush=True)
        frames.append(pictures.next_characters(
            phrase, expected(model, phrase, before), alphabet.symbols,
            title=f"Expected next, after epoch {epoch} (framed: what comes)"))
    plain = Reader(rnn(32, 128), len(alphabet), len(alphabet)).to(talk.device)
    rnn_bits = [bits(plain) for _ in train(plain, "the RNN, 2 of 2", lr=0.01)]
after = np.arange(1, epochs + 1)
counted = min(by_counting, key=lambda n: by_counting[n])
talk.save(plotting.curves({"RNN": (after, rnn_bits[1:]), "LSTM": (after, lstm_bits[1:])},
                          levels=dict(zip(("each by itself", "bigram", "trigram"), by_counting.values(), strict=False))
                          | {f"{counted}-gram": by_counting[counted]},
                          x="epoch", y="bits per character", title="How well is the end of the book foreseen?"),
          "training")
ranked = sorted({"the LSTM": lstm_bits[-1], "the RNN": rnn_bits[-1],
                 f"counted {counted}-grams": by_counting[counted]}.items(), key=lambda pair: pair[1])
talk.say("A character at the end of the book takes so many bits: "
         + ", ".join(f"{value:.2f} with {name}" for name, value in ranked) + ".")
talk.table(["model", "bits per held-out character"], [
    ["uniform", np.log2(len(alphabet))], *([f"{n}-gram", value] for n, value in by_counting.items()),
    ["RNN", rnn_bits[-1]], ["LSTM", lstm_bits[-1]]])

# %% [markdown]
# ## What it writes
#
# It goes on where the Queen has just said "Sentence first--verdict afterwards."

# %%
talk.save(pictures.passages([(f"after\nepoch {n}" if n else "before\ntraining", written[n])
                             for n in sorted({0, 1, min(3, epochs), epochs})], title="It learns to write"), "writing")

# %% [markdown]
# The temperature divides the logits. Below 1 it makes likely characters more likely: safe, and soon the same again and
# again. At 1 the network writes as often as it believes; above, it is bold and misspells.

# %%
talk.save(pictures.passages([(f"temperature\n{temperature:g}", write(model, before, length, temperature))
                             for temperature in (0.3, 0.7, 1.0, 1.5)], title="Bolder with rising temperature"),
          "temperatures")

# %% [markdown]
# ## What it expects
#
# A sentence from the last tenth of the book. Above each character stand the four that the network thought likeliest,
# the darker the surer; the one that came is framed. At the beginning of a word it is unsure, at its end it knows.

# %%
talk.save(talk.short(frames, frames[::epochs]), "expectations")

# %% [markdown]
# ## What it remembers
#
# To close a quote the network must know, many characters later, that one is open. Does the state tell? We look for the
# cell whose value goes best with "somebody is speaking", and fit a linear function of all cells, both on text that the
# network has trained on; and try them on the last tenth. In some runs one cell has made the quotes its own, in most the
# cells share them.

# %%
stretch = talk.short(600, 100)


@md.no_grad()
def cells(text):
    """The cells after each character of a text that is read as stretches side by side: (stretches, T, H)."""
    stretches = alphabet.encode(text[:len(text) // stretch * stretch]).reshape(-1, stretch)
    state, steps = None, []
    for t in range(stretch):
        _, state = model.read(stretches[:, t:t + 1], state)
        steps.append(state[1].numpy()[0])
    return np.stack(steps, 1)


def spoken(text):
    """Where a quote is open, as 0 and 1, in the same stretches: (stretches, T)."""
    inside = np.zeros(len(text))
    for quote in re.finditer(r"`.*?'(?!\w)", text, re.DOTALL):        # an apostrophe within a word closes nothing
        inside[quote.start():quote.end() - 1] = 1
    return inside[:len(text) // stretch * stretch].reshape(-1, stretch)


with_one = lambda c: np.concatenate([c, np.ones((*c.shape[:-1], 1), "float32")], -1)
correlation = lambda a, b: float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
past = seen[-24_000:]
c, speaks = cells(past), spoken(past)
best = int(np.argmax([abs(correlation(cell, speaks)) for cell in np.moveaxis(c, -1, 0)]))
weights = np.linalg.lstsq(with_one(c).reshape(-1, c.shape[-1] + 1), speaks.ravel(), rcond=None)[0]

c, speaks = cells(held_out), spoken(held_out)
readout = with_one(c) @ weights
one_cell_r, readout_r = abs(correlation(c[..., best], speaks)), correlation(readout, speaks)
readout_right, never_right = float(((readout > 0.5) == (speaks > 0.5)).mean()), float(1 - speaks.mean())
talk.table(["is somebody speaking?", "correlation", "right"], [
    ["nobody ever", "", never_right], [f"cell {best}", one_cell_r, ""],
    ["all cells together", readout_r, readout_right]])
shown = int(np.abs(speaks.mean(1) - 0.5).argmin())                 # the stretch with the most even share of speech
excerpt = held_out[stretch * shown:stretch * (shown + 1)]
start, stop = excerpt.find("\n") + 1, excerpt.rfind("\n")
talk.save(pictures.activity(excerpt[start:stop], np.clip(2 * readout[shown, start:stop] - 1, -1, 1),
                            title="Red: the network's cells say that somebody is speaking"), "speech")

# %% [markdown]
# ## What must come out

# %%
rnn_gradient, _, open_gradient, _ = (float(values[-1]) for values in gradients.values())
talk.metric("gradient_50_rnn", rnn_gradient, at_most=1e-6, always=True)
talk.metric("gradient_50_lstm_open", open_gradient, at_least=0.01, always=True)
rnn_recall, half_open_recall, open_recall = (values[-1] for values in recall.values())
talk.metric(f"recall_{delays[-1]}_rnn", rnn_recall, at_most=0.5)
talk.metric(f"recall_{delays[-1]}_lstm_half_open", half_open_recall)
talk.metric(f"recall_{delays[-1]}_lstm_open", open_recall, at_least=0.9)
talk.metrics(bits_bigram=by_counting[2], bits_trigram=by_counting[3], bits_best_ngram=min(by_counting.values()),
             bits_rnn=rnn_bits[-1], speech_one_cell_correlation=one_cell_r, speech_never_right=never_right)
talk.metric("bits_lstm", lstm_bits[-1], at_most=min(by_counting.values()))
talk.metric("speech_right", readout_right, at_least=never_right + 0.05)
talk.finish()
