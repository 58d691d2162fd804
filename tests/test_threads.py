"""Recording and debug mode belong to a thread: what one does is none of the others' business."""
import threading

import numpy as np
import pytest

import minidl as md
from minidl import Tensor, nn, optim

X = np.random.default_rng(0).standard_normal((16, 4), dtype=np.float32)
Y = np.arange(16) % 3
_LONG = 60.0                                 # seconds: only a test that fails waits so long


def at_once(*works):
    """Run each in a thread of its own, and raise what the first to fail has raised."""
    failures = []

    def guarded(work):
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_LONG)
    if failures:
        raise failures[0]


def in_turns(n):
    """For threads i = 0 to n - 1: `wait(i)` returns when it is i's turn, and `end(i)` gives the turn to the next."""
    gates = [threading.Semaphore(i == 0) for i in range(n)]

    def wait(i):
        assert gates[i].acquire(timeout=_LONG)

    def end(i):
        gates[(i + 1) % n].release()

    return wait, end


def trained(seed, pause=lambda: None, steps=4):
    """A small model after some steps, with pauses wherever another thread might come in."""
    model = nn.Sequential(nn.Linear(4, 5, rng=seed), nn.Tanh(), nn.Linear(5, 3, rng=seed))
    optimizer = optim.Adam(model.named_parameters(), lr=0.1)
    for handle in (model[0], model[1]):
        handle.register_forward_hook(lambda module, inputs, y: pause())
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(X), Y)
        pause()
        loss.backward()
        pause()
        optimizer.step()
    return [p.numpy().tolist() for p in model.parameters()]


def test_two_trainings_in_turns_are_those_of_each_alone():
    """Also while the other is in the midst of its backward pass, in which a rule of its own hands over."""
    expected, found = [trained(0), trained(1)], {}
    wait, end = in_turns(2)

    def work(i):
        wait(i)

        def pause():
            end(i)
            wait(i)

        pausing = md.custom(lambda g, y, x: (pause(), g)[1])(lambda xp, x: x + 0.0)
        x = Tensor(X, requires_grad=True)
        md.sum(pausing(x)).backward()
        assert x.grad is not None
        found[i] = trained(i, pause)
        end(i)

    at_once(lambda: work(0), lambda: work(1))
    assert [found[0], found[1]] == expected


def test_training_beside_inference_under_no_grad_is_training_alone():
    expected, found = trained(0), []
    wait, end = in_turns(2)
    done = threading.Event()

    def train():
        wait(0)

        def pause():
            end(0)
            wait(0)

        try:
            found.append(trained(0, pause))
        finally:
            done.set()
            end(0)

    def infer():
        model = nn.Linear(4, 3, rng=0)
        wait(1)
        while not done.is_set():
            with md.no_grad():
                assert not model(X).requires_grad
                end(1)
                wait(1)
                assert not model(X).requires_grad
            end(1)
            wait(1)

    at_once(train, infer)
    assert found == [expected]


def test_a_backward_pass_does_not_switch_off_recording_elsewhere():
    within, recorded = threading.Event(), threading.Event()

    def rule(g, y, x):
        within.set()
        assert recorded.wait(_LONG)
        return g

    held = md.custom(rule)(lambda xp, x: x + 0.0)

    def backward():
        md.sum(held(Tensor([1.0], requires_grad=True))).backward()

    def forward():
        assert within.wait(_LONG)
        try:
            assert (Tensor([1.0], requires_grad=True) * 2.0).requires_grad
        finally:
            recorded.set()

    at_once(backward, forward)


def test_overlapping_no_grads_leave_recording_on_everywhere():
    entered, both, left = threading.Event(), threading.Event(), threading.Event()

    def first():
        with md.no_grad():
            entered.set()
            assert both.wait(_LONG)
        left.set()
        assert (Tensor([1.0], requires_grad=True) * 2.0).requires_grad

    def second():
        assert entered.wait(_LONG)
        with md.no_grad():
            both.set()
            assert left.wait(_LONG)
            assert not (Tensor([1.0], requires_grad=True) * 2.0).requires_grad
        assert (Tensor([1.0], requires_grad=True) * 2.0).requires_grad

    at_once(first, second)
    assert (Tensor([1.0], requires_grad=True) * 2.0).requires_grad


def test_debug_mode_checks_its_own_thread_alone():
    entered, done = threading.Event(), threading.Event()

    def checked():
        with md.debug():
            entered.set()
            assert done.wait(_LONG)
            with pytest.raises(FloatingPointError, match="log made the first NaN"):
                md.log(Tensor([-1.0]))

    def unchecked():
        assert entered.wait(_LONG)
        try:
            with np.errstate(invalid="ignore"):
                assert np.isnan(md.log(Tensor([-1.0])).item())
        finally:
            done.set()

    at_once(checked, unchecked)


def test_a_new_thread_records_also_when_it_was_started_within_no_grad():
    with md.no_grad():
        at_once(lambda: md.sum(Tensor([1.0], requires_grad=True) * 2.0).backward())
