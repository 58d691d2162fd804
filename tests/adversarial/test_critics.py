"""A critic alone with two fixed sets: its estimate against the exact earth mover's distance, and its slope."""
import itertools

import numpy as np
import pytest

from minidl import InputError, nn, optim
from minidl.adversarial import GradientPenalty, WeightClipping, fit_critic, score_gap, slopes
from tests.standin.device import install

RNG = np.random.default_rng(0)


def fitted(x, y, *, width=64, epochs=60, weight=40.0, seed=0, **options):
    """A critic with a one-sided penalty between sets of rows."""
    rng = np.random.default_rng(seed)
    critic = nn.mlp([x.shape[1], width, width, 1], rng=rng, activation=nn.ReLU, weight_init=nn.init.he_normal)
    adam = optim.Adam(critic.parameters(), lr=1e-2, betas=(0.5, 0.9))
    batch = min(128, len(x))
    schedule = optim.LinearLR(adam, 1.0, 0.0, epochs * -(-len(x) // batch))
    fit_critic(critic, x, y, adam, epochs=epochs, batch_size=batch, schedules=[schedule], rng=rng, progress=False,
               **{"extras": [GradientPenalty(weight, one_sided=True, rng=rng)]} | options)
    return critic


PAIRS = {"shifted": (RNG.normal(0.7, 0.5, 512), RNG.normal(-0.7, 0.5, 512)),
         "wider": (RNG.normal(0, 0.4, 512), RNG.normal(0, 1.5, 512)),
         "two bumps": (RNG.choice([-1, 1], 512) + RNG.normal(0, 0.2, 512), RNG.normal(0, 0.5, 512))}


@pytest.mark.parametrize("name", PAIRS)
def test_the_estimate_is_the_distance_of_the_sorted_samples_within_5_percent(name):
    x, y = (a[:, None].astype(np.float32) for a in PAIRS[name])
    exact = np.abs(np.sort(x, 0) - np.sort(y, 0)).mean()
    assert score_gap(fitted(x, y), x, y) == pytest.approx(exact, rel=0.05)


def test_of_a_few_points_in_the_plane_it_is_the_cheapest_of_all_assignments_within_5_percent():
    x, y = RNG.standard_normal((2, 6, 2)).astype(np.float32)
    ways = np.array(list(itertools.permutations(range(6))))
    exact = np.linalg.norm(x - y[ways], axis=2).mean(1).min()
    critic = fitted(np.tile(x, (20, 1)), y, width=64, epochs=300)
    assert score_gap(critic, x, y) == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("distance, weight", [(1.0, 10.0), (3.0, 10.0), (1.0, 0.5)])
def test_a_penalty_lets_the_slope_exceed_1_by_the_distance_over_twice_its_weight(distance, weight):
    y = RNG.standard_normal((64, 1)).astype(np.float32)
    critic = nn.Linear(1, 1, rng=0)
    critic.weight.data[...] = 0.5                                # the other minimum, -1, is that of sets that swap
    fit_critic(critic, y + np.float32(distance), y, optim.SGD(critic.parameters(), lr=0.2 / weight), epochs=30,
               batch_size=64, extras=[GradientPenalty(weight, rng=0)], rng=0, progress=False)
    shift = critic.weight.item()
    assert shift == pytest.approx(1 + distance / (2 * weight), abs=0.15 / weight)   # which items are drawn is luck


def test_clipped_weights_bound_the_slope_by_their_product_and_so_the_estimate():
    x, y = (a[:, None].astype(np.float32) for a in PAIRS["shifted"])
    critic = fitted(x, y, epochs=20, extras=[WeightClipping(0.05)])
    exact, bound = np.abs(np.sort(x, 0) - np.sort(y, 0)).mean(), 64 * 64 * 0.05**3
    assert 0 < score_gap(critic, x, y) <= bound * exact
    assert slopes(critic, x).max() <= bound


def test_the_slope_of_a_linear_critic_is_its_weights_norm_for_rows_and_images():
    critic = nn.Linear(3, 1, rng=0)
    assert np.allclose(slopes(critic, RNG.standard_normal((2000, 3)).astype(np.float32)),
                       np.linalg.norm(critic.weight.numpy()))
    flat = nn.Sequential(nn.Dropout(0.5, rng=0), nn.Flatten(), nn.Linear(8, 1, rng=0))
    found = slopes(flat, RNG.standard_normal((3, 2, 2, 2)))
    assert found.shape == (3,) and np.allclose(found, np.linalg.norm(flat[2].weight.numpy()))
    assert flat.training and flat[2].weight.grad is None


def test_the_gap_is_that_of_the_mean_scores_of_sets_of_any_size():
    critic = nn.Linear(2, 1, rng=0)
    x, y = RNG.standard_normal((1500, 2)), RNG.standard_normal((7, 2))
    assert score_gap(critic, x, y) == pytest.approx(float((x.mean(0) - y.mean(0)) @ critic.weight.numpy()[:, 0]),
                                                    abs=1e-5)


def test_a_fit_that_was_stopped_ends_as_the_unbroken_one_bit_for_bit(tmp_path):
    x, y = (a[:100, None].astype(np.float32) for a in PAIRS["shifted"])

    def run(*epochs, **more):
        rng = np.random.default_rng(0)
        critic = nn.mlp([1, 4, 1], rng=rng)
        for n in epochs:
            fit_critic(critic, x, y[:30], optim.Adam(critic.parameters()), epochs=n, batch_size=32, rng=rng,
                       extras=[GradientPenalty(rng=rng)], progress=False, **more)
        return [p.numpy().copy() for p in critic.parameters()]

    whole, resumed = run(4), run(2, 4, checkpoint=tmp_path / "critic.npz")
    assert all(np.array_equal(a, b) for a, b in zip(whole, resumed, strict=True))


def test_on_a_device_it_fits_and_measures_there():
    device = install()
    x, y = (a[:64, None].astype(np.float32) for a in PAIRS["shifted"])
    critic = nn.mlp([1, 4, 1], rng=0, weight_init=nn.init.he_normal).to(device)
    fit_critic(critic, x, y, optim.Adam(critic.parameters()), epochs=2, batch_size=32, rng=0, progress=False,
               extras=[GradientPenalty(rng=0), WeightClipping(0.1)])
    found = slopes(critic, x)
    assert type(found) is not np.ndarray and len(found) == 64
    assert np.isfinite(score_gap(critic, device.put(x), y))


@pytest.mark.parametrize("options, sentence", [
    ({"real": np.zeros((4, 3))}, r"both sets have items of one shape"), ({"fake": np.zeros((0, 2))}, "at least one"),
    ({"optimizer": optim.SGD(nn.Linear(2, 1, rng=0).parameters())}, "the critic's parameters"),
    ({"critic": nn.Sequential()}, "a critic has parameters"), ({"extras": GradientPenalty(rng=0)}, "extras are a list"),
    ({"batch_size": 0}, "batch_size")],
                         ids=["shapes", "none", "optimizer", "parameters", "extras", "batch size"])
def test_what_does_not_fit_gets_a_sentence(options, sentence):
    critic = nn.Linear(2, 1, rng=0)
    given = {"critic": critic, "real": np.zeros((4, 2)), "fake": np.zeros((5, 2)),
             "optimizer": optim.SGD(critic.parameters()), "epochs": 1, "rng": 0} | options
    with pytest.raises(InputError, match=sentence):
        fit_critic(**given)
