"""Counted bits: every sequence's probabilities add up to one, and a file of as many bits gives the images back."""
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl as md
from minidl import data
from minidl.autoencoders import DeepAutoencoder
from minidl.linear import PCA, KMeans, LogisticPCA
from minidl.metrics import description_length, pixelwise_length, raw_length
from minidl.metrics.messages import Rounded, adaptive_bits, decoder_arrays, message, shades
from tests.standin.device import install

DIGITS = data.load("digits").flat().x_train[::12]                # 120 images
MODELS = {
    "PCA": lambda x: PCA(3).fit(x),
    "whitened PCA": lambda x: PCA(2, whiten=True).fit(x),
    "KMeans": lambda x: KMeans(7).fit(x),
    "autoencoder": lambda x: DeepAutoencoder([64, 6, 2], rng=0),
    "logits": lambda x: DeepAutoencoder([64, 6, 2], output="logits", rng=0),
}
every_model = pytest.mark.parametrize("name", MODELS)


# The adaptive code ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels, n", [(2, 6), (3, 4), (5, 3), (1, 4)])
def test_the_probabilities_of_all_sequences_add_up_to_one(levels, n):
    sequences = np.array(list(itertools.product(range(levels), repeat=n)))
    assert sum(2 ** -adaptive_bits(s, levels) for s in sequences) == pytest.approx(1, rel=1e-12)


@given(st.integers(1, 6), st.integers(1, 3), st.integers(0, 10**6))
def test_the_bits_are_those_of_counting_along(levels, n_contexts, seed):
    rng = np.random.default_rng(seed)
    symbols, contexts = rng.integers(0, levels, 40), rng.integers(0, n_contexts, 40)
    counts, expected = np.zeros((n_contexts, levels)), 0.0
    for symbol, context in zip(symbols, contexts, strict=True):
        expected -= math.log2((counts[context, symbol] + 0.5) / (counts[context].sum() + levels / 2))
        counts[context, symbol] += 1
    assert adaptive_bits(symbols, levels, contexts, n_contexts) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("n", [10**3, 10**4, 10**6])
def test_a_source_costs_its_entropy_and_what_learning_costs(n):
    p = np.array([0.5, 0.3, 0.19, 0.01])
    symbols = np.repeat(np.arange(4), (p * n).astype(int))
    beyond = adaptive_bits(symbols, 4) - n * -(p * np.log2(p)).sum()
    assert 0 < beyond < 1.5 * math.log2(n) + 2                   # (levels - 1) / 2 log2(n), and a constant


def test_contexts_save_what_they_tell():
    rng = np.random.default_rng(0)
    contexts, symbols = rng.integers(0, 4, (2, 10_000))
    free = adaptive_bits(symbols, 4)
    assert free == pytest.approx(20_000, abs=100)
    assert adaptive_bits(symbols, 4, contexts, 4) == pytest.approx(free, abs=100)         # they tell nothing
    assert adaptive_bits(contexts, 4, contexts, 4) < 100                                  # they tell all


# Without a model ------------------------------------------------------------------------------------------------------


def test_raw_digits_cost_64_times_the_logarithm_of_17():
    assert raw_length(DIGITS, levels=17) == (0, 0, pytest.approx(len(DIGITS) * 64 * math.log2(17)))


def test_a_pixel_that_is_always_black_costs_next_to_nothing_by_a_code_of_its_own():
    x = np.zeros((5000, 3))
    x[:, 1] = np.arange(5000) % 2
    assert 5000 < pixelwise_length(x, levels=2).total < 5025
    assert raw_length(x, levels=2).total == 15_000


# With a model ---------------------------------------------------------------------------------------------------------


@every_model
def test_a_file_of_so_many_bits_gives_the_images_back(name):
    model = MODELS[name](DIGITS)
    sent = message(model, DIGITS, levels=17, code_step=0.5, parameter_bits=5)
    file = write(sent)
    other = np.random.default_rng(1).random(DIGITS.shape).astype(np.float32)
    received = read(file, MODELS[name](other), len(DIGITS), code_like=model.encode(DIGITS))
    np.testing.assert_array_equal(received / 16, DIGITS)
    assert 8 * len(file) == pytest.approx(sent.length().total, abs=16)


@every_model
def test_the_model_itself_stays_as_it_is(name):
    model = MODELS[name](DIGITS)
    before = [a.copy() for a in decoder_arrays(model)]
    first = description_length(model, DIGITS, levels=17)
    for a, b in zip(decoder_arrays(model), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert description_length(model, DIGITS, levels=17) == first


def test_a_model_is_sent_once_however_many_images_follow():
    pca = PCA(3).fit(DIGITS)
    few, many = (description_length(pca, x, levels=17) for x in (DIGITS, np.tile(DIGITS, (3, 1))))
    assert few.model == many.model and 2 < many.code / few.code < 3


def test_finer_numbers_cost_more_and_leave_less():
    pca = PCA(10).fit(DIGITS)
    by_bits = [description_length(pca, DIGITS, levels=17, parameter_bits=b).model for b in (3, 5, 8)]
    by_step = [description_length(pca, DIGITS, levels=17, code_step=s) for s in (2.0, 0.5, 0.1)]
    assert by_bits == sorted(by_bits) and by_bits[0] < by_bits[2] / 2
    assert [m.code for m in by_step] == sorted(m.code for m in by_step)
    assert by_step[0].residual > by_step[1].residual


def test_a_perfect_model_leaves_only_what_learning_the_shades_costs():
    x = DIGITS[:20].repeat(30, axis=0)
    length = description_length(KMeans(20, init=DIGITS[:20]).fit(x), x, levels=17, parameter_bits=12)
    assert length.residual < 17 * 8 * math.log2(x.size)
    assert length.code == pytest.approx(600 * math.log2(20), rel=0.05)


def test_the_best_number_of_components_lies_between_few_and_many():
    x = data.load("digits").flat().x_train
    totals = [description_length(PCA(k).fit(x), x, levels=17, code_step=0.7, parameter_bits=5).total / len(x)
              for k in (1, 12, 45)]
    assert totals[1] < totals[0] - 5 and totals[1] < totals[2] - 5
    assert totals[1] < pixelwise_length(x, levels=17).total / len(x) - 8


@every_model
def test_on_a_device_it_counts_the_same(name):
    model = MODELS[name](DIGITS)
    x = install().put(DIGITS)
    there = model.to(install()) if "decoder" in vars(model) else MODELS[name](x)
    expected = description_length(MODELS[name](DIGITS), DIGITS, levels=17)
    assert description_length(there, x, levels=17) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("call, sentence", [
    (lambda: raw_length(DIGITS, levels=256), "on no grid of 256 levels"),
    (lambda: raw_length(DIGITS * np.nan, levels=17), "on no grid of 17 levels.*goes from nan"),
    (lambda: raw_length(DIGITS - 1, levels=17), "on no grid of 17 levels.*from -1 to 0"),
    (lambda: raw_length(DIGITS[0], levels=17), r"items \(N, ...\) in 2 to 32,768 levels, not \(64,\) in 17"),
    (lambda: pixelwise_length(DIGITS[:0], levels=17), r"not \(0, 64\)"),
    (lambda: adaptive_bits(np.array([0, 3]), 3), "from 0 to 2; these go from 0 to 3"),
    (lambda: description_length(PCA(2).fit(DIGITS), DIGITS, levels=17, code_step=0.0), "above 0, not 0.0"),
    (lambda: description_length(PCA(2).fit(DIGITS), DIGITS, levels=17, code_step=1e-6), "larger steps"),
    (lambda: description_length(PCA(2).fit(DIGITS), DIGITS, levels=17, parameter_bits=1), "from 2 to 16, not 1"),
    (lambda: description_length(PCA(2).fit(DIGITS), DIGITS[:, :9], levels=17), "rows of 64 numbers"),
    (lambda: description_length(md.Tensor([1.0]), DIGITS, levels=17), "PCA or KMeans after fit.*not Tensor"),
    (lambda: description_length(LogisticPCA(2, max_iter=1).fit(DIGITS), DIGITS, levels=17), "not LogisticPCA"),
    (lambda: description_length(PCA(2), DIGITS, levels=17), r"after fit\(x\)"),
])
def test_what_cannot_be_counted_gets_a_sentence(call, sentence):
    with pytest.raises(md.InputError, match=sentence):
        call()


# A file: arithmetic coding with whole numbers, after Witten, Neal and Cleary, 1987 ------------------------------------

BITS = 62
HALF, QUARTER = 1 << (BITS - 1), 1 << (BITS - 2)


class Coder:
    """Writes symbols into bits, or reads them from bits: both narrow the same interval in the same way."""

    def __init__(self, bits=None):
        self.low, self.high, self.waiting, self.out = 0, 2 * HALF - 1, 0, []
        self.bits = None if bits is None else itertools.chain(bits, itertools.repeat(0))
        self.value = 0 if bits is None else sum(next(self.bits) << i for i in reversed(range(BITS)))

    def code(self, weights, symbol=None):
        """Write the symbol, or read one, that has this share of the weights."""
        total, width = sum(weights), self.high - self.low + 1
        if symbol is None:
            target, symbol = ((self.value - self.low + 1) * total - 1) // width, 0
            while target >= weights[symbol]:
                target -= weights[symbol]
                symbol += 1
        below = sum(weights[:symbol])
        self.low, self.high = (self.low + width * below // total,
                               self.low + width * (below + weights[symbol]) // total - 1)
        while True:
            if self.high < HALF:
                self.emit(0)
            elif self.low >= HALF:
                self.emit(1)
                self.shift(HALF)
            elif self.low >= QUARTER and self.high < 3 * QUARTER:
                self.waiting += 1
                self.shift(QUARTER)
            else:
                return symbol
            self.low, self.high = 2 * self.low, 2 * self.high + 1
            if self.bits is not None:
                self.value = 2 * self.value + next(self.bits)

    def shift(self, by):
        self.low, self.high, self.value = self.low - by, self.high - by, self.value - by

    def emit(self, bit):
        self.out += [bit] + [1 - bit] * self.waiting
        self.waiting = 0

    def number(self, n_bits, value=None):
        return sum(self.code([1, 1], None if value is None else value >> i & 1) << i for i in range(n_bits))

    def sequence(self, levels, contexts, symbols=None):
        """Adaptively: twice the counts and one, which is (n_s + 1/2) / (n + levels / 2)."""
        weights = {}
        read = []
        for i, context in enumerate(contexts):
            w = weights.setdefault(context, [1] * levels)
            read.append(self.code(w, None if symbols is None else symbols[i]))
            w[read[-1]] += 2
        return read


def rounded(coder, shape, array=None):
    """Write an array of rounded numbers, or read one of this shape."""
    step = None if array is None else int(np.float32(array.step).view(np.uint32))
    step = np.uint32(coder.number(32, step)).view(np.float32)
    columns = []
    for i in range(shape[1]):
        column = None if array is None else array.integers[:, i]
        low, high = (coder.number(16, None if column is None else int(v) + 2**15) - 2**15
                     for v in ((0, 0) if column is None else (column.min(), column.max())))
        symbols = None if column is None else (column - low).tolist()
        columns.append(np.array(coder.sequence(high - low + 1, [0] * shape[0], symbols)) + low)
    return Rounded(np.stack(columns, axis=1), float(step))


def write(sent):
    """A message as a file."""
    coder = Coder()
    for array in (*sent.parameters, sent.code):
        rounded(coder, array.integers.shape, array)
    coder.sequence(sent.levels, sent.shades.ravel().tolist(), sent.pixels.ravel().tolist())
    coder.waiting += 1
    coder.emit(int(coder.low >= QUARTER))                        # as many bits as tell the last interval
    return np.packbits(coder.out).tobytes()


def read(file, model, n, code_like):
    """The images (n, 64) from the file alone: of the model only the shapes are used, its numbers are overwritten."""
    coder = Coder(np.unpackbits(np.frombuffer(file, np.uint8)).tolist())
    for array in decoder_arrays(model):
        array[...] = rounded(coder, (array.size, 1)).values.reshape(array.shape)
    code = rounded(coder, (n, code_like[0].size))
    predicted = shades(model, code, np.zeros_like(code_like), 17)
    return np.array(coder.sequence(17, predicted.ravel().tolist())).reshape(n, 64)
