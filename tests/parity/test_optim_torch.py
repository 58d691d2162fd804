"""Optimisers, schedules and clipping against PyTorch, in float64."""
import numpy as np
import pytest

from minidl import nn, optim
from minidl.optim import base
from minidl.tensor import Tensor

pytestmark = pytest.mark.parity
SHAPES = [(), (3, 4), (2 * base._BLOCK + 77,)]     # the last one needs three of minidl's blocks


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")              # here, so that the default run does not import it to collect


CASES = {
    "SGD": (optim.SGD, "SGD", {"lr": 0.1}),
    "SGD with momentum": (optim.SGD, "SGD", {"lr": 0.1, "momentum": 0.9}),
    "Nesterov": (optim.SGD, "SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True}),
    "Adagrad": (optim.Adagrad, "Adagrad", {"lr": 0.1}),
    "Adagrad with eps": (optim.Adagrad, "Adagrad", {"lr": 0.1, "eps": 0.1}),
    "RMSprop": (optim.RMSprop, "RMSprop", {"lr": 0.01}),
    "RMSprop with alpha and eps": (optim.RMSprop, "RMSprop", {"lr": 0.01, "alpha": 0.5, "eps": 0.1}),
    "RMSprop with momentum": (optim.RMSprop, "RMSprop", {"lr": 0.01, "momentum": 0.6}),
    "Adam": (optim.Adam, "Adam", {"lr": 0.01}),
    "Adam with betas and eps": (optim.Adam, "Adam", {"lr": 0.01, "betas": (0.5, 0.9), "eps": 0.1}),
    "AdamW": (optim.AdamW, "AdamW", {"lr": 0.01}),
    "Adam with amsgrad": (optim.Adam, "Adam", {"lr": 0.01, "betas": (0.5, 0.6), "amsgrad": True}),
    "AdamW with amsgrad": (optim.AdamW, "AdamW", {"lr": 0.01, "betas": (0.5, 0.6), "amsgrad": True}),
    "defaults of SGD": (optim.SGD, "SGD", {}),
    "defaults of Adagrad": (optim.Adagrad, "Adagrad", {}),
    "defaults of RMSprop": (optim.RMSprop, "RMSprop", {}),
    "defaults of Adam": (optim.Adam, "Adam", {}),
    "defaults of AdamW": (optim.AdamW, "AdamW", {}),
}


@pytest.mark.parametrize("weight_decay", [None, 0.0, 0.1])
@pytest.mark.parametrize("case", CASES)
def test_thirty_steps_are_pytorchs(torch, case, weight_decay):
    ours, theirs, arguments = CASES[case]
    arguments = arguments if weight_decay is None else {**arguments, "weight_decay": weight_decay}
    rng = np.random.default_rng(0)
    starts = [rng.standard_normal(shape) for shape in SHAPES]
    mine = [nn.Parameter(a.copy()) for a in starts]
    peer = [torch.nn.Parameter(torch.tensor(a)) for a in starts]
    a, b = ours(mine, **arguments), getattr(torch.optim, theirs)(peer, **arguments)
    for step in range(30):
        for i, (p, q) in enumerate(zip(mine, peer, strict=True)):
            if i == 1 and step % 5 == 2:                     # now and then one has no gradient
                p.grad, q.grad = None, None
                continue
            g = rng.standard_normal(p.shape) * 0.1
            p.grad, q.grad = Tensor(g), torch.tensor(g)
        a.step()
        b.step()
        if step == 15:                                       # as a schedule does
            a.lr *= 0.3
            b.param_groups[0]["lr"] *= 0.3
    for p, q, start in zip(mine, peer, starts, strict=True):
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-10, atol=1e-14)
        assert not np.allclose(p.numpy(), start, rtol=1e-6)


SCHEDULES = {
    "StepLR": lambda lib, o: lib.StepLR(o, 4, gamma=0.3),
    "StepLR with its default": lambda lib, o: lib.StepLR(o, 5),
    "MultiStepLR": lambda lib, o: lib.MultiStepLR(o, [20, 3, 8, 8], gamma=0.3),
    "ExponentialLR": lambda lib, o: lib.ExponentialLR(o, 0.93),
    "CosineAnnealingLR": lambda lib, o: lib.CosineAnnealingLR(o, 30, 0.02),
    "LinearLR": lambda lib, o: lib.LinearLR(o, start_factor=0.1, end_factor=0.8, total_iters=7),
    "LinearLR with its defaults": lambda lib, o: lib.LinearLR(o),
}


@pytest.mark.filterwarnings("ignore:Detected call of")      # PyTorch's advice to step the optimiser first
@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_a_schedules_rates_are_pytorchs_one_by_one(torch, make):
    mine = optim.SGD([nn.Parameter([0.0])], lr=0.4)
    peer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    a, b = make(optim, mine), make(torch.optim.lr_scheduler, peer)
    ours, theirs = [mine.lr], [peer.param_groups[0]["lr"]]
    for _ in range(30):
        a.step()
        b.step()
        ours.append(mine.lr)
        theirs.append(peer.param_groups[0]["lr"])
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-16)
    assert len(set(ours)) > 3


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("options", [{}, {"anneal_strategy": "linear"}, {"pct_start": 0.0}, {"pct_start": 0.9},
                                     {"div_factor": 3.0, "final_div_factor": 7.0, "pct_start": 0.47}], ids=str)
@pytest.mark.parametrize("total_steps", [2, 13, 31])
def test_one_cycle_is_pytorchs_until_its_end_and_then_stays(torch, options, total_steps):
    mine, peer = sgds(torch)
    a = optim.OneCycleLR(mine, 0.7, total_steps, **options)
    b = torch.optim.lr_scheduler.OneCycleLR(peer, 0.7, total_steps, cycle_momentum=False, **options)
    for _ in range(total_steps - 1):
        np.testing.assert_allclose(mine.lr, peer.param_groups[0]["lr"], rtol=1e-12, atol=1e-16)
        a.step()
        b.step()
    last = peer.param_groups[0]["lr"]
    for _ in range(3):                                       # PyTorch's next call goes up again
        np.testing.assert_allclose(mine.lr, last, rtol=1e-12, atol=1e-16)
        a.step()


def sgds(torch, lr=0.4):
    return optim.SGD([nn.Parameter([0.0])], lr=lr), torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_a_schedule_made_again_counts_from_pytorchs_initial_lr(torch, make):
    """PyTorch's closed form. Step by step it multiplies the present rate instead, which has fallen by then."""
    mine, peer = sgds(torch)
    for lib, optimizer in ((optim, mine), (torch.optim.lr_scheduler, peer)):
        schedule = make(lib, optimizer)
        for _ in range(9):
            schedule.step()
    a, b = make(optim, mine), make(torch.optim.lr_scheduler, peer)
    assert [mine.first_lr] == [a.base_lr] == b.base_lrs == [0.4]
    for t in range(20):
        b.last_epoch = t
        np.testing.assert_allclose(mine.lr, b._get_closed_form_lr()[0], rtol=1e-12, atol=1e-16)
        a.step()


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("order", ["optimiser's state first", "schedule first"])
def test_a_schedule_goes_on_from_saved_states_as_pytorchs_does_whatever_the_new_rate(torch, make, order):
    found = []
    for lib, optimizer, fresh in zip((optim, torch.optim.lr_scheduler), sgds(torch), sgds(torch, 0.03), strict=True):
        first = make(lib, optimizer)
        for _ in range(9):
            optimizer.step()
            first.step()
        second = make(lib, fresh) if order == "schedule first" else None
        fresh.load_state_dict(optimizer.state_dict())
        second = second or make(lib, fresh)
        if lib is not optim:                 # a new schedule writes the rate, and its load_state_dict does not
            fresh.load_state_dict(optimizer.state_dict())
        second.load_state_dict(first.state_dict())
        found.append([])
        for _ in range(20):
            second.step()
            found[-1].append(fresh.lr if lib is optim else fresh.param_groups[0]["lr"])
    np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-16)


@pytest.mark.filterwarnings("ignore:Detected call of")
def test_a_schedule_made_after_load_state_dict_counts_from_the_saved_first_rate_as_pytorchs(torch):
    """By a multiple of the first rate, as PyTorch's LambdaLR has it."""
    class Inverse(optim.Schedule):
        def factor(self, t):
            return 1.0 / (1 + t)

    makers = Inverse, lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda t: 1.0 / (1 + t))
    found = []
    for make, optimizer, fresh in zip(makers, sgds(torch), sgds(torch, 0.03), strict=True):
        first = make(optimizer)
        for _ in range(5):
            first.step()
        fresh.load_state_dict(optimizer.state_dict())
        second = make(fresh)
        found.append([])
        for _ in range(10):
            found[-1].append(fresh.lr if isinstance(fresh, optim.Optimizer) else fresh.param_groups[0]["lr"])
            second.step()
    np.testing.assert_allclose(*found, rtol=1e-14)
    assert found[0][0] == 0.4


@pytest.mark.filterwarnings("ignore:Detected call of")
def test_a_rate_set_before_the_first_schedule_is_its_first_as_in_pytorch(torch):
    mine, peer = sgds(torch)
    mine.lr = peer.param_groups[0]["lr"] = 0.25
    a, b = optim.CosineAnnealingLR(mine, 8, 0.01), torch.optim.lr_scheduler.CosineAnnealingLR(peer, 8, 0.01)
    assert mine.first_lr == peer.param_groups[0]["initial_lr"] == 0.25
    for _ in range(8):
        a.step()
        b.step()
        np.testing.assert_allclose(mine.lr, peer.param_groups[0]["lr"], rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("arguments", [{}, {"factor": 0.5, "patience": 2}, {"patience": 0, "threshold": 0.2},
                                       {"factor": 0.5, "patience": 1, "min_lr": 0.05}], ids=str)
def test_plateaus_rates_are_pytorchs_one_by_one(torch, arguments):
    rng = np.random.default_rng(0)
    mine = optim.SGD([nn.Parameter([0.0])], lr=0.4)
    peer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    a = optim.ReduceLROnPlateau(mine, **arguments)
    b = torch.optim.lr_scheduler.ReduceLROnPlateau(peer, **arguments)
    ours, theirs = [], []
    for step in range(60):
        value = float(1.0 / (1 + step) + 0.3 * rng.random())
        a.step(value)
        b.step(value)
        ours.append(mine.lr)
        theirs.append(peer.param_groups[0]["lr"])
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-8)      # PyTorch makes no step smaller than 1e-8
    assert ours[-1] < 0.4


@pytest.mark.parametrize("limit", [0.1, 1.0, 1e3])
def test_clipping_is_pytorchs(torch, limit):
    rng = np.random.default_rng(0)
    gradients = [rng.standard_normal(shape) for shape in ((), (3, 4), (50,))]

    def both():
        mine, peer = [], []
        for g in gradients:
            mine.append(nn.Parameter(np.zeros(g.shape)))
            peer.append(torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.float64)))
            mine[-1].grad, peer[-1].grad = Tensor(g.copy()), torch.tensor(g)
        return mine, peer

    mine, peer = both()
    norm, expected = optim.clip_grad_norm_(mine, limit), torch.nn.utils.clip_grad_norm_(peer, limit)
    np.testing.assert_allclose(norm.item(), expected.item(), rtol=1e-14)
    for p, q in zip(mine, peer, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-13)
    mine, peer = both()
    optim.clip_grad_value_(mine, limit)
    torch.nn.utils.clip_grad_value_(peer, limit)
    for p, q in zip(mine, peer, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())
