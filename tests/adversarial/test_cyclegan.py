"""CycleGAN: its two costs, what a domain keeps, and a run that resumes."""
import numpy as np
import pytest

import minidl as md
from minidl import data, nn, optim
from minidl.adversarial import Cycle, CycleGAN, Turn, least_squares, train
from tests.standin.device import install

draws = np.random.default_rng(0)
A, B = (draws.uniform(-1, 1, (12, 6)).astype(np.float32) for _ in range(2))
judge = lambda rng: nn.mlp([6, 5, 1], rng=rng)


class Times(nn.Module):
    """A translator whose inverse is known."""

    def __init__(self, factor):
        self.factor = nn.Parameter(np.full(1, factor, np.float32))

    def forward(self, x):
        return x * self.factor


def networks(rng=0):
    to_a, to_b = (nn.mlp([6, 7, 6], rng=rng + i, output_activation=nn.Tanh) for i in range(2))
    return CycleGAN(to_a, to_b, judge(5), judge(6))


def cost(extra, model):
    turn = Turn(model, least_squares(), (A, B), model.noise(12), model.real((A, B)), model.fake((A, B), None))
    return extra.generator(turn).item()


def test_translators_that_invert_each_other_pay_nothing_for_the_cycle():
    model = CycleGAN(Times(0.5), Times(2.0), judge(5), judge(6))
    assert cost(Cycle(10.0), model) == 0
    assert cost(Cycle(10.0, identity=3.0), model) == pytest.approx(3 * (0.5 * abs(A).mean() + abs(B).mean()), rel=1e-6)


def test_the_cycle_costs_the_mean_distance_of_both_ways_back():
    model = CycleGAN(Times(0.5), Times(3.0), judge(5), judge(6))           # there and back is 1.5 times the item
    assert cost(Cycle(10.0), model) == pytest.approx(10 * 0.5 * (abs(A).mean() + abs(B).mean()), rel=1e-6)


def test_each_judge_sees_its_own_domain():
    model = networks()
    scores, _ = model.judge(model.real((A, B)))
    np.testing.assert_allclose(scores.numpy(), np.concatenate([judge(5)(A).numpy(), judge(6)(B).numpy()]).ravel(),
                               rtol=1e-5)
    made_a, made_b = model.fake((A, B), None)
    np.testing.assert_allclose(made_a.numpy(), model.translate(B, to="a"), rtol=1e-5)
    np.testing.assert_allclose(made_b.numpy(), model.translate(A, to="b"), rtol=1e-5)


def run(epochs, checkpoint=None, device="cpu"):
    model = networks().to(device)
    adam = [optim.Adam(part.parameters(), lr=1e-2) for part in (model.generator, model.discriminator)]
    history = train(model, data.Loader(A, B, batch_size=5, rng=0, device=device), *adam, epochs=epochs,
                    loss="least-squares", extras=[Cycle(10.0, identity=5.0)], progress=False, checkpoint=checkpoint)
    return model, history


def test_a_run_that_resumes_ends_like_the_unbroken_one_bit_for_bit(tmp_path):
    run(2, tmp_path / "half.npz")
    resumed, history = run(4, tmp_path / "half.npz")
    unbroken, wanted = run(4)
    assert history["generator"] == wanted["generator"] and len(wanted["generator"]) == 4
    assert all(np.array_equal(a, unbroken.state_dict()[name]) for name, a in resumed.state_dict().items())


def test_the_strict_device_does_what_the_cpu_does():
    here, there = run(2)[0].state_dict(), run(2, device=install())[0].state_dict()
    assert all(np.allclose(here[name], there[name], rtol=1e-4, atol=1e-6) for name in here)


def test_a_few_steps_learn_the_way_back():
    before = networks()
    after = run(40)[0]
    error = lambda m: abs(m.translate(m.translate(A, to="b"), to="a") - A).mean()
    assert error(after) < 0.8 * error(before)


def test_bad_input_is_refused_in_a_sentence():
    model = networks()
    for call in (lambda: CycleGAN(1, 2, 3, 4), lambda: model.real((A,)), lambda: model.check_data((A, 2 * B)),
                 lambda: model.translate(A, to="c"), lambda: model.sample(3, 0), lambda: model.decode(A),
                 lambda: Cycle(-1.0),
                 lambda: CycleGAN(Times(1), Times(1), nn.mlp([6, 2], rng=0), judge(6)).judge((A, B))):
        with pytest.raises(md.InputError, match="Cycle"):
            call()
