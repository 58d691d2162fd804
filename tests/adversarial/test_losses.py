"""What the two players pay, against the formulas of the papers; and the optimal discriminator of a discrete toy."""
import numpy as np
import pytest

import minidl as md
from minidl import InputError, optim
from minidl.adversarial import LOSSES, hinge, least_squares, minimax, non_saturating, wasserstein

P, Q = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.25, 0.05, 0.6, 0.1])       # data and generator, of four states
SCORES = np.array([-3.0, -0.4, 0.2, 1.7])
SMOOTHING = 0.1


def log_sigmoid(s):
    return -np.log1p(np.exp(-s))


def relu(s):
    return np.maximum(s, 0.0)


# In the papers' words: the discriminator is D = sigmoid(s), or the critic s itself.
FORMULAS = {
    "minimax": (minimax(), lambda s: -log_sigmoid(s), lambda s: -log_sigmoid(-s), lambda s: log_sigmoid(-s),
                lambda s: log_sigmoid(s)),
    "non-saturating": (non_saturating(), lambda s: -log_sigmoid(s), lambda s: -log_sigmoid(-s),
                       lambda s: -log_sigmoid(s), lambda s: -log_sigmoid(-s)),
    "least-squares": (least_squares(), lambda s: (s - 1)**2 / 2, lambda s: s**2 / 2, lambda s: (s - 1)**2 / 2,
                      lambda s: s**2 / 2),
    "wasserstein": (wasserstein(), lambda s: -s, lambda s: s, lambda s: -s, lambda s: s),
    "hinge": (hinge(), lambda s: relu(1 - s), lambda s: relu(1 + s), lambda s: -s, lambda s: s),
    "smoothed": (non_saturating(SMOOTHING),
                 lambda s: -(1 - SMOOTHING) * log_sigmoid(s) - SMOOTHING * log_sigmoid(-s),
                 lambda s: -log_sigmoid(-s), lambda s: -log_sigmoid(s), lambda s: -log_sigmoid(-s)),
    "minimax, smoothed": (minimax(SMOOTHING), lambda s: -(1 - SMOOTHING) * log_sigmoid(s) - SMOOTHING * log_sigmoid(-s),
                          lambda s: -log_sigmoid(-s), lambda s: log_sigmoid(-s),
                          lambda s: (1 - SMOOTHING) * log_sigmoid(s) + SMOOTHING * log_sigmoid(-s)),
    "least-squares, smoothed": (least_squares(SMOOTHING), lambda s: (s - 1 + SMOOTHING)**2 / 2, lambda s: s**2 / 2,
                                lambda s: (s - 1)**2 / 2, lambda s: s**2 / 2),
}


def test_every_loss_by_name_has_a_formula_here():
    assert {*LOSSES} <= {*FORMULAS}


@pytest.mark.parametrize("loss, formulas", [(pair[0], pair[1:]) for pair in FORMULAS.values()], ids=FORMULAS)
def test_a_loss_is_its_papers_formula_and_its_gradients_are_right_to_second_order(loss, formulas):
    for cost, formula in zip(loss, formulas, strict=True):
        np.testing.assert_allclose(cost(md.Tensor(SCORES)).numpy(), formula(SCORES), rtol=0, atol=1e-12)
        md.gradcheck(cost, SCORES)


@pytest.mark.parametrize("loss", [minimax(), non_saturating(SMOOTHING)])
def test_sure_scores_cost_finite_numbers_and_have_finite_gradients(loss):
    for cost in loss:
        s = md.Tensor(np.array([-1e4, 1e4]), requires_grad=True)
        y = cost(s)
        assert np.isfinite(y.numpy()).all() and np.isfinite(md.grad(y.sum(), s).numpy()).all()


def cost_of_states(loss, scores):
    """What a discriminator pays that gives each of the four states a score of its own."""
    return md.sum(md.Tensor(P) * loss.real(scores) + md.Tensor(Q) * loss.fake(scores))


def trained_scores(loss):
    """The scores of the four states that L-BFGS finds to be the cheapest."""
    scores = md.Parameter(np.zeros(4))
    optimizer = optim.LBFGS([scores], max_iter=200, tolerance_grad=1e-13, tolerance_change=0.0)

    def closure():
        optimizer.zero_grad()
        cost = cost_of_states(loss, scores)
        cost.backward()
        return cost

    for _ in range(5):
        optimizer.step(closure)
    return scores.numpy()


@pytest.mark.parametrize("loss, best, probability", [
    (minimax(), P / (P + Q), True), (non_saturating(SMOOTHING), (1 - SMOOTHING) * P / (P + Q), True),
    (least_squares(), P / (P + Q), False), (least_squares(SMOOTHING), (1 - SMOOTHING) * P / (P + Q), False)],
    ids=["cross-entropy", "smoothed cross-entropy", "least squares", "smoothed least squares"])
def test_the_best_discriminator_says_p_over_p_plus_q_as_training_finds_it(loss, best, probability):
    scores = trained_scores(loss)
    said = 1 / (1 + np.exp(-scores)) if probability else scores
    np.testing.assert_allclose(said, best, rtol=0, atol=1e-8)
    there = md.Tensor(np.log(best / (1 - best)) if probability else best, requires_grad=True)
    slope = md.grad(cost_of_states(loss, there), there, create_graph=True)
    np.testing.assert_allclose(slope.numpy(), 0.0, atol=1e-15)
    assert (md.grad(slope.sum(), there).numpy() > 0).all()            # convex in each state's score: the only minimum


def test_the_best_critic_of_the_hinge_loss_says_which_is_more_likely_and_pays_for_what_they_share():
    cost = cost_of_states(hinge(), md.Tensor(np.sign(P - Q))).item()
    assert cost == pytest.approx(2 * np.minimum(P, Q).sum(), abs=1e-12)
    others = np.random.default_rng(0).uniform(-2, 2, (500, 4))
    assert all(cost_of_states(hinge(), md.Tensor(scores)).item() >= cost - 1e-12 for scores in others)


def test_at_the_best_discriminator_the_games_value_is_twice_the_jensen_shannon_divergence_less_log_4():
    middle = (P + Q) / 2
    jensen_shannon = (P * np.log(P / middle) + Q * np.log(Q / middle)).sum() / 2
    loss, scores = minimax(), md.Tensor(np.log(P / Q))
    value = -cost_of_states(loss, scores).item()
    assert value == pytest.approx(2 * jensen_shannon - np.log(4), abs=1e-12)
    generators = md.sum(md.Tensor(Q) * loss.fool(scores)).item() + md.sum(md.Tensor(P) * loss.hide(scores)).item()
    assert generators == pytest.approx(value, abs=1e-12)              # the players' costs add up to zero


def test_a_sure_discriminator_leaves_the_minimax_generator_no_gradient_and_the_non_saturating_one_a_whole_one():
    s = md.Tensor(np.array([-20.0]), requires_grad=True)
    assert abs(md.grad(minimax().fool(s).sum(), s).item()) < 1e-8
    assert md.grad(non_saturating().fool(s).sum(), s).item() == pytest.approx(-1.0, abs=1e-8)


@pytest.mark.parametrize("make", [minimax, non_saturating, least_squares])
@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan"), None, "0.1"])
def test_a_smoothing_that_is_none_gets_a_sentence(make, smoothing):
    with pytest.raises(InputError, match="smoothing is what is taken from the target 1, at least 0 and below 1, not"):
        make(smoothing)
