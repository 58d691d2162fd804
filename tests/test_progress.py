"""Bars: on a terminal and in a notebook, with the name of what goes on; elsewhere nothing."""
import sys
import types

import pytest

from minidl import progress


@pytest.fixture
def ipython(monkeypatch):
    """IPython as a process has it; returns its shell."""
    shell = types.SimpleNamespace()
    module = types.ModuleType("IPython")
    module.get_ipython = lambda: shell
    monkeypatch.setitem(sys.modules, "IPython", module)
    return shell


def test_only_a_kernels_process_is_a_notebook(ipython, monkeypatch):
    assert not progress.in_notebook()                         # IPython on a terminal
    ipython.kernel = object()
    assert progress.in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not progress.in_notebook()


def test_a_bar_shows_its_name_in_a_notebook_and_nothing_where_nobody_looks(ipython, capsys):
    assert list(progress.bar(range(3), description="a net")) == [0, 1, 2]
    assert capsys.readouterr().err == ""                      # no terminal
    ipython.kernel = object()
    assert list(progress.bar(range(3), description="a net", progress=False)) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    assert list(progress.bar(range(3), description="a net")) == [0, 1, 2]
    assert "a net: 100%" in capsys.readouterr().err
