"""What all optimisers share: the flat buffer of their parameters, and the walk over it.

All parameters of an optimiser live in one flat array, and each `p.data` is a view of it; so does the optimiser's state.
An update runs over blocks that stay in the processor's cache, with every operation in place; on a GPU one kernel
updates all that lies side by side.
"""
from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from minidl.arguments import check_state, is_number
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.kernels import Cuda, compiles, launch_update
from minidl.optim.state import checked_state
from minidl.tensor import Tensor
from minidl.writes import mark_written

WeightDecay = float | Callable[[str, Tensor], float]
_BLOCK = 65536         # elements: small enough to stay in a cache, large enough that the calls cost little


class Optimizer:
    """The flat buffer, and the walk over it. A rule subclasses this and writes `update`; for GPUs `kernels`, too.

    `params` are Tensors, or (name, Tensor) pairs as `model.named_parameters()` gives them; the state is kept by name,
    also when parameters move to another device, change their dtype, or are added with `add`. A parameter without a
    gradient is left as it is. `weight_decay` is a number, or a function of a parameter's name and Tensor that gives its
    own: `lambda name, p: 0.01 if p.ndim > 1 else 0.0` spares biases and norms.

    Parameters belong to the newest optimiser that was given them: the `step` of an older one raises InputError. `lr` is
    the present rate; `first_lr`, once there is a schedule, the rate from which schedules count. Assign both to begin
    anew from another rate.

    Raises InputError for no parameters; for some that are no leaf Tensors, given twice, named alike, or of several
    dtypes or devices, and for a rate, a weight decay or another number out of its range.
    """

    state_names: tuple[str, ...] = ()        # the arrays that a rule keeps for each parameter
    decoupled = False                        # weight decay shrinks the parameters; else it adds to the gradients
    kernels: Mapping[tuple[str, ...], Cuda] = {}     # what `update` does with this state and `numbers`, in CUDA

    def __init_subclass__(cls) -> None:
        if "update" in vars(cls) and "kernels" not in vars(cls):
            cls.kernels = {}                 # the kernels of another rule

    def __init__(self, params: Iterable[Any], lr: float, weight_decay: WeightDecay = 0.0) -> None:
        self.lr = at_least_zero("lr", lr)
        self.first_lr: float | None = None   # set by the first schedule
        self.weight_decay = weight_decay if callable(weight_decay) else at_least_zero("weight_decay", weight_decay)
        self.params: dict[str, Tensor] = {}
        self._steps: dict[str, int] = {}     # updates so far, of each parameter
        self._views: dict[str, Array] = {}   # what each p.data must be
        self._state: dict[str, list[Array]] = {}
        self.flat: list[Array] = []         # all parameters, and each kind of state
        self._parts: dict[str, slice] = {}   # where in them each parameter is
        self.add(params)

    def add(self, params: Iterable[Any]) -> None:
        """Take over more parameters, also from another optimiser; the state of the others is kept.

        Raises InputError, and changes nothing, for parameters that the class does not take.
        """
        if isinstance(params, Tensor | Mapping | str | bytes) or hasattr(params, "parameters") or not isinstance(
                params, Iterable):
            raise InputError(f"{type(self).__name__}: give a list of parameters, such as model.parameters(), not "
                             f"{type(params).__name__}")
        new: dict[str, Tensor] = {}
        for i, item in enumerate(params, start=len(self.params)):
            if not isinstance(item, Tensor) and not (isinstance(item, tuple) and len(item) == 2):
                raise InputError(f"{type(self).__name__}: parameters are Tensors, or (name, Tensor) pairs, and number "
                                 f"{i} is a {type(item).__name__}")
            name, p = (str(i), item) if isinstance(item, Tensor) else item
            self._check_new(name, p, new)
            new[name] = p
        if not self.params and not new:
            raise InputError(f"{type(self).__name__}: there are no parameters to optimise")
        before, self.params = self.params, self.params | new
        try:
            self._flatten()
        except InputError:
            self.params = before
            raise

    def _check_new(self, name: str, p: Any, new: Mapping[str, Tensor]) -> None:
        if not isinstance(name, str) or not isinstance(p, Tensor) or p.recipe is not None or p.dtype.kind != "f":
            raise InputError(f"{type(self).__name__}: parameter {name!s:.60} is no leaf Tensor of floats")
        if any(p is q for q in (*self.params.values(), *new.values())):
            raise InputError(f"{type(self).__name__}: parameter {name} was given twice")
        if name in self.params or name in new:
            raise InputError(f"{type(self).__name__}: two parameters are named {name}; name them apart, as "
                             "(f'encoder.{name}', p)")
        self._decay_of(name, p)

    def _flatten(self) -> None:
        """Move all parameters and their state into fresh flat buffers, each state array beside its parameter."""
        first = next(iter(self.params.values())).data
        xp = backend_of(first).xp
        for name, p in self.params.items():
            if type(p.data) is not type(first) or p.dtype != first.dtype:
                raise InputError(f"{type(self).__name__}: parameter {name} is {p.dtype} on {p.device.name}, the first "
                                 f"one {first.dtype} on {backend_of(first).name}; one optimiser takes one kind")
        total = sum(p.size for p in self.params.values())
        flat, *state = self.flat = [xp.zeros(total, dtype=first.dtype) for _ in range(1 + len(self.state_names))]
        start, device = 0, next(iter(self.params.values())).device
        for name, p in self.params.items():
            part = self._parts[name] = slice(start, start + p.size)
            flat[part] = p.data.reshape(-1)
            p.data = self._views[name] = flat[part].reshape(p.shape)
            before, self._state[name] = self._state.get(name, []), [s[part] for s in state]
            if any(old.size != p.size for old in before):
                before, self._steps[name] = [], 0        # it has grown: its state is of no use any more
            for old, new in zip(before, self._state[name], strict=False):
                new[...] = device.put(old).astype(first.dtype)
            self._steps.setdefault(name, 0)
            p.owner = weakref.ref(self)
            start += p.size

    def step(self, closure: Callable[[], Tensor] | None = None) -> Any:
        """Update every parameter that has a gradient.

        A `closure`, which computes the gradients and returns the loss, is called first, and its loss returned. Raises
        InputError if a parameter belongs to a newer optimiser now, or a gradient has another shape than its parameter.
        """
        self.check_owned()
        loss = closure() if closure else None
        self.follow()
        gradients = {name: p.grad.data for name, p in self.params.items() if p.grad is not None and p.requires_grad}
        for name, g in gradients.items():
            if g.shape != self.params[name].shape:
                raise InputError(f"{type(self).__name__}: the gradient of {name} has shape {g.shape}, "
                                 f"the parameter {self.params[name].shape}")
            self._steps[name] += 1
        decay = {name: self._decay_of(name, self.params[name]) for name in gradients}
        mark_written(self.params[name] for name in gradients)
        kernel = self.kernels.get(self.state_names)
        if kernel and compiles(self.flat[0]):
            for run in self._runs(gradients):
                self._update_by_kernel(kernel, run, gradients, decay)
            return loss
        for name, g in gradients.items():
            self._update_in_blocks(self.params[name].data.reshape(-1), g.reshape(-1), self._state[name],
                                   self._steps[name], decay[name])
        return loss

    def _decay_of(self, name: str, p: Tensor) -> float:
        w = self.weight_decay
        return at_least_zero(f"weight_decay of {name}", w(name, p)) if callable(w) else w

    def check_owned(self) -> None:
        """Raise InputError if a parameter now belongs to a newer optimiser."""
        for name, p in self.params.items():
            owner = _owner(p)
            if owner is not self and owner is not None:
                raise InputError(f"{type(self).__name__}: parameter {name} (shape {p.shape}) now belongs to a newer "
                                 f"{type(owner).__name__}; step that one, and give each parameter to one optimiser")

    def follow(self) -> None:
        """Flatten anew if someone moved, converted or replaced a parameter; not if it belongs to a newer optimiser."""
        if any(p.data is not self._views[name] for name, p in self.params.items()) and all(
                _owner(p) in (self, None) for p in self.params.values()):
            self._flatten()

    def _update_in_blocks(self, p: Array, g: Array, state: list[Array], steps: int, weight_decay: float) -> None:
        backend = backend_of(p)
        block = _BLOCK if backend.name == "cpu" else p.size
        scratch = backend.xp.empty(min(block, p.size), dtype=p.dtype)
        for start in range(0, p.size, block):
            part = slice(start, start + block)
            p_part, g_part = p[part], g[part]
            if weight_decay and self.decoupled:
                p_part *= 1.0 - self.lr * weight_decay
            elif weight_decay:
                g_part = g_part + weight_decay * p_part
            self.update(backend.xp, p_part, g_part, *(s[part] for s in state), scratch[:p_part.size], steps)

    def _runs(self, gradients: Iterable[str]) -> Iterator[list[str]]:
        """Parameters that lie side by side in the flat buffer and have taken as many steps."""
        run: list[str] = []
        for name in gradients:
            if run and (self._parts[run[-1]].stop != self._parts[name].start
                        or self._steps[run[-1]] != self._steps[name]):
                yield run
                run = []
            run.append(name)
        if run:
            yield run

    def _update_by_kernel(self, kernel: Cuda, run: list[str], gradients: Mapping[str, Array],
                          decay: Mapping[str, float]) -> None:
        part = slice(self._parts[run[0]].start, self._parts[run[-1]].stop)
        shrink = [1.0 - self.lr * decay[name] if self.decoupled else 1.0 for name in run]
        added = [0.0 if self.decoupled else decay[name] for name in run]
        launch_update(kernel, [a[part] for a in self.flat], [gradients[name] for name in run], shrink, added,
                      self.numbers(self._steps[run[0]]))

    def numbers(self, steps: int) -> tuple[float, ...]:
        """The kernel's numbers at this step (1...), in order."""
        return ()

    def update(self, xp: Any, p: Array, g: Array, *state_scratch_steps: Any) -> None:
        """Update a block `p` in place: arguments are the gradient, the state arrays, a scratch block, the step (1...).

        The gradient belongs to the caller and is not changed.
        """
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for p in self.params.values():
            p.grad = None

    def state_dict(self) -> dict[str, np.ndarray]:
        """Learning rate, step counts and state arrays (copies on the host), by name.

        The first rate is among them, as `first_lr`, once there is a schedule.
        """
        self.follow()
        state: dict[str, Any] = {"lr": np.float64(self.lr)}
        if self.first_lr is not None:
            state["first_lr"] = np.float64(self.first_lr)
        for name, p in self.params.items():
            state[f"steps/{name}"] = np.int64(self._steps[name])
            for key, array in zip(self.state_names, self._state[name], strict=True):
                state[f"{key}/{name}"] = np.array(backend_of(array).to_host(array)).reshape(p.shape)
        return {key: np.asarray(value) for key, value in state.items()}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state_dict` gave; without a `first_lr`, the present one is kept.

        Raises InputError, and changes nothing, if it is of other parameters or of another optimiser.
        """
        check_state(state)
        own = self.state_dict()
        if "first_lr" in state:
            own.setdefault("first_lr", np.asarray(np.float64()))
        else:
            own.pop("first_lr", None)
        read = checked_state(f"the state of {type(self).__name__} over these parameters, perhaps that of another "
                             "optimiser", own, state)
        rates = {name: at_least_zero(name, float(read[name])) for name in ("lr", "first_lr") if name in read}
        self.lr, self.first_lr = rates["lr"], rates.get("first_lr", self.first_lr)
        for name, p in self.params.items():
            self._steps[name] = int(read[f"steps/{name}"])
            for key, array in zip(self.state_names, self._state[name], strict=True):
                array[...] = p.device.put(read[f"{key}/{name}"].reshape(-1))


def _owner(p: Tensor) -> Optimizer | None:
    """The optimiser that updates the parameter, if there is one that is still alive."""
    return getattr(p, "owner", lambda: None)()


def at_least_zero(name: str, value: float) -> float:
    """The number as a float. Raises InputError unless it is finite and 0 or more."""
    if not (is_number(value) and 0.0 <= value < math.inf):
        raise InputError(f"{name} is 0 or more, not {value!r:.60}")
    return float(value)
