"""The whole engine: a Tensor remembers how it was made, and `backward` walks these memories, newest first.

Read it from top to bottom:

1. A `Tensor` holds an array and, if it was computed, its *recipe*: which primitive made it, from which arguments.
2. A `Primitive` is a forward function on plain arrays and, for each argument, a rule that turns the gradient of the
   result into the gradient of that argument (a vector-Jacobian product, vjp).
3. `backward` and `grad` pop tensors off a heap in the reverse order of their creation, which is a topological order,
   and apply the rules.

One table of rules serves both orders. A rule is written with operators (`g * y`), and these work on arrays as well as
on Tensors: in a plain pass it computes on raw arrays, with nothing recorded; under `create_graph=True` it is given
Tensors, so the gradient is itself recorded and can be differentiated again.
"""
from __future__ import annotations

import heapq
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, Generic, ParamSpec

import numpy as np

from minidl import arguments, debugging
from minidl.arguments import PLAIN, describe, narrowed, real_dtype, settle, to_array
from minidl.backend import BACKENDS, MODULES, Array, Device, backend_of
from minidl.errors import InputError
from minidl.modes import recorded, thread
from minidl.operators import Operators
from minidl.writes import latest_write, next_birth, refuse_read, written_since

P = ParamSpec("P")

_FREED: Any = ("freed",)       # the recipe of a tensor that a backward pass has used up


class Tensor(Operators):
    """An array that can be differentiated.

    `data` is the array: lists and numbers become float32 (truth values stay such), arrays keep their dtype and are not
    copied. With `requires_grad`, what is computed from the tensor is recorded, and `backward()` leaves the gradient in
    `grad`. `device` ("cpu", "cuda") moves the array there; `name` is for pictures and messages.

    Raises InputError for data that is no array of numbers, and for a gradient of integers.
    """

    __slots__ = ("data", "_grad", "requires_grad", "recipe", "birth", "name", "trace", "owner", "written",
                 "__weakref__")

    def __init__(self, data: Any, requires_grad: bool = False, *, device: str | Device | None = None,
                 dtype: Any = None, name: str | None = None) -> None:
        array = to_array(data.data if isinstance(data, Tensor) else data)
        if dtype is not None:
            array = array.astype(real_dtype(dtype), copy=False)
        self.data: Array = array if device is None else Device(device).put(array)
        self._grad: Tensor | None = None
        self.requires_grad = requires_grad
        self.recipe: Any = None            # (primitive, args, their arrays, kwargs, see `_wanted`); None for a leaf
        self.birth = next_birth()          # tensors are made after what they are made from
        self.name = name
        self.trace: Any                    # set in debug mode alone
        self.owner: Any                    # a weak reference, set by the optimiser that updates this tensor
        self.written: int                  # the clock's number, once `mark_written` was told that the array changed
        if requires_grad and self.data.dtype.kind != "f":
            raise InputError(f"only floating-point tensors have gradients, this one is {self.data.dtype}; "
                             "convert it with .astype('float32')")

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` left here, or that was assigned: a Tensor, or an array or list of that shape.

        Arrays are copied, in the tensor's dtype. Raises InputError for another shape, and for another device.
        """
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is None:
            self._grad = None
            return
        g = value if isinstance(value, Tensor) else Tensor(value)
        arguments.check_gradient(g.data, self.data)
        if g is not value or g.data.dtype != self.data.dtype:
            g = Tensor(g.data.astype(self.data.dtype, order="C"))        # backward adds in place: to memory of its own
        self._grad = g

    def backward(self, gradient: Any = None, *, create_graph: bool = False, retain_graph: bool | None = None) -> None:
        """Add the gradient of this tensor by every leaf that it depends on to that leaf's `grad`.

        `gradient`, of this tensor's shape, is the gradient to start from; a scalar starts from 1. With
        `create_graph` the gradients are recorded and can be differentiated again. The graph is freed as the walk
        goes, unless `retain_graph` (by default `create_graph`) keeps it.

        Raises InputError for a tensor that needs no gradient or is no scalar and has no `gradient` of its shape, and
        RuntimeError for a graph that was freed or whose weights were written since.
        """
        found = _walk(self, _seed(self, gradient, create_graph), create_graph, retain_graph)
        for leaf, g in found:
            if leaf._grad is None:
                leaf._grad = g
            elif create_graph or leaf._grad.requires_grad:
                leaf._grad = leaf._grad + g
            else:
                leaf._grad.data += g.data

    def detach(self) -> Tensor:
        """The same array without its history."""
        return Tensor(self.data)


class Parameter(Tensor):
    """A Tensor that a Module learns: a leaf that requires its gradient and appears in `parameters()`."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True, **kwargs: Any) -> None:
        super().__init__(data, requires_grad, **kwargs)


def grad(y: Tensor, xs: Tensor | Sequence[Tensor], gradient: Any = None, *, create_graph: bool = False,
         retain_graph: bool | None = None) -> Any:
    """The gradient of `y` by `xs`: a Tensor for a Tensor, a list for a list; no `.grad` is touched.

    Walks only the paths that lead from `y` to `xs`, and frees them as `backward` does. The other arguments are those of
    `Tensor.backward`, and so are the errors: InputError also if `y` does not depend on one of the `xs`. Raises
    RuntimeError as that does.
    """
    targets: list[Any] = [xs] if isinstance(xs, Tensor) else list(xs) if isinstance(xs, list | tuple) else [xs]
    if not isinstance(y, Tensor) or not all(isinstance(x, Tensor) for x in targets):
        raise InputError("grad: it takes a Tensor, and the Tensor, or a list of them, by which it is differentiated")
    found = _walk(y, _seed(y, gradient, create_graph), create_graph, retain_graph, targets)
    by_birth = {x.birth: g for x, g in found}
    gradients = [by_birth[x.birth] for x in targets]
    return gradients[0] if isinstance(xs, Tensor) else gradients


class Primitive(Generic[P]):
    """A forward function with its gradient rules; called with arrays it returns an array, with Tensors a Tensor.

    `forward(xp, *args, **kwargs)` computes on raw arrays; `xp` is their array module. The rule of argument i is
    `rules[i](g, y, *args, **kwargs)`: from the gradient `g` by the result `y`, the gradient by that argument. It may
    have the shape to which the argument was broadcast: the engine undoes that. Where gradients share work, `joint(g, y,
    wanted, *args, **kwargs)` returns all of them, in a sequence as long as `args`, of which the positions in `wanted`
    are read. A primitive without rules gives constants (masks, comparisons).

    `into(buffer, g, *args, **kwargs)`, for a first argument of which only a part is read, adds the gradient to that
    part of `buffer` in place, so that many slices of one array cost one buffer.

    A rule returns `g`, one of its inputs, a view of them or a new array, and updates in place only what it has made.

    With `floats`, whole numbers and truth values become float32 first: what a logarithm or a norm makes of them are no
    whole numbers, and NumPy would compute it in float16 for 8 bits.

    A call raises InputError, with the name and the arguments' dtypes and shapes, where NumPy refuses them, or makes of
    them what a Tensor does not hold; a backward
    pass raises one for an argument without a rule, and for a rule's result of another shape.
    """

    def __init__(self, forward: Callable[..., Any], *rules: Callable[..., Any] | None,
                 joint: Callable[..., Any] | None = None, into: Callable[..., None] | None = None,
                 floats: bool = False) -> None:
        self.forward, self.joint, self.into, self.floats = forward, joint, into, floats
        self.differentiable = bool(rules or joint)
        self.name = forward.__name__.strip("_")
        self.__name__, self.__doc__, self.__module__ = forward.__name__, forward.__doc__, forward.__module__
        missing = forward.__code__.co_argcount - 1 - len(rules)
        self.rules = [rule or arguments.no_rule(self.name, i) for i, rule in enumerate([*rules, *[None] * missing])]
        self.array_arguments = arrays = {i for i, rule in enumerate(rules) if rule}
        self.takes_array = lambda i: joint is not None or i in arrays

    @property
    def __signature__(self) -> inspect.Signature:
        """The forward function's signature, as it is called: without `xp`."""
        signature = inspect.signature(self.forward)
        return signature.replace(parameters=list(signature.parameters.values())[1:])

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        # First the arrays out of the Tensors. `odd`: something is not as usual, and `settle` takes a second look.
        raw: list[Any] = []
        tensors = needs = constants = odd = False
        home: Any = None                     # the arrays' type and dtype, which they must share
        dtype = None
        a: Any
        for a in args:
            if isinstance(a, Tensor):
                tensors = True
                if a.requires_grad:
                    needs = True
                else:
                    constants = True
                a = a.data
            raw.append(a)
            kind = type(a)
            if kind is home:
                if a.dtype is not dtype:
                    odd = True
            elif kind not in PLAIN:
                if home is None and kind in BACKENDS:
                    home, dtype = kind, a.dtype
                    if dtype.kind != "f":
                        odd = True
                else:
                    odd = True
        if kwargs and any(isinstance(value, Tensor | np.generic) for value in kwargs.values()):
            return self._by_position(args, kwargs)
        if odd:
            raw = settle(self.name, raw, self.takes_array, tensors, self.floats)
        # Then the operation itself.
        try:
            xp = MODULES.get(home, np)
            y = self.forward(xp, *raw, **kwargs) if kwargs else self.forward(xp, *raw)
        except (ValueError, TypeError, LookupError, OverflowError, AttributeError) as error:
            arguments.refuse(self.name, raw, error)
            raise
        if not tensors:
            return y
        if odd and y.dtype == np.float64:
            y = narrowed(y, raw)
        # Last the memory of it: the arguments as given, for the graph, and their arrays as they were computed with.
        t = object.__new__(Tensor)
        t.data = y if type(y) in BACKENDS else np.asarray(y)     # NumPy's reductions to a scalar are no arrays
        t._grad = t.recipe = t.name = None
        t.requires_grad = False
        t.birth = next_birth()
        mode = thread.mode
        if needs and mode.recording and self.differentiable and t.data.dtype.kind == "f":
            t.requires_grad = True
            wanted = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad] if constants else None
            t.recipe = (self, args, raw, kwargs, wanted)
        elif t.data.dtype.kind not in "fiub":
            raise InputError(f"{self.name}: {describe(raw)}: the result is {t.data.dtype}, and a tensor holds real "
                             "numbers or truth values")
        if mode.debugging:
            t.trace = debugging.check_forward(self.name, raw, t.data)
        return t

    def _by_position(self, args: Any, kwargs: Any) -> Tensor:
        """The call with its Tensors by position, where they are recorded, and NumPy's scalars as plain numbers."""
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in kwargs.items()}
        bound = self.__signature__.bind(*args, **plain)
        bound.apply_defaults()
        for name, value in bound.kwargs.items():
            if isinstance(value, Tensor):
                raise InputError(f"{self.name}: {name} takes no Tensor; a Tensor is an argument by position")
        return self(*bound.args, **bound.kwargs)

    def __repr__(self) -> str:
        return f"<primitive {self.name}{self.__signature__}>"


def primitive(*rules: Callable[..., Any] | None, joint: Callable[..., Any] | None = None,
              into: Callable[..., None] | None = None, floats: bool = False,
              ) -> Callable[[Callable[Concatenate[Any, P], Any]], Primitive[P]]:
    """Decorate a forward function `f(xp, *args)` to make it a Primitive; `md.custom` is this.

    >>> @primitive(lambda g, y, x: g * 3 * x ** 2)
    ... def cube(xp, x):
    ...     return x ** 3
    """
    return lambda forward: Primitive(forward, *rules, joint=joint, into=into, floats=floats)


# The backward walk --------------------------------------------------------------------------------------------------


def _walk(y: Tensor, seed: Any, create_graph: bool, retain_graph: bool | None,
          targets: Sequence[Tensor] | None = None) -> list[tuple[Tensor, Tensor]]:
    """From `y` down to the targets, or to all leaves, newest tensor first: pairs of a tensor and its gradient.

    The bare idea, for one output and no targets:

        grads, heap = {y: 1}, [y]
        while heap:
            t = the newest of heap                       # all that was made from t has been here before
            for a, rule in zip(t.args, t.primitive.rules):
                grads[a] += rule(grads[t], t, *t.args)   # for y = exp(x) * x: g * x to exp(x), g * exp(x) to x
                heap.add(a)

    What is added here: only paths to the targets are walked, a graph is freed behind the walk, gradients are added in
    place where nobody else holds the array, and several rules of one primitive may share their work.
    """
    through = None if targets is None else _leading_to(y, targets)     # tensors whose recipes must be walked
    ends = {x.birth for x in targets or ()}                            # leaves or not, whose gradients are wanted
    on_path = None if through is None else through | ends
    grads = {y.birth: seed}              # by number: a Tensor's == is elementwise
    owned: set[int] = set()              # whose gradient was allocated here, so that adding in place is safe
    heap = [(-y.birth, y)]
    found = []
    keep = create_graph if retain_graph is None else retain_graph
    out: Any
    ins: Sequence[Any]
    checking, latest = thread.mode.debugging, latest_write()
    with recorded(create_graph):
        while heap:
            t = heapq.heappop(heap)[1]
            g = grads.pop(t.birth)
            if t.recipe is None or t.birth in ends:
                if targets is None or t.birth in ends:
                    found.append((t, _copied(g) if create_graph else Tensor(g.copy() if t is y else g)))
            if t.recipe is None or through is not None and t.birth not in through:
                continue
            op, args, raw, kwargs, wanted = t.recipe if t.recipe is not _FREED else arguments.raise_freed()
            if t.birth < latest and (written := written_since(t, create_graph)):
                refuse_read(t, written, _wanted(t, on_path))
            if checking:
                debugging.check_unchanged(op.name, t, raw)
            # The two uses of a rule: on arrays it just computes; on Tensors what it computes is recorded as well.
            ins = _recorded_arguments(t) if create_graph else raw
            out = t if create_graph else t.data
            given = (g, out, *ins)
            together = op.joint(g, out, _wanted(t, on_path), *ins, **kwargs) if op.joint else None
            for i, a in enumerate(args):
                if not isinstance(a, Tensor) or wanted is not None and i not in wanted:
                    continue
                birth = a.birth
                if on_path is not None and birth not in on_path:
                    continue
                if i == 0 and op.into and not create_graph:
                    if birth not in owned:
                        grads[birth] = _writable_buffer(a, grads, heap)
                        owned.add(birth)
                    op.into(grads[birth], g, *ins, **kwargs)
                    continue
                ga = together[i] if together else op.rules[i](*given, **kwargs) if kwargs else op.rules[i](*given)
                if getattr(ga, "shape", None) != a.data.shape:
                    ga = _unbroadcast(ga, a.data.shape, op.name, i)
                if checking:
                    debugging.check_gradient(op.name, t, a, ga)
                if birth not in grads:
                    if not create_graph and (a.recipe is None or birth in ends):
                        others = [*ins, *(other for j, other in enumerate(together or ()) if j != i)]
                        ga = _own(ga, g, out, others)
                        owned.add(birth)
                    grads[birth] = ga
                    heapq.heappush(heap, (-birth, a))
                elif birth in owned:
                    grads[birth] += ga
                else:
                    grads[birth] = grads[birth] + ga
                    if not create_graph and a.data.ndim:         # the sum of two numbers is no array to add into
                        owned.add(birth)
            if not keep:
                t.recipe = _FREED
    return found


def _seed(y: Tensor, gradient: Any, create_graph: bool) -> Any:
    """The gradient of `y` by itself, as an array or, to be recorded, as a Tensor."""
    if not y.requires_grad:
        raise InputError("backward: this tensor depends on nothing that requires a gradient; make a leaf with "
                         "requires_grad=True, look for no_grad(), detach() and frozen parameters, and pass "
                         "create_graph=True to the first of two gradients")
    xp = backend_of(y.data).xp
    if gradient is None:
        if y.data.size != 1:
            raise InputError(f"backward: only a scalar can start without a gradient, and this tensor has shape "
                             f"{y.shape}; reduce it with .sum() or .mean(), or pass `gradient` of that shape")
        seed: Any = xp.ones_like(y.data)
    else:
        seed = gradient if isinstance(gradient, Tensor) else Tensor(gradient)
        if seed.shape != y.shape:
            raise InputError(f"backward: the gradient has shape {seed.shape}, the tensor {y.shape}")
        if create_graph and seed.requires_grad:
            return seed
        seed = Device(backend_of(y.data)).put(seed.data.astype(y.data.dtype, copy=False))    # read, never written to
    return Tensor(seed) if create_graph else seed


def _recorded_arguments(t: Tensor) -> list[Any]:
    """The Tensors among the arguments, as frozen as they were then, and what else was settled: lists, integers."""
    _, args, raw, _, _ = t.recipe
    ins, wanted = list(raw), _wanted(t)
    for i, a in enumerate(args):
        if i in wanted:
            ins[i] = a
            if not a.requires_grad:                          # frozen since: what is made now still leads to it
                ins[i] = Tensor(a.data, requires_grad=True)
                ins[i].recipe = (_copied, (a,), [a.data], {}, None)
        elif isinstance(a, Tensor) and a.data is raw[i]:
            ins[i] = a.detach() if a.requires_grad else a
    return ins


def _wanted(t: Tensor, on_path: set[int] | None = None) -> list[int]:
    """The positions of the arguments of `t` that wanted a gradient when it was made, and lie on the path.

    A recipe holds them only if one of its Tensors wanted none: a constant, or a frozen parameter.
    """
    _, args, _, _, wanted = t.recipe if t.recipe is not _FREED else arguments.raise_freed()
    return [i for i, a in enumerate(args) if isinstance(a, Tensor) and (wanted is None or i in wanted)
            and (on_path is None or a.birth in on_path)]


def _leading_to(y: Tensor, targets: Sequence[Tensor]) -> set[int]:
    """The birth numbers of the tensors that were made, by way of others or at once, from a target, and lead to `y`."""
    def sources(t: Tensor) -> list[Tensor]:                    # what is older than all targets was not made from them
        return [t.recipe[1][i] for i in _wanted(t)] if t.birth > oldest and t.recipe is not None else []

    oldest = min((x.birth for x in targets), default=y.birth)
    seen, stack = {y.birth: y}, [y]
    while stack:
        for a in sources(stack.pop()):
            if a.birth not in seen:
                seen[a.birth] = a
                stack.append(a)
    for i, x in enumerate(targets):
        if x.birth not in seen:
            raise InputError(f"grad: y does not depend on xs[{i}] (shape {x.shape}, requires_grad={x.requires_grad})")
    ends, through = {x.birth for x in targets}, set()
    for birth in sorted(seen):                                 # from old to new, so that parents come first
        if any(a.birth in ends or a.birth in through for a in sources(seen[birth])):
            through.add(birth)
    return through


def _unbroadcast(ga: Any, shape: tuple[int, ...], name: str, i: int) -> Any:
    """A rule's result, summed over the axes along which its argument was broadcast."""
    arguments.check_rule_result(name, i, ga, shape)
    return sum_to(ga, shape)


def parents(t: Tensor) -> list[Tensor]:
    """The tensors from which `t` was made; none for a leaf. Raises RuntimeError if its graph was freed."""
    if t.recipe is None:
        return []
    args = (t.recipe if t.recipe is not _FREED else arguments.raise_freed())[1]
    return [a for a in args if isinstance(a, Tensor)]


def _own(ga: Array, g: Array, out: Array, ins: Sequence[Any]) -> Array:
    """`ga` itself if the rule has just made it, else a copy: a gradient that is handed out shares no memory."""
    backend = BACKENDS.get(type(ga))
    if backend is None:
        return np.array(ga)                        # one of NumPy's scalars
    if ga is g or ga is out or ga.base is not None or not ga.flags.c_contiguous or any(ga is a for a in ins):
        return backend.xp.array(ga, order="C")
    return ga


def _writable_buffer(a: Tensor, grads: dict[int, Any], heap: list[tuple[int, Tensor]]) -> Array:
    """A buffer for `a`'s gradient to which slices can be added: a copy of what is there, or zeros."""
    xp = backend_of(a.data).xp
    if a.birth in grads:
        return xp.array(grads[a.birth], order="C")
    heapq.heappush(heap, (-a.birth, a))
    return xp.zeros(a.data.shape, dtype=a.data.dtype)


# The engine's own pair of primitives: broadcasting and its undoing are each other's gradient ------------------------


@primitive(lambda g, y, x, shape: g)
def broadcast_to(xp: Any, x: Any, shape: tuple[int, ...]) -> Array:
    """`x` repeated along new or size-one axes to the given shape (a read-only view, as in NumPy)."""
    return xp.broadcast_to(x, shape)


@primitive(lambda g, y, x: g)
def _copied(xp: Any, x: Any) -> Array:
    """A gradient that is handed out under create_graph: recorded, and in an array of its own."""
    return xp.array(x, order="C")


@primitive(lambda g, y, x, shape: broadcast_to(g, x.shape))
def sum_to(xp: Any, x: Any, shape: tuple[int, ...]) -> Array:
    """Sum `x` over the axes along which an array of the given shape was broadcast to `x.shape`, its transpose."""
    new = x.ndim - len(shape)
    axes = tuple(i for i in range(x.ndim) if i < new or shape[i - new] == 1 != x.shape[i])
    if axes == tuple(range(new)) and new and shape and x.size and x.flags.c_contiguous:
        rows = x.reshape(-1, x[(0,) * new].size)               # a product with ones is the fastest sum of rows
        return (xp.ones(len(rows), dtype=x.dtype) @ rows).reshape(shape)
    return x.sum(axis=axes).reshape(shape)
