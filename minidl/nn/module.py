"""Module: a part of a model, which knows its parameters, buffers and sub-modules by the names of its attributes."""
from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from minidl.arguments import check_state, real_dtype
from minidl.backend import Device
from minidl.errors import InputError
from minidl.randomness import RandomStream
from minidl.tensor import Parameter, Tensor
from minidl.writes import mark_written


class Buffer(Tensor):
    """A Tensor that belongs to a module's state but is not learned by gradients (running statistics)."""

    __slots__ = ()


Hook = Callable[["Module", Any, Any], Any]


class Module:
    """Base class of layers and models: assign Parameters, Buffers and Modules as attributes, and write `forward`.

    They are found in the order of their assignment, also within lists, tuples and dicts, and named by the
    path of attributes: `encoder.0.weight`. A parameter shared by two modules appears once, under its first name.
    RandomStreams and NumPy's Generators are found as well (`random_streams`), and a checkpoint saves where they stand.
    """

    training = True
    _hooks: tuple[Hook, ...] = ()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes."""
        raise NotImplementedError(f"{type(self).__name__} needs a forward method")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            y = self.forward(*args, **kwargs)
        except InputError as error:
            _say_where(error, self)
            raise
        for hook in self._hooks:
            replaced = hook(self, args, y)
            y = y if replaced is None else replaced
        return y

    def register_forward_hook(self, hook: Hook) -> HookHandle:
        """Call `hook(module, inputs, output)` after each forward; what it returns, if not None, is the new output.

        Returns a handle, whose `remove()` removes the hook. To look at activations:
        `model[2].register_forward_hook(lambda module, inputs, y: seen.append(y.numpy()))`.
        """
        self._hooks = (*self._hooks, hook)
        return HookHandle(self, hook)

    def expect(self, x: Any, *axes: Any) -> None:
        """Raise InputError unless x has these axes: a number is a size, a name any size, a first `...` any axes before.

        `self.expect(x, "N", "H", "W", 3)`; the message names the layer and its path in the model as well.
        """
        wanted = axes[1:] if axes[0] is ... else axes
        shape = getattr(x, "shape", None)
        if shape is None:
            hints: dict[type, str] = {list: "; md.Tensor(x) makes one of a list", tuple:
                                      "; of what a recurrent layer returns, (y, state), take y"}
            raise InputError(f"expected a Tensor or an array, got {type(x).__name__}{hints.get(type(x), '')}")
        tail = shape[len(shape) - len(wanted):]
        if len(shape) < len(wanted) or len(shape) > len(wanted) and axes[0] is not ... or any(
                isinstance(n, int) and n != m for n, m in zip(wanted, tail, strict=True)):
            shown = ", ".join("..." if n is ... else str(n) for n in axes)
            raise InputError(f"expected x of shape ({shown}), got {tuple(shape)}{_hint(wanted, shape)}")

    # What there is in it ----------------------------------------------------------------------------------------------

    def children(self) -> Iterator[tuple[str, Module]]:
        """The direct sub-modules with their names; those in a list are named `list.0`, `list.1`, ..."""
        return ((name, value) for name, value in _flat_items(self) if isinstance(value, Module))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """The module (named `prefix`) and all below it, parents first."""
        yield prefix, self
        for name, child in self.children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def _named_tensors(self, kind: type[Tensor]) -> Iterator[tuple[str, Tensor]]:
        seen: set[int] = set()
        for path, module in self.named_modules():
            for name, value in _flat_items(module):
                if isinstance(value, kind) and value.birth not in seen:
                    seen.add(value.birth)
                    yield (f"{path}.{name}" if path else name), value

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """The parameters with their paths, in order of definition."""
        return self._named_tensors(Parameter)

    def parameters(self) -> list[Tensor]:
        """The parameters in order of definition."""
        return [p for _, p in self.named_parameters()]

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their paths, in order of definition."""
        return self._named_tensors(Buffer)

    def random_streams(self) -> list[RandomStream]:
        """The streams from which the module and all below it draw, each once, in order of definition.

        For a Generator that no stream draws from, there is a stream over it: restoring that restores the Generator.
        Two streams over one Generator are both there, for each has generators of its own on other devices. Raises
        InputError for a `numpy.random.RandomState` and a `random.Random`, which a checkpoint does not save.
        """
        found: list[Any] = []
        for path, module in self.named_modules():
            for name, value in _flat_items(module):
                if isinstance(value, np.random.RandomState | random.Random):
                    raise InputError(f"{path}{'.' * bool(path)}{name} in {type(module).__name__} is a "
                                     f"{type(value).__name__}, and a checkpoint would not save where it stands; make "
                                     "it md.RandomStream(0) or numpy.random.default_rng(0)")
                if isinstance(value, RandomStream | np.random.Generator) and all(value is not known for known in found):
                    found.append(value)
        hosts = [value.host for value in found if isinstance(value, RandomStream)]
        return [value if isinstance(value, RandomStream) else RandomStream(value)
                for value in found if all(value is not host for host in hosts)]

    # Its state --------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers on the host, by name."""
        return {name: np.array(t.numpy()) for name, t in self._state()}

    def _state(self) -> Iterator[tuple[str, Tensor]]:
        yield from self.named_parameters()
        yield from self.named_buffers()

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Write saved values into this module's parameters and buffers.

        Raises InputError, and changes nothing, unless the names and shapes are exactly those of this module.
        """
        check_state(state)
        own, parts = dict(self._state()), self._parts_of(state.keys())
        for _, prefix, name, part in parts:
            own = {n: t for n, t in own.items() if not n.startswith(f"{prefix}{name}.")}
            own |= {f"{prefix}{name}.{n}": t for n, t in part._state()} if part else {}
        if "meta" in state and "meta" not in own:
            raise InputError("this is the checkpoint of a training run; training.load_model(path, model) takes the "
                             "model out of it")
        missing, foreign = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        if missing or foreign:
            raise InputError(f"this state is of another model than {type(self).__name__}: "
                             f"missing {_some(missing)}, unexpected {_some(foreign)}")
        values = {name: np.asarray(state[name]) for name in own}
        for name, t in own.items():
            if values[name].shape != t.shape:
                raise InputError(f"this state is of another model than {type(self).__name__}: {name} has shape "
                                 f"{values[name].shape} there and {t.shape} here")
            if values[name].dtype.kind not in "fiub":
                raise InputError(f"this state is no model's: {name} holds {values[name].dtype}, not numbers")
        for module, _, name, part in parts:
            setattr(module, name, part)
        for name, t in own.items():
            t.data[...] = t.device.put(values[name].astype(t.dtype, copy=False))
        mark_written(own.values())

    def parts_of(self, names: Set[str]) -> dict[str, Module | None]:
        """Sub-modules that come and go with a state, by attribute, as this module needs them to load one.

        None of them for most modules; one that makes a part after it is made itself, and saves it, overrides this.
        `names` are those of the state's arrays, as of this module. It is asked before a load changes anything.
        """
        return {}

    def _parts_of(self, names: Set[str]) -> list[tuple[Module, str, str, Module | None]]:
        """`parts_of` of this module and all below: (module, prefix of its names, attribute, part)."""
        found, seen = [], set[int]()
        for path, module in self.named_modules():
            prefix = f"{path}." if path else ""
            if id(module) not in seen:
                seen.add(id(module))
                own = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
                found += [(module, prefix, name, part) for name, part in module.parts_of(own).items()]
        return found

    def train(self, mode: bool = True) -> Self:
        """Switch this module and all below to training, or with False to evaluation; returns the module."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation: dropout passes everything, normalisation uses its running statistics."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (False) or unfreeze (True) all parameters; returns the module.

        What counts is how they are when a graph is recorded, not at its backward pass.
        """
        for p in self.parameters():
            p.requires_grad = requires_grad
        return self

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Within this context all parameters are frozen; after it, each is as it was before.

        `with D.frozen(): loss = -D(G(z)).mean()`: its `backward()`, also after the context, spares D's gradients.
        """
        before = [(p, p.requires_grad) for p in self.parameters()]
        self.requires_grad_(False)
        try:
            yield
        finally:
            for p, requires_grad in before:
                p.requires_grad = requires_grad

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for p in self.parameters():
            p.grad = None

    def to(self, device: str | Device) -> Self:
        """Move all parameters and buffers to a device, in place; returns the module.

        Raises InputError, with the reason, if the device cannot be used.
        """
        device = Device(device)
        for _, t in self._state():
            t.data, t.grad = device.put(t.data), None
        return self

    def astype(self, dtype: Any) -> Self:
        """Convert all parameters and buffers of floats to a dtype, in place; returns the module."""
        for _, t in self._state():
            if t.dtype.kind == "f":
                t.data, t.grad = t.data.astype(real_dtype(dtype), copy=False), None
        return self

    def _outline(self, depth: int = 0, prefix: str = "") -> Iterator[tuple[int, str, Module]]:
        yield depth, prefix, self
        for name, child in self.children():
            yield from child._outline(depth + 1, f"{prefix}.{name}" if prefix else name)

    # Its looks --------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        """What the module is, without its parts: `Linear(784, 1000)`."""
        return f"{type(self).__name__}()"

    def __repr__(self) -> str:
        """A table: each module, its own parameters' shapes, and how many numbers they hold."""
        rows = []
        for depth, path, module in self._outline():
            own = [(n, t) for n, t in _flat_items(module) if isinstance(t, Parameter | Buffer)]
            count = sum(t.size for _, t in own if isinstance(t, Parameter))
            shapes = "  ".join(f"{n} {'x'.join(map(str, t.shape)) or 'scalar'}" for n, t in own)
            name = "  " * depth + (path + ": " if path else "") + module.describe()
            rows.append((name, shapes, f"{count:,}" if count else ""))
        total = sum(p.size for p in self.parameters())
        frozen = sum(p.size for p in self.parameters() if not p.requires_grad)
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}".rstrip() for a, b, c in rows]
        return "\n".join([*lines, f"{total:,} parameters" + (f", {frozen:,} of them frozen" if frozen else "")])


def _hint(wanted: Sequence[Any], shape: Sequence[int]) -> str:
    """What may have been meant by a shape that does not fit."""
    if len(shape) == len(wanted) == 4 and shape[1] == wanted[3]:
        return "; channels come last: x.transpose(0, 2, 3, 1)"
    if shape and len(shape) == len(wanted) - 1 and shape[-1] == wanted[-1]:
        return "; a batch of one is x[None]"
    if len(shape) == 4 and math.prod(shape[1:]) == wanted[-1]:
        return "; nn.Flatten() before it makes each image a row"
    return ""


def _say_where(error: InputError, module: Module) -> None:
    """Put into an error's sentence in which layer it came up and, one name more at each level, where in the model."""
    layer, path, reason, inner = getattr(error, "place", (module.describe(), "", str(error), None))
    name = next((name for name, child in module.children() if child is inner), "")
    path = ".".join(filter(None, (name, path)))
    error.place = layer, path, reason, module           # type: ignore[attr-defined]
    error.args = (f"{layer}{f' at {path}' if path else ''}: {reason}",)


class HookHandle:
    """A registered hook."""

    def __init__(self, module: Module, hook: Hook) -> None:
        self._module, self._hook = module, hook

    def remove(self) -> None:
        """Take the hook away again."""
        self._module._hooks = tuple(hook for hook in self._module._hooks if hook is not self._hook)


def functional_call(module: Module, params: Mapping[str, Tensor], *args: Any, **kwargs: Any) -> Any:
    """What `module(*args, **kwargs)` computes with other Tensors in the place of its parameters, which are unchanged.

    `params` has Tensors, recorded ones too, by the names of `module.named_parameters()`; parameters that it does not
    name are the module's own. With `optim.stepped` a network can be trained within a computation. Raises InputError for
    a name that is none of them, and for a Tensor of another shape.
    """
    if not isinstance(module, Module) or not isinstance(params, Mapping) or not all(
            isinstance(t, Tensor) for t in params.values()):
        raise InputError("functional_call: give a Module, and a dict of Tensors by the names of its parameters")
    own, swapped = dict(module.named_parameters()), []
    for name, t in params.items():
        if name not in own or t.shape != own[name].shape:
            raise InputError(f"functional_call: {type(module).__name__} has no parameter {name} of shape {t.shape}; it "
                             f"has {_some([f'{n} {p.shape}' for n, p in own.items()])}")
    new = {own[name].birth: t for name, t in params.items()}
    try:
        for _, part in module.named_modules():
            for name, value in list(vars(part).items()):
                if (other := _with_tensors(value, new)) is not value:
                    swapped.append((part, name, value))
                    vars(part)[name] = other
        return module(*args, **kwargs)
    finally:
        for part, name, value in reversed(swapped):
            vars(part)[name] = value


def _with_tensors(value: Any, new: Mapping[int, Tensor]) -> Any:
    """An attribute with other Tensors in it, by the birth numbers of those that they replace; itself if it has none."""
    if isinstance(value, Tensor):
        return new.get(value.birth, value)
    if isinstance(value, dict | list | tuple):
        items = list(value.values() if isinstance(value, dict) else value)
        others = [_with_tensors(item, new) for item in items]
        if any(a is not b for a, b in zip(items, others, strict=True)):
            return dict(zip(value, others, strict=True)) if isinstance(value, dict) else others
    return value


def _flat_items(module: Module) -> Iterator[tuple[str, Any]]:
    """A module's attributes in the order of their assignment; the items of a list are `list.0`, `list.1`, ..."""
    for name, value in vars(module).items():
        yield from _unpacked(name, value)


def _unpacked(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list | tuple):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _unpacked(f"{name}.{key}", item)
    else:
        yield name, value


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "nothing"
