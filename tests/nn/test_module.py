"""Modules: what is found in them and in which order, their state, freezing, hooks, looks, moving and copying."""
import copy
import json
import pickle
import random

import numpy as np
import pytest

import minidl as md
from minidl import nn, optim
from minidl.errors import InputError
from minidl.randomness import RandomStream
from minidl.tensor import Tensor
from tests.standin.device import install


class Net(nn.Module):
    """Every way to hold a part: directly, nested, in a list, in a tuple, and the same one twice."""

    def __init__(self, rng=0):
        self.scale = nn.Parameter([2.0])
        self.encoder = nn.Sequential(nn.Linear(4, 3, rng=rng), nn.Tanh(), nn.Linear(3, 2, rng=rng))
        self.heads = [nn.Linear(2, 1, rng=rng), nn.Linear(2, 1, rng=rng)]
        self.pair = (nn.ReLU(), nn.Linear(2, 2, bias=False, rng=rng))
        self.mean = nn.Buffer(np.zeros(2, np.float32))
        self.tied = self.encoder[0]
        self.words = ["neither", 1, None]

    def forward(self, x):
        h = self.encoder(x) * self.scale
        return self.heads[0](h) + self.heads[1](self.pair[1](h) - self.mean)


NAMES = ["scale", "encoder.0.weight", "encoder.0.bias", "encoder.2.weight", "encoder.2.bias", "heads.0.weight",
         "heads.0.bias", "heads.1.weight", "heads.1.bias", "pair.1.weight"]
X = np.random.default_rng(1).standard_normal((5, 4)).astype(np.float32)


def values(model):
    return {name: a.tolist() for name, a in model.state_dict().items()}


def test_parameters_come_in_order_of_definition_under_the_path_of_their_attributes():
    assert [name for name, _ in Net().named_parameters()] == NAMES

    class Backwards(nn.Module):
        def __init__(self):
            for name in "zebra":
                setattr(self, name, nn.Parameter([0.0]))

    assert [name for name, _ in Backwards().named_parameters()] == list("zebra")


def test_modules_come_parents_first_and_a_list_is_no_module():
    assert [name for name, _ in Net().named_modules()] == [
        "", "encoder", "encoder.0", "encoder.1", "encoder.2", "heads.0", "heads.1", "pair.0", "pair.1", "tied"]
    assert [name for name, _ in Net().children()] == ["encoder", "heads.0", "heads.1", "pair.0", "pair.1", "tied"]


def test_a_shared_parameter_appears_once_and_collects_the_gradients_of_all_its_uses():
    class Tied(nn.Module):
        def __init__(self):
            self.first = nn.Linear(3, 3, bias=False, rng=0)
            self.second = nn.Linear(3, 3, bias=False, rng=1)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(self.first(x))

    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["first.weight"]
    md.sum(model(Tensor(np.eye(3, dtype=np.float32)))).backward()
    W, ones = model.first.weight.numpy(), np.ones((3, 3), np.float32)
    np.testing.assert_allclose(model.first.weight.grad.numpy(), ones @ W.T + W.T @ ones, rtol=1e-6)


def test_buffers_are_state_but_are_not_learned():
    model = Net()
    assert "mean" not in dict(model.named_parameters())
    assert [name for name, _ in model.named_buffers()] == ["mean"]
    assert list(model.state_dict()) == [*NAMES, "mean"]
    assert not model.mean.requires_grad


def test_the_state_is_a_copy_that_training_does_not_change():
    model = Net()
    state = model.state_dict()
    before = copy.deepcopy(state)
    for p in model.parameters():
        p.data[...] = 7.0
    assert all(np.array_equal(state[name], before[name]) for name in before)
    assert all(type(a) is np.ndarray for a in state.values())


def test_loading_a_state_writes_into_the_arrays_that_the_optimiser_updates():
    model, other = Net(), Net(rng=5)
    optimizer = optim.SGD(model.named_parameters(), lr=0.5)
    arrays = {name: p.data for name, p in model.named_parameters()}
    model.load_state_dict(other.state_dict())
    assert values(model) == values(other)
    assert all(p.data is arrays[name] for name, p in model.named_parameters())
    model.scale.grad = Tensor([1.0])
    optimizer.step()
    assert model.scale.data is arrays["scale"] and model.scale.item() == other.scale.item() - 0.5


@pytest.mark.parametrize("change, words", [
    (lambda s: s.pop("heads.1.bias"), "missing heads.1.bias, unexpected nothing"),
    (lambda s: s.update(extra=np.zeros(1)), "missing nothing, unexpected extra"),
    (lambda s: s.update({"pair.1.weight": np.zeros((2, 3))}), r"pair.1.weight has shape \(2, 3\) there and \(2, 2\)"),
    (lambda s: s.clear(), "missing encoder.0.bias, encoder.0.weight, encoder.2.bias and 8 more"),
])
def test_a_state_of_another_model_is_refused_in_a_sentence_and_changes_nothing(change, words):
    model = Net()
    before = values(model)
    state = Net(rng=9).state_dict()
    change(state)
    with pytest.raises(InputError, match=f"another model than Net: .*{words}"):
        model.load_state_dict(state)
    assert values(model) == before


def test_train_and_eval_reach_every_module_and_return_the_model():
    model = Net()
    assert model.eval() is model and not any(m.training for _, m in model.named_modules())
    assert model.train() is model and all(m.training for _, m in model.named_modules())
    model.encoder.eval()
    assert model.training and not model.encoder[0].training


def test_a_frozen_part_gets_no_gradient_and_the_optimiser_leaves_it():
    model = Net()
    assert model.encoder.requires_grad_(False) is model.encoder
    optimizer = optim.Adam(model.named_parameters(), lr=0.1, weight_decay=0.1)
    before = model.state_dict()
    md.sum(model(X)).backward()
    optimizer.step()
    for name, p in model.named_parameters():
        frozen = name.startswith("encoder")
        assert (p.grad is None) == frozen and np.array_equal(p.numpy(), before[name]) == frozen, name
    model.requires_grad_()
    md.sum(model(X)).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_within_frozen_everything_is_and_after_it_each_parameter_is_as_it_was():
    model = Net()
    model.encoder.requires_grad_(False)
    before = [p.requires_grad for p in model.parameters()]
    assert len(set(before)) == 2
    with model.frozen():
        assert not any(p.requires_grad for p in model.parameters())
        with model.frozen():
            pass
        assert not any(p.requires_grad for p in model.parameters())
        with pytest.raises(ZeroDivisionError), model.encoder.frozen():
            model.encoder.requires_grad_(True)
            raise ZeroDivisionError
        assert not any(p.requires_grad for p in model.parameters())
    assert [p.requires_grad for p in model.parameters()] == before


def test_what_was_frozen_while_a_loss_was_recorded_gets_no_gradient_and_what_was_not_gets_one():
    generator, critic = nn.Linear(3, 3, rng=0), nn.Sequential(nn.Linear(3, 4, rng=1), nn.Tanh(), nn.Linear(4, 1, rng=1))
    with critic.frozen():
        loss = md.mean(critic(generator(np.ones((2, 3), np.float32))))
    loss.backward()
    assert all(p.grad is None for p in critic.parameters())
    assert all(p.grad is not None for p in generator.parameters())
    expected = [p.grad.numpy().copy() for p in generator.parameters()]
    generator.zero_grad()
    loss = md.mean(critic(generator(np.ones((2, 3), np.float32))))
    with critic.frozen(), generator.frozen():
        loss.backward()
    assert all(p.grad is not None for p in critic.parameters())
    for p, g in zip(generator.parameters(), expected, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), g)


def test_zero_grad_forgets_every_gradient():
    model = Net()
    md.sum(model(X)).backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_a_hook_sees_inputs_and_output_until_it_is_removed():
    model, seen = Net(), []
    handle = model.encoder[1].register_forward_hook(lambda module, inputs, y: seen.append((module, inputs, y)))
    model(X)
    (module, inputs, y), = seen
    assert module is model.encoder[1] and len(inputs) == 1
    np.testing.assert_array_equal(y.numpy(), np.tanh(inputs[0].numpy()))
    handle.remove()
    model(X)
    assert len(seen) == 1


def test_a_hook_may_replace_the_output_and_a_later_one_sees_the_replacement():
    layer, seen = nn.ReLU(), []
    layer.register_forward_hook(lambda module, inputs, y: y * 0.0 + 3.0)
    layer.register_forward_hook(lambda module, inputs, y: seen.append(y.numpy().tolist()))
    assert layer(Tensor([-1.0, 2.0])).numpy().tolist() == [3.0, 3.0] == seen[0]
    assert nn.ReLU()(Tensor([-1.0, 2.0])).numpy().tolist() == [0.0, 2.0]         # another layer has no hook


def test_repr_is_a_table_of_shapes_and_counts():
    last = nn.Linear(3, 1, bias=False, rng=0)
    model = nn.Sequential(nn.Linear(4, 3, rng=0), nn.ReLU(), nn.Dropout(0.25, rng=0), last)
    model[0].requires_grad_(False)
    model.calls = nn.Buffer(np.zeros((2, 5), np.float32))
    lines = repr(model).splitlines()
    assert [line.split() for line in lines] == [
        ["Sequential()", "calls", "2x5"],
        ["0:", "Linear(4,", "3)", "weight", "4x3", "bias", "3", "15"],
        ["1:", "ReLU()"],
        ["2:", "Dropout(0.25)"],
        ["3:", "Linear(3,", "1)", "weight", "3x1", "3"],
        ["18", "parameters,", "15", "of", "them", "frozen"],
    ]
    assert lines[1].index("weight") == lines[4].index("weight")                  # in columns


def test_repr_counts_a_shared_parameter_once():
    model = Net()
    assert repr(model).splitlines()[-1] == f"{sum(p.size for p in model.parameters())} parameters"
    assert repr(nn.Linear(1000, 2000, rng=0)).splitlines()[-1] == "2,002,000 parameters"


def test_a_module_without_forward_says_so():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty needs a forward method"):
        Empty()(1)


def test_a_model_moves_to_a_device_and_computes_the_same_there():
    device, model = install(), Net()
    expected, before = model(X).numpy(), values(model)
    assert model.to(device) is model
    assert all(t.device == device for t in [*model.parameters(), model.mean])
    assert values(model) == before                                    # state_dict comes from the host
    np.testing.assert_array_equal(model(Tensor(X, device=device)).numpy(), expected)
    other = Net(rng=3)
    model.load_state_dict(other.state_dict())
    assert values(model) == values(other) and model.scale.device == device
    assert model.to("cpu").scale.device == "cpu" and values(model) == values(other)


def test_astype_converts_floats_and_leaves_integers():
    model = Net()
    model.count = nn.Buffer(np.array(3))
    md.sum(model(X)).backward()
    assert model.astype(np.float64) is model
    assert all(p.dtype == np.float64 and p.grad is None for p in model.parameters())
    assert model.mean.dtype == np.float64 and model.count.dtype.kind == "i"
    assert model(X.astype(np.float64)).dtype == np.float64


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"])
def test_a_copied_model_is_equal_and_independent(duplicate):
    model = Net()
    model.heads[0].requires_grad_(False)
    model.dropout = nn.Dropout(0.5, rng=3)
    model.eval()
    optimizer = optim.SGD(model.named_parameters(), lr=1.0)          # the arrays are views of a flat one by now
    twin = duplicate(model)
    assert values(twin) == values(model) and repr(twin) == repr(model) and not twin.training
    assert twin.tied is twin.encoder[0]                              # what was shared still is
    assert [p.requires_grad for p in twin.parameters()] == [p.requires_grad for p in model.parameters()]
    np.testing.assert_array_equal(twin(X).numpy(), model(X).numpy())
    draws = [m.dropout.stream.uniform((4,), like=X).tolist() for m in (model, twin, model)]
    assert draws[0] == draws[1] != draws[2]                          # the same stream, each its own
    before = values(twin)
    md.sum(model(X)).backward()
    optimizer.step()
    assert values(twin) == before != values(model)
    optim.SGD(twin.named_parameters(), lr=1.0)                       # the copy belongs to no optimiser


def test_random_streams_are_found_once_each_in_order_of_definition():
    shared = RandomStream(0)
    model = nn.Sequential(nn.Dropout(rng=shared), nn.Dropout(rng=7), nn.Dropout(rng=shared))
    assert model.random_streams() == [shared, model[1].stream]


class Noisy(nn.Module):
    """Noise of every kind that a student may write."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.streams = [RandomStream(seed + 1), (RandomStream(seed + 2),)]
        self.by_name = {"a": np.random.Generator(np.random.MT19937(seed + 3)), "again": self.rng}
        self.below = [nn.Sequential(nn.Dropout(rng=seed + 4)), nn.Dropout(rng=self.rng)]

    def forward(self, x):
        kept = [s.uniform(x.shape, like=x) for s in (self.streams[0], *self.streams[1])]
        return [self.rng.random(2), self.by_name["a"].random(2), *kept, *(layer(x).numpy() for layer in self.below)]


def test_generators_and_streams_in_lists_are_found_once_each_in_order_of_definition():
    model = Noisy(0)
    streams = model.random_streams()
    hosts = [model.streams[0].host, model.streams[1][0].host, model.by_name["a"], model.below[0][0].stream.host,
             model.rng]
    assert [s.host for s in streams] == hosts
    assert streams[:2] == [model.streams[0], model.streams[1][0]] and streams[4] is model.below[1].stream
    assert [s.host for s in model.random_streams()] == hosts


def test_noise_of_every_kind_is_restored_bit_for_bit_into_the_same_generators():
    x = md.Tensor(np.ones(50, np.float32))
    model, resumed = Noisy(0), Noisy(99)
    model(x)
    states = [json.loads(json.dumps(stream.state_dict())) for stream in model.random_streams()]
    rng = resumed.rng
    for stream, state in zip(resumed.random_streams(), states, strict=True):
        stream.load_state_dict(state)
    for _ in range(3):
        for a, b in zip(model(x), resumed(x), strict=True):
            np.testing.assert_array_equal(a, b)
    assert resumed.rng is rng


def test_a_generator_alone_has_a_stream_that_moves_with_it():
    class Alone(nn.Module):
        def __init__(self):
            self.rng = np.random.default_rng(0)

    model = Alone()
    stream, = model.random_streams()
    assert stream.host is model.rng
    before = stream.state_dict()
    model.rng.random()
    assert model.random_streams()[0].state_dict() == stream.state_dict() != before


@pytest.mark.parametrize("source", [np.random.RandomState(0), random.Random(0)], ids=["RandomState", "Random"])
def test_noise_that_a_checkpoint_would_not_save_is_refused_by_its_place(source):
    layer = nn.Dropout(rng=0)
    layer.sources = {"a": source}
    with pytest.raises(InputError, match=rf"^1\.sources\.a in Dropout is a {type(source).__name__}, "):
        nn.Sequential(nn.ReLU(), layer).random_streams()


def test_layers_that_share_a_generator_draw_the_same_again_on_a_device_from_an_epochs_start():
    """Each has a generator of its own there, and all must be forgotten when the host's state is restored."""
    shared, device = np.random.default_rng(0), install()
    model = nn.Sequential(nn.Dropout(rng=shared), nn.Dropout(rng=shared))
    x = md.Tensor(np.ones(100, np.float32), device=device)
    model(x)
    states = [stream.state_dict() for stream in model.random_streams()]

    def epoch():
        for stream, state in zip(model.random_streams(), states, strict=True):
            stream.load_state_dict(state)
        return model(x).numpy()
    np.testing.assert_array_equal(epoch(), epoch())


def test_parameters_in_lists_and_dicts_are_found_and_named():
    class Scales(nn.Module):
        def __init__(self):
            self.scales = [nn.Parameter([1.0]), nn.Parameter([2.0])]
            self.heads = {"a": [nn.Linear(1, 1, bias=False, rng=0)]}

    model = Scales()
    assert [name for name, _ in model.named_parameters()] == ["scales.0", "scales.1", "heads.a.0.weight"]
    assert list(model.state_dict()) == ["scales.0", "scales.1", "heads.a.0.weight"]
    assert "scales.1 1" in repr(model)


# Called with other parameters -----------------------------------------------------------------------------------------


class Holder(nn.Module):
    """Parameters in a list, a dict and a tuple, and one shared with another module."""

    def __init__(self):
        self.layer = nn.Linear(2, 2, rng=0)
        self.parts = [nn.Parameter([1.0]), {"deep": (nn.Parameter([2.0]), 5)}]
        self.tied = self.layer.weight

    def forward(self, x):
        self.seen = x
        return self.layer(x) @ self.tied + self.parts[0] * self.parts[1]["deep"][0]


def test_a_module_is_called_with_other_parameters_that_get_the_gradients():
    model, x = Holder(), np.ones((3, 2), np.float32)
    others = {name: md.Tensor(p.numpy() + 0.5, requires_grad=True) for name, p in model.named_parameters()}
    twin, before, attributes = Holder(), model.state_dict(), {**vars(model)}
    twin.load_state_dict({name: p.numpy() for name, p in others.items()})
    y = nn.functional_call(model, {name: p * 1.0 for name, p in others.items()}, x)
    np.testing.assert_array_equal(y.numpy(), twin(x).numpy())
    md.sum(y).backward()
    md.sum(twin(x)).backward()
    for name, p in twin.named_parameters():
        np.testing.assert_allclose(others[name].grad.numpy(), p.grad.numpy(), rtol=1e-6)
    assert all(p.grad is None for p in model.parameters()) and model.seen is x
    assert all(vars(model)[name] is value for name, value in attributes.items())
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())


def test_a_call_with_some_parameters_leaves_the_others_and_an_error_leaves_all():
    model = nn.Sequential(nn.Linear(2, 2, rng=0), nn.Linear(2, 2, rng=1))
    weight, zero = model[0].weight, md.Tensor(np.zeros((2, 2), np.float32))
    y = nn.functional_call(model, {"0.weight": zero}, np.ones((1, 2), np.float32))
    np.testing.assert_array_equal(y.numpy()[0], model[1].bias.numpy())
    with pytest.raises(InputError, match=r"Linear\(2, 2\) at 0: expected x"):
        nn.functional_call(model, {"0.weight": zero}, np.ones((1, 3), np.float32))
    assert model[0].weight is weight
    for wrong in ({"weight": zero}, {"0.bias": zero}):
        with pytest.raises(InputError, match=r"has no parameter .* of shape \(2, 2\); it has 0.weight \(2, 2\), "):
            nn.functional_call(model, wrong, np.ones((1, 2), np.float32))
