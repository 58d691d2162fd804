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


SCHEDULES = {
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
    (lambda o: optim.StepLR(o, 0), "step_size is 1 or more, not 0"),
    (lambda o: optim.CosineAnnealingLR(o, 0), "T_max is 1 or more, not 0"),
    (lambda o: optim.CosineAnnealingLR(o, 5, warmup=5), "warmup is from 0 to below T_max=5, not 5"),
    (lambda o: optim.CosineAnnealingLR(o, 5, warmup=-1), "warmup is from 0 to below T_max=5, not -1"),
    (lambda o: optim.LinearLR(o, total_iters=0), "total_iters is 1 or more, not 0"),
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
