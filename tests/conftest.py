"""What every test gets: the same hypothesis draws in every run, no window for pictures, a guard against float64."""
import gc
import os
import signal
from contextlib import contextmanager

os.environ["MPLBACKEND"] = "Agg"       # before anything imports matplotlib

import hypothesis
import numpy as np
import pytest

import minidl as md
from minidl import debugging
from minidl.training import loop
from tests.ids import pytest_make_parametrize_id  # noqa: F401

signal.signal(signal.SIGINT, signal.default_int_handler)      # which nohup and background jobs have ignored

hypothesis.settings.register_profile("house", derandomize=True, deadline=None, database=None,
                                     suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("house")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Ten thousand tests live until the end: no search for garbage is to walk them, neither now nor in a test."""
    gc.disable()
    result = yield
    gc.enable()
    gc.freeze()
    return result


@pytest.fixture(autouse=True)
def draws_of_its_own(request):
    """A file's RNG starts anew for each test: its numbers are the same alone, among others, and in any order."""
    rng = getattr(request.module, "RNG", None)
    if rng is not None:
        rng.bit_generator.state = np.random.default_rng(0).bit_generator.state


@pytest.fixture
def only_float32(monkeypatch):
    """Within a test that names this fixture, an operation or a gradient rule that makes a float64 fails the test."""
    check = debugging.check_forward

    def check_forward(name, raw, y):
        assert str(y.dtype) != "float64", f"{name} made a float64 from {debugging._shapes(raw)}"
        return check(name, raw, y)

    monkeypatch.setattr(debugging, "check_forward", check_forward)
    with md.debug():                   # which raises where a rule changes the dtype
        yield


class Killed(BaseException):
    """What no `except Exception` holds up."""


@pytest.fixture
def killed_after(monkeypatch):
    """`with killed_after(n) as died:` ends what is trained within as soon as it has saved n times; `died` says so."""
    save = loop.save

    @contextmanager
    def after(saves):
        left, died = [saves], []

        def save_and_die(path, parts):
            save(path, parts)
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(loop, "save", save_and_die)
            try:
                yield died
            except Killed:
                died.append(saves)
    return after
