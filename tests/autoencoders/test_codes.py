"""The Gaussian over the codes: there only when codes are remembered, and then part of the state."""
import numpy as np
import pytest

import minidl as md
from minidl import nn
from minidl.autoencoders import BinaryAutoencoder, DeepAutoencoder, SparseAutoencoder
from tests.standin.device import install

X = np.random.default_rng(0).random((40, 6), dtype=np.float32)


def remembered(rng=0, make=DeepAutoencoder):
    model = make([6, 4, 3], rng=rng)
    model.remember_codes(X)
    return model


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_a_model_that_remembers_nothing_has_nothing_but_its_layers():
    model = SparseAutoencoder(64, 4096, rng=0)
    assert list(model.state_dict()) == ["encoder.0.weight", "encoder.0.bias", "decoder.0.weight", "decoder.0.bias"]
    assert model.codes is None


@pytest.mark.parametrize("make", [DeepAutoencoder, BinaryAutoencoder])
def test_a_state_with_remembered_codes_loads_into_a_fresh_model_and_one_that_has_others(make):
    model = remembered(make=make)
    assert [name for name in model.state_dict() if name.startswith("codes")] == ["codes.mean", "codes.factor"]
    for other in make([6, 4, 3], rng=5), remembered(5, make):
        other.load_state_dict(model.state_dict())
        assert same(other.state_dict(), model.state_dict())
        assert np.array_equal(other.sample(9, 1), model.sample(9, 1))


def test_a_state_without_codes_leaves_none_for_those_before_were_other_weights():
    model, fresh = remembered(), DeepAutoencoder([6, 4, 3], rng=7)
    model.load_state_dict(fresh.state_dict())
    assert same(model.state_dict(), fresh.state_dict())
    with pytest.raises(md.InputError, match="call remember_codes"):
        model.sample(1, 0)


class Two(nn.Module):
    """A model with autoencoders within."""

    def __init__(self, rng):
        self.pair, self.again = [DeepAutoencoder([6, 4, 3], rng=rng), DeepAutoencoder([6, 4, 3], rng=rng)], None
        self.again = self.pair[1]


def test_codes_within_another_model_come_and_go_as_well():
    model, other = Two(0), Two(5)
    model.pair[1].remember_codes(X)
    other.pair[0].remember_codes(X)
    other.load_state_dict(model.state_dict())
    assert other.pair[0].codes is None and other.again is other.pair[1]
    assert np.array_equal(other.pair[1].sample(4, 0), model.pair[1].sample(4, 0))
    assert same(other.state_dict(), model.state_dict())


@pytest.mark.parametrize("change, sentence", [
    pytest.param(lambda s: s.pop("codes.factor"), "missing codes.factor", id="half a Gaussian"),
    pytest.param(lambda s: s.update({"codes.factor": np.zeros((2, 2))}), r"codes.factor has shape \(2, 2\) there",
                 id="of other codes"),
    pytest.param(lambda s: s.update({"encoder.0.bias": np.zeros(9)}), "encoder.0.bias has shape", id="other layers"),
    pytest.param(lambda s: s.update({"codes.mean": np.array(["a", "b", "c"])}), "codes.mean holds <U1, not numbers",
                 id="words"),
    pytest.param(lambda s: s.update({"code_mean": np.zeros(3)}), "an earlier version", id="earlier version")])
@pytest.mark.parametrize("before", [False, True], ids=["into a fresh model", "into one that remembers"])
def test_a_state_that_does_not_fit_changes_nothing(change, sentence, before):
    state, model = remembered().state_dict(), remembered(5) if before else DeepAutoencoder([6, 4, 3], rng=5)
    codes, was = model.codes, model.state_dict()
    change(state)
    with pytest.raises(md.InputError, match=sentence):
        model.load_state_dict(state)
    assert model.codes is codes and same(model.state_dict(), was)


def test_codes_lie_where_the_model_does_and_in_its_dtype():
    device = install()
    model = DeepAutoencoder([6, 4, 3], rng=0).to(device)
    model.load_state_dict(remembered().state_dict())
    assert model.codes.mean.device == device
    model = DeepAutoencoder([6, 4, 3], rng=0).astype("float64")
    model.remember_codes(X.astype("float64"))
    assert model.codes.factor.dtype == np.float64
    cov = np.cov(model.encode(X.astype("float64")).T)
    factor = model.codes.factor.data
    assert np.allclose(factor.T @ factor, cov, rtol=1e-12, atol=0)                # no digit was lost in float32
