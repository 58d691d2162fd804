"""Weights written between a forward and its backward: found, named, and nothing else is."""
import re

import numpy as np
import pytest

import minidl as md
from minidl import Tensor, nn, optim
from minidl.writes import mark_written

X = np.random.default_rng(0).standard_normal((5, 3), dtype=np.float32)
WRITTEN = "was written by an optimiser's step, load_state_dict or an average after"


def mlp(seed=0, inputs=3, outputs=3):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Linear(inputs, 4, rng=rng), nn.Tanh(), nn.Linear(4, outputs, rng=rng))


def sgd(model):
    return optim.SGD(model.named_parameters(), lr=0.1)


def step(optimizer):
    for p in optimizer.params.values():
        p.grad = Tensor(np.ones(p.shape, np.float32), device=p.device)
    optimizer.step()
    optimizer.zero_grad()


def test_both_losses_of_a_gan_before_both_updates_are_refused_by_the_weights_name():
    G, D = mlp(0), mlp(1, outputs=1)
    optimize_g, optimize_d = optim.SGD(G.named_parameters(), lr=0.1), optim.SGD(D.named_parameters(), lr=0.1)
    fake = G(X)
    loss_d, loss_g = md.mean(D(X)) - md.mean(D(fake.detach())), md.mean(D(fake))
    loss_d.backward()
    optimize_d.step()
    optimize_g.zero_grad()
    with pytest.raises(RuntimeError, match=rf"backward: parameter 2.weight {WRITTEN} linear had read it, so gradients "
                                           r"through it would be wrong; compute the loss again after the step, or "
                                           r"call backward\(\) of all losses before the first step\(\)"):
        loss_g.backward()
    assert all(p.grad is None for p in G.parameters())


def test_both_backwards_before_both_steps_and_a_loss_computed_again_are_as_they_should_be():
    G, D = mlp(0), mlp(1, outputs=1)
    optimizers = [optim.SGD(m.named_parameters(), lr=0.1) for m in (G, D)]
    fake = G(X)
    losses = md.mean(D(X)) - md.mean(D(fake.detach())), md.mean(D(fake))
    for loss in losses:
        loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    md.mean(D(G(X))).backward()


def test_a_discriminators_step_between_the_generators_forward_and_backward_is_no_matter():
    """The fakes of D's step are used for G's: G's graph is older than the write, and has read nothing that was."""
    G, D, twin = mlp(0), mlp(1, outputs=1), mlp(0)
    optimize_d = optim.SGD(D.named_parameters(), lr=0.1)
    fake = G(X)
    md.mean(D(fake.detach())).backward()
    optimize_d.step()
    md.mean(D(fake)).backward()
    md.mean(D(twin(X))).backward()
    for p, q in zip(G.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())


def test_frozen_weights_on_the_way_are_looked_at_too():
    G, D = mlp(0), mlp(1, outputs=1)
    optimizer = sgd(D)
    with D.frozen():
        loss = md.mean(D(G(X)))
    step(optimizer)
    with pytest.raises(RuntimeError, match=f"parameter 2.weight {WRITTEN}"):
        loss.backward()


@pytest.mark.parametrize("view", [lambda W: W.T, lambda W: W.reshape(3, 4)[::-1].T.reshape(4, 3),
                                  lambda W: md.expand_dims(W, 0)[0].T.reshape(4, 3)[:, :]])
@pytest.mark.parametrize("flat", [True, False], ids=["in an optimiser's buffer", "alone"])
def test_a_view_of_a_weight_is_that_weight(view, flat):
    W, h = nn.Parameter(np.ones((3, 4), np.float32)), Tensor(np.ones((2, 4), np.float32), requires_grad=True)
    optimizer = optim.SGD([("decoder", W)]) if flat else None
    y = md.sum(h @ view(W))
    mark_written([W])
    name = "parameter decoder" if flat else r"a tensor of shape \(3, 4\)"
    with pytest.raises(RuntimeError, match=f"{name} {WRITTEN} matmul had read it"):
        y.backward()
    del optimizer


def test_what_a_view_was_computed_from_has_not_been_read_through_it():
    """The rule of exp reads its result, and the reshaped result is a view of that, not of W."""
    W = nn.Parameter(np.ones((3, 4), np.float32))
    y = md.sum(md.exp(md.exp(W).reshape(12)))
    mark_written([W])
    y.backward()
    np.testing.assert_allclose(W.grad.numpy(), np.exp(1.0 + np.e), rtol=1e-6)


@pytest.mark.parametrize("write", ["step", "L-BFGS", "load_state_dict", "EMA.apply", "EMA.applied"])
def test_every_writer_tells(write):
    model = mlp()
    ema = optim.EMA(model)
    optimizer = sgd(model) if write == "step" else optim.LBFGS(model.named_parameters(), max_iter=1)
    loss = md.mean(model(X) ** 2)

    def closure():
        optimizer.zero_grad()
        value = md.mean(model(X) ** 2)
        value.backward()
        return value

    if write == "step":
        step(optimizer)
    elif write == "L-BFGS":
        optimizer.step(closure)
    elif write == "load_state_dict":
        model.load_state_dict(model.state_dict())
    elif write == "EMA.apply":
        ema.apply()
    else:
        with ema.applied():
            inner = md.mean(model(X) ** 2)
        with pytest.raises(RuntimeError, match=WRITTEN):
            inner.backward()                 # of the averages, which are gone
    with pytest.raises(RuntimeError, match=WRITTEN):
        loss.backward()
    md.mean(model(X) ** 2).backward()


@pytest.mark.parametrize("rule", [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad])
def test_every_rules_step_tells_of_what_it_changed_and_of_nothing_else(rule):
    W, U = (nn.Parameter(np.ones(3, np.float32)) for _ in range(2))
    optimizer = rule([("W", W), ("U", U)])
    losses = md.sum(W * W), md.sum(U * U)
    W.grad = Tensor(np.ones(3, np.float32))
    optimizer.step()
    losses[1].backward()
    with pytest.raises(RuntimeError, match=f"parameter W {WRITTEN} multiply"):
        losses[0].backward()


def test_first_order_gradients_that_go_into_a_penalty_are_guarded_too():
    D, x = mlp(1, outputs=1), Tensor(X, requires_grad=True)
    optimizer = sgd(D)
    g = md.grad(md.sum(D(x)), x, create_graph=True)
    penalty = md.mean((md.norm(g, axis=1) - 1.0) ** 2)
    step(optimizer)
    with pytest.raises(RuntimeError, match=WRITTEN):
        penalty.backward()


def test_a_recorded_gradient_reads_the_weights_of_now_so_it_is_refused_wherever_they_lie():
    D, x = mlp(1, outputs=1), Tensor(X, requires_grad=True)
    y = md.sum(D(x))
    step(sgd(D))                             # its buffer is new: the graph's own arrays are as they were
    expected = md.grad(md.sum(mlp(1, outputs=1)(x)), x).numpy()
    np.testing.assert_array_equal(md.grad(y, x, retain_graph=True).numpy(), expected)
    with pytest.raises(RuntimeError, match=WRITTEN):
        md.grad(y, x, create_graph=True)


def test_what_no_rule_reads_may_be_written():
    """Biases, and the weights of a first layer: its own gradient takes the input alone."""
    layer = nn.Linear(3, 2, rng=0)
    optimizer = sgd(layer)
    loss = md.sum(layer(X) + layer.bias)
    step(optimizer)
    loss.backward()
    np.testing.assert_allclose(layer.weight.grad.numpy(), X.sum(0)[:, None] * np.ones(2), rtol=1e-5)
    assert layer.bias.grad.numpy().tolist() == [10.0, 10.0]


def test_only_the_rules_of_the_asked_gradients_count():
    a, b = (nn.Parameter(np.array([2.0, 3.0], np.float32)) for _ in range(2))
    y = md.sum(a * b)
    mark_written([a])
    assert md.grad(y, a, retain_graph=True).numpy().tolist() == [2, 3]          # b, as it was
    with pytest.raises(RuntimeError, match=WRITTEN):
        md.grad(y, b)


def test_rules_that_share_their_work_count_as_readers():
    a, b = (nn.Parameter(np.ones((2, 2), np.float32)) for _ in range(2))
    y = md.sum(md.einsum("ij,jk->ik", a, b))
    mark_written([a])
    with pytest.raises(RuntimeError, match=rf"a tensor of shape \(2, 2\) {WRITTEN} einsum"):
        y.backward()


def test_a_tensors_own_name_is_used_where_no_optimiser_has_one():
    w = nn.Parameter(np.ones(2, np.float32), name="slope")
    y = md.sum(w * w)
    mark_written([w])
    with pytest.raises(RuntimeError, match=f"parameter slope {WRITTEN}"):
        y.backward()


def test_a_rule_whose_code_cannot_be_read_counts_as_a_reader():
    class Rule:
        def __call__(self, g, y, x):
            return g

    passed = md.custom(Rule())(lambda xp, x: x + 0.0)
    w = nn.Parameter(np.ones(2, np.float32))
    y = md.sum(passed(w))
    mark_written([w])
    with pytest.raises(RuntimeError, match=WRITTEN):
        y.backward()


def test_on_a_device_it_is_found_as_well_and_a_clean_step_waits_for_nothing():
    from tests.standin.device import counting, install

    model = mlp().to(install())
    x = Tensor(X).to(install())
    optimizer = sgd(model)
    loss, other = md.mean(model(x) ** 2), md.mean(model(x).reshape(3, 5) ** 2)
    with counting() as c:
        loss.backward()
        optimizer.step()
    assert c.synchronisations == 0, c.waited_for
    with counting() as c, pytest.raises(RuntimeError, match=re.escape("parameter 2.weight")):
        other.backward()
    assert c.synchronisations == 0, c.waited_for
