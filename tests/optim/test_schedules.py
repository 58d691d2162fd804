"""Schedules: closed forms, warm-up, plateaus, state. tests/parity compares their values with PyTorch's."""
import json
import math

import pytest

from minidl import nn, optim
from minidl.errors import InputError


def optimizer(lr=0.5):
    return optim.SGD([nn.Parameter([0.0])], lr=lr)


def rates(schedule, n):
    found = [schedule.optimizer.lr]
    for _ in range(n):
        schedule.step()
        found.append(schedule.optimizer.lr)
    return found


def test_step_lr_falls_by_gamma_after_every_step_size_steps():
    assert rates(optim.StepLR(optimizer(), 3, gamma=0.5), 7) == [0.5] * 3 + [0.25] * 3 + [0.125] * 2


def test_exponential_lr_falls_by_gamma_after_every_step():
    assert rates(optim.ExponentialLR(optimizer(), 0.5), 3) == [0.5, 0.25, 0.125, 0.0625]


def test_cosine_annealing_falls_from_the_first_rate_to_eta_min_and_stays_there():
    expected = [0.1 + 0.4 * (1 + math.cos(math.pi * t / 8)) / 2 for t in range(9)] + [0.1, 0.1]
    assert rates(optim.CosineAnnealingLR(optimizer(), 8, eta_min=0.1), 10) == pytest.approx(expected, rel=1e-14)


def test_a_warm_up_rises_in_equal_steps_to_the_first_rate_and_counts_towards_the_whole():
    found = rates(optim.CosineAnnealingLR(optimizer(), 10, warmup=4), 10)
    assert found[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5], rel=1e-14)
    assert found[7] == pytest.approx(0.25) and found[10] == pytest.approx(0, abs=1e-17)
    assert found[4:] == sorted(found[4:], reverse=True)


def test_linear_lr_goes_straight_from_start_to_end_and_stays_there():
    warm = rates(optim.LinearLR(optimizer(), start_factor=0.2, total_iters=4), 5)
    assert warm == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.5], rel=1e-14)
    decay = rates(optim.LinearLR(optimizer(), start_factor=1.0, end_factor=0.0, total_iters=2), 3)
    assert decay == pytest.approx([0.5, 0.25, 0.0, 0.0], rel=1e-14)


def test_multi_step_lr_falls_by_gamma_at_each_milestone_in_any_order():
    assert rates(optim.MultiStepLR(optimizer(), [5, 2, 5], gamma=0.5), 6) == [0.5] * 2 + [0.25] * 3 + [0.0625] * 2


def test_one_cycle_rises_to_max_lr_falls_to_its_end_and_stays_there():
    found = rates(optim.OneCycleLR(optimizer(), 1.0, 11, anneal_strategy="linear", pct_start=5 / 11, div_factor=5.0,
                                   final_div_factor=2.0), 14)
    assert found == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 0.85, 0.7, 0.55, 0.4, 0.25, *[0.1] * 5], rel=1e-12)
    found = rates(optim.OneCycleLR(optimizer(), 0.4, 100), 200)
    assert found[0] == pytest.approx(0.4 / 25) and max(found) == found[29] == 0.4
    assert found[99] == pytest.approx(0.4 / 25 / 1e4) and set(found[99:]) == {found[99]}
    assert found[:30] == sorted(found[:30]) and found[29:] == sorted(found[29:], reverse=True)


@pytest.mark.parametrize("make, sentence", [
    (lambda o: optim.MultiStepLR(o, [0, 3]), "each milestone is a whole number of at least 1, not 0"),
    (lambda o: optim.OneCycleLR(o, 0.1, 0), "total_steps is a whole number of at least 1, not 0"),
    (lambda o: optim.OneCycleLR(o, 0.0, 9), "are above 0 and pct_start lies in .*, not 0.0, 25.0, 10000.0 and 0.3"),
    (lambda o: optim.OneCycleLR(o, 0.1, 9, pct_start=1.0), r"pct_start lies in \[0, 1\)"),
    (lambda o: optim.OneCycleLR(o, 0.1, 9, anneal_strategy="exp"), "anneal_strategy is 'cos' or 'linear', not 'exp'"),
])
def test_numbers_that_make_no_schedule_are_refused(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make(optimizer())


SCHEDULES = {
    "MultiStepLR": lambda o: optim.MultiStepLR(o, [2, 4, 9], gamma=0.7),
    "OneCycleLR": lambda o: optim.OneCycleLR(o, 0.9, 12),
    "StepLR": lambda o: optim.StepLR(o, 3, gamma=0.7),
    "ExponentialLR": lambda o: optim.ExponentialLR(o, 0.9),
    "CosineAnnealingLR": lambda o: optim.CosineAnnealingLR(o, 12, eta_min=0.01, warmup=3),
    "LinearLR": lambda o: optim.LinearLR(o, 0.1, total_iters=9),
}


@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_a_restored_schedule_goes_on_exactly(make):
    unbroken = rates(make(optimizer()), 12)
    first = make(optimizer())
    rates(first, 5)
    state = json.loads(json.dumps(first.state_dict()))
    second = make(optimizer())
    second.load_state_dict(state)
    assert second.optimizer.lr == unbroken[5]
    assert rates(second, 7)[1:] == unbroken[6:]


@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_a_schedule_made_again_counts_from_the_optimisers_first_rate(make):
    o = optimizer(0.5)
    unbroken = rates(make(o), 12)
    rates(make(o), 5)
    assert o.first_lr == 0.5 and o.lr != 0.5
    assert rates(make(o), 12) == unbroken


@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("made", ["before the optimiser's state is loaded", "after it"])
def test_a_run_goes_on_at_the_saved_rates_whatever_its_optimiser_was_made_with(make, made):
    unbroken = rates(make(optimizer(0.5)), 12)
    first = make(optimizer(0.5))
    rates(first, 5)
    o = optimizer(0.02)
    schedule = make(o) if made.startswith("before") else None
    o.load_state_dict(first.optimizer.state_dict())
    schedule = schedule or make(o)
    assert o.first_lr == 0.5
    schedule.load_state_dict(first.state_dict())
    assert schedule.optimizer is o and o.lr == unbroken[5] and rates(schedule, 7)[1:] == unbroken[6:]


def test_the_first_rate_is_that_at_the_first_schedule_and_can_be_set_anew():
    o = optimizer(0.5)
    assert o.first_lr is None and "first_lr" not in o.state_dict()
    o.lr = 0.4
    optim.ExponentialLR(o, 0.5).step()
    assert (o.first_lr, o.lr, float(o.state_dict()["first_lr"])) == (0.4, 0.2, 0.4)
    o.lr = o.first_lr = 0.1
    assert rates(optim.ExponentialLR(o, 0.5), 1) == [0.1, 0.05]


def test_a_state_without_a_first_rate_leaves_the_present_one():
    """As checkpoints of before had it: the schedule's own state brings the first rate."""
    old = optimizer(0.5)
    fresh, scheduled = optimizer(0.1), optimizer(0.1)
    schedule = optim.ExponentialLR(scheduled, 0.5)
    for o in (fresh, scheduled):
        o.load_state_dict(old.state_dict())
    assert (fresh.lr, fresh.first_lr, scheduled.lr, scheduled.first_lr) == (0.5, None, 0.5, 0.1)
    schedule.load_state_dict({"t": 1, "base_lr": 0.5})
    assert (scheduled.first_lr, scheduled.lr) == (0.5, 0.25)


def test_eta_min_is_a_rate_whatever_the_first_rate_is():
    o = optimizer(0.5)
    schedule = optim.CosineAnnealingLR(o, 4, eta_min=0.1)
    schedule.load_state_dict({"t": 0, "base_lr": 0.2})
    assert rates(schedule, 4) == pytest.approx([0.1 + 0.1 * (1 + math.cos(math.pi * t / 4)) / 2 for t in range(5)])
    assert o.lr == 0.1


def test_without_a_floor_the_cosine_is_bit_for_bit_the_first_rate_times_half_a_cosine():
    for lr in (1e-3, 3e-4, 0.1):
        expected = [lr * (0.5 * (1.0 + math.cos(math.pi * (t / 37)))) for t in range(38)]
        assert rates(optim.CosineAnnealingLR(optimizer(lr), 37), 37) == expected


@pytest.mark.parametrize("make", [*SCHEDULES.values(), optim.ReduceLROnPlateau],
                         ids=[*SCHEDULES, "ReduceLROnPlateau"])
def test_another_state_is_refused_and_changes_nothing(make):
    schedule = make(optimizer())
    before, lr = schedule.state_dict(), schedule.optimizer.lr
    name = next(iter(before))
    for odd in ({}, before | {"other": 1}, before | {name: "soon"}, before | {name: [1, 2]}, before | {name: None}):
        with pytest.raises(InputError, match="this is not the state of a "):
            schedule.load_state_dict(odd)
    assert (schedule.state_dict(), schedule.optimizer.lr) == (before, lr)


@pytest.mark.parametrize("make", [*SCHEDULES.values(), optim.ReduceLROnPlateau],
                         ids=[*SCHEDULES, "ReduceLROnPlateau"])
def test_what_is_no_optimiser_is_refused_in_a_sentence(make):
    with pytest.raises(InputError, match="give the optimiser whose rate it sets, not Linear"):
        make(nn.Linear(2, 2, rng=0))


def test_plateau_waits_for_patience_calls_without_a_fall_and_then_lowers_the_rate():
    o = optimizer(1.0)
    schedule = optim.ReduceLROnPlateau(o, factor=0.5, patience=2)
    found = []
    for value in [5.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.0, 3.0]:
        schedule.step(value)
        found.append(o.lr)
    assert found == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_plateau_counts_a_fall_below_the_threshold_as_none():
    o = optimizer(1.0)
    schedule = optim.ReduceLROnPlateau(o, factor=0.1, patience=0, threshold=0.1)
    schedule.step(1.0)
    schedule.step(0.89)
    assert o.lr == 1.0
    schedule.step(0.85)
    assert o.lr == pytest.approx(0.1)


def test_plateau_never_goes_below_min_lr_nor_above_the_present_rate():
    o = optimizer(1.0)
    schedule = optim.ReduceLROnPlateau(o, factor=0.1, patience=0, min_lr=0.05)
    for _ in range(4):
        schedule.step(1.0)
    assert o.lr == 0.05
    o.lr = 0.01
    schedule.step(1.0)
    assert o.lr == 0.01


def test_plateau_takes_a_value_that_is_no_number_as_no_fall():
    o = optimizer(1.0)
    schedule = optim.ReduceLROnPlateau(o, factor=0.1, patience=0)
    schedule.step(1.0)
    schedule.step(math.nan)
    assert o.lr == pytest.approx(0.1) and schedule.best == 1.0


def test_a_restored_plateau_goes_on_exactly():
    def run(split):
        o = optimizer(1.0)
        schedule = optim.ReduceLROnPlateau(o, factor=0.5, patience=2)
        found = []
        for i in range(9):
            if i == split:
                again = optim.ReduceLROnPlateau(o, factor=0.5, patience=2)
                again.load_state_dict(json.loads(json.dumps(schedule.state_dict())))
                schedule = again
            schedule.step(1.0)
            found.append(o.lr)
        return found

    assert run(None)[-1] < 1.0 and all(run(split) == run(None) for split in range(9))


@pytest.mark.parametrize("make, words", [
    (lambda o: optim.StepLR(o, 0), "step_size is a whole number of at least 1, not 0"),
    (lambda o: optim.CosineAnnealingLR(o, 0), "T_max is a whole number of at least 1, not 0"),
    (lambda o: optim.CosineAnnealingLR(o, 5, warmup=5), "warmup is from 0 to below T_max=5, not 5"),
    (lambda o: optim.CosineAnnealingLR(o, 5, warmup=-1), "warmup is from 0 to below T_max=5, not -1"),
    (lambda o: optim.LinearLR(o, total_iters=0), "total_iters is a whole number of at least 1, not 0"),
    (lambda o: optim.ReduceLROnPlateau(o, factor=1.0), "factor lies between 0 and 1, not 1.0"),
    (lambda o: optim.ReduceLROnPlateau(o, factor=0.0), "factor lies between 0 and 1, not 0.0"),
])
def test_a_schedule_out_of_range_is_refused_in_a_sentence(make, words):
    o = optimizer()
    with pytest.raises(InputError, match=words):
        make(o)
    assert o.lr == 0.5


def test_plateau_knows_worse_from_better_below_zero():
    optimizer = optim.SGD([nn.Parameter([1.0])], lr=1.0)
    schedule = optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=0.01)
    for value in (-100.0, -99.5, -99.0, -98.5, -98.0):
        schedule.step(value)
    assert schedule.best == -100.0 and optimizer.lr == 0.25
