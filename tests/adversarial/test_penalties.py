"""Penalties on a critic's slope against formulas and finite differences; what is held, what is clipped."""
import warnings

import numpy as np
import pytest

import minidl as md
from minidl import InputError, nn
from minidl.adversarial import GAN, ConditionalGAN, Drift, GradientPenalty, Turn, WeightClipping, wasserstein

RNG = np.random.default_rng(0)


class Critic(nn.Module):
    """A critic that is a function of what it sees."""

    def __init__(self, score):
        self.score = score

    def forward(self, *seen):
        return self.score(*seen)


def a_turn(discriminator, real, fake, make=GAN, **options):
    gan = make(nn.Linear(2, 3, rng=0), discriminator, latent=2, rng=0, **options)
    return Turn(gan, wasserstein(), (), np.zeros((len(real), 2)), (real,), (md.Tensor(fake),))


def dense(x, W, b, v):
    return md.tanh(x @ W + b) @ v


def convolved(x, kernel, b, v):
    return md.tanh(md.conv2d(x, kernel, stride=2) + b).flatten(1) @ v


DENSE = dense, (5, 3), [(3, 4), (4,), (4, 1)]
CONVOLVED = convolved, (4, 5, 5, 2), [(3, 3, 2, 3), (3,), (12, 1)]


@pytest.mark.parametrize("score, shape, sizes", [DENSE, CONVOLVED], ids=["dense", "convolutional"])
@pytest.mark.parametrize("options", [{}, {"at": "real", "target": 0.0}, {"at": "fake"}], ids=str)
def test_the_penaltys_gradients_agree_with_finite_differences_to_second_order(score, shape, sizes, options):
    real, fake = RNG.standard_normal((2, *shape))

    def penalty(*weights):
        turn = a_turn(Critic(lambda x: score(x, *weights)), real, fake)
        return GradientPenalty(2.0, rng=1, **options).discriminator(turn)

    md.gradcheck(penalty, *(RNG.standard_normal(size) for size in sizes), directions=2)


@pytest.mark.parametrize("norm", [0.5, 1.0, 2.0])
def test_of_a_linear_critic_the_penalty_is_that_of_its_weights_norm(norm):
    w = RNG.standard_normal((3, 1))
    w *= norm / np.linalg.norm(w)
    turn = a_turn(Critic(lambda x: x @ md.Tensor(w)), *RNG.standard_normal((2, 6, 3)))
    for at in "between", "real", "fake":
        assert GradientPenalty(10.0, at=at, rng=0).discriminator(turn).item() == pytest.approx(10 * (norm - 1)**2)
    above = GradientPenalty(10.0, one_sided=True, rng=0).discriminator(turn).item()
    assert above == pytest.approx(10 * max(norm - 1, 0)**2, abs=1e-12)
    R1 = GradientPenalty(3.0, target=0.0, at="real", rng=0).discriminator(turn).item()
    assert R1 == pytest.approx(3 * norm**2)


def test_the_points_lie_evenly_between_a_real_and_a_generated_item_each_or_at_them():
    seen = []
    real, fake = np.zeros((2000, 3)), np.ones((2000, 3))
    turn = a_turn(Critic(lambda x: seen.append(x.numpy().copy()) or x @ np.ones((3, 1))), real, fake)
    for at in "between", "real", "fake":
        GradientPenalty(at=at, rng=0).discriminator(turn)
    between, at_real, at_fake = seen
    assert np.array_equal(at_real, real) and np.array_equal(at_fake, fake)
    share = between[:, 0]
    assert (between == share[:, None]).all() and ((share >= 0) & (share <= 1)).all()
    assert np.allclose(np.quantile(share, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.05)


def test_labels_beside_the_data_are_held_and_have_no_slope():
    w = RNG.standard_normal((3, 1)).astype(np.float32)
    critic = Critic(lambda xy: xy[:, :3] @ md.Tensor(w) + 100.0 * md.sum(xy[:, 3:]**2, 1, keepdims=True))
    gan = ConditionalGAN(nn.Linear(4, 3, rng=0), critic, latent=2, classes=2, rng=0)
    batch = RNG.standard_normal((4, 3)).astype(np.float32), np.array([0, 1, 1, 0])
    z = RNG.standard_normal((4, 2)).astype(np.float32)
    seen = []
    critic.register_forward_hook(lambda layer, inputs, y: seen.append(inputs[0].numpy()[:, 3:].copy()))
    turn = Turn(gan, wasserstein(), batch, z, gan.real(batch), gan.fake(batch, z))
    norms = GradientPenalty(rng=0).norms(turn)
    assert np.allclose(norms.numpy(), np.linalg.norm(w))
    assert np.array_equal(seen[-1], np.eye(2)[batch[1]])


def test_of_a_pack_the_slope_is_that_for_all_the_items_that_one_score_judges():
    w = RNG.standard_normal((6, 1))
    turn = a_turn(Critic(lambda x: x @ md.Tensor(w)), *RNG.standard_normal((2, 8, 3)), pack=2)
    norms = GradientPenalty(rng=0).norms(turn)
    assert norms.shape == (4,) and np.allclose(norms.numpy(), np.linalg.norm(w))


def test_a_critic_with_batch_normalisation_is_warned_of_once():
    turn = a_turn(nn.Sequential(nn.Linear(3, 4, rng=0), nn.BatchNorm(4), nn.Linear(4, 1, rng=0)),
                  *RNG.standard_normal((2, 6, 3)).astype(np.float32))
    penalty = GradientPenalty(rng=0)
    with pytest.warns(RuntimeWarning, match="the critic has batch normalisation, so that a score depends on the other"):
        penalty.discriminator(turn)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        penalty.discriminator(turn)


def test_drift_is_the_mean_square_of_the_scores_of_data():
    scores = RNG.standard_normal(5)
    turn = a_turn(Critic(lambda x: x), *RNG.standard_normal((2, 5, 3)))
    turn.real_scores = md.Tensor(scores)
    assert Drift(0.3).discriminator(turn).item() == pytest.approx(0.3 * (scores**2).mean())


def test_after_the_step_weights_are_clipped_and_a_forgotten_graph_is_noticed():
    critic = nn.Linear(3, 1, rng=0)
    turn = a_turn(critic, *RNG.standard_normal((2, 5, 3)).astype(np.float32))
    before = critic.weight.numpy().copy()
    y = critic(md.Tensor(turn.real[0], requires_grad=True)).sum()
    WeightClipping(0.1).stepped(turn)
    assert np.array_equal(critic.weight.numpy(), before.clip(-0.1, 0.1)) and not np.array_equal(before, before.clip(
        -0.1, 0.1))
    with pytest.raises(RuntimeError):
        y.backward()                                                 # its weights are no longer those of its scores


@pytest.mark.parametrize("make, sentence", [
    (lambda: GradientPenalty(-1.0, rng=0), "GradientPenalty: weight"),
    (lambda: GradientPenalty(target=-1.0, rng=0), "GradientPenalty: target"),
    (lambda: GradientPenalty(at="here", rng=0), "GradientPenalty: at"),
    (lambda: GradientPenalty(one_sided=2, rng=0), "GradientPenalty: one_sided"),
    (lambda: GradientPenalty(rng=0).load_state_dict({"penalty": "Drift"}), "it is of another extra"),
    (lambda: Drift(-1.0), "Drift: weight"), (lambda: WeightClipping(0.0), "WeightClipping: value")])
def test_bad_numbers_get_a_sentence(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()
