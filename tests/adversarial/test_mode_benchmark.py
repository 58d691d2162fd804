"""The mode benchmark: each task's measure, each variant's game, and the command."""
import numpy as np
import pytest

from minidl import InputError
from minidl.adversarial import mode_benchmark as bench


@pytest.fixture(scope="module")
def tasks():
    return {name: make(np.random.default_rng(0)) for name, make in bench.TASKS.items()}


@pytest.mark.parametrize("name, modes, enough", [("ring", 8, 8), ("grid", 25, 25), ("digits", 1000, 900)])
def test_the_data_themselves_find_nearly_all_modes_by_the_tasks_own_measure(tasks, name, modes, enough):
    task = tasks[name]
    found = task.measure(task.x[:task.samples])
    assert enough <= found.found <= modes and found.good > 0.97 and found.kl < 0.2
    assert task.x.dtype == np.float32 and (name == "digits" or abs(task.x.std() - 1) < 1e-3)


@pytest.mark.parametrize("task, name", [*(("ring", name) for name in bench.VARIANTS), ("grid", "wgan-gp"),
                                        ("digits", "minimax, pack of 4")])
def test_every_variant_plays_and_both_its_networks_learn(tasks, task, name):
    task, variant = tasks[task], bench.VARIANTS[name]
    gan = bench.players(task, variant, rng=0)
    before = gan.state_dict()
    bench.play(gan, task, variant, steps=1, rng=0)
    moved = {key.split(".")[0] for key, value in gan.state_dict().items() if not np.array_equal(value, before[key])}
    assert moved == {"generator", "discriminator"}
    found = bench.measured(task._replace(samples=64), gan)
    assert 0 <= found.found and 0.0 <= found.good <= 1.0


def test_the_command_prints_a_row_for_each_variant_and_the_same_numbers_again(capsys):
    arguments = ["ring", "--seeds", "2", "--steps", "3", "--variants", "minimax, pack of 4", "wgan-gp"]
    printed = []
    for _ in range(2):
        assert bench.main(arguments) == 0
        printed.append([line[:88] for line in capsys.readouterr().out.splitlines()])            # without the seconds
    assert printed[0] == printed[1] and len(printed[0]) == 3
    assert [line.split("  ")[0] for line in printed[0]] == ["variant", "minimax, pack of 4", "wgan-gp"]


@pytest.mark.parametrize("arguments, sentence", [
    (["ring", "--variants", "gan"], "a variant"), (["ring", "--seeds", "0"], "seeds"),
    (["ring", "--steps", "0"], "steps")])
def test_the_command_says_what_does_not_fit(capsys, arguments, sentence):
    assert bench.main(arguments) == 2
    assert sentence in capsys.readouterr().err
    with pytest.raises(InputError, match="the task"):
        bench.benchmark("square")
