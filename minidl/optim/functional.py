"""An optimiser's step as a function of parameters, recorded: what follows from its result has a gradient through it.

An unrolled GAN (Metz et al. 2017) trains its generator against the discriminator after k such steps, and differentiates
through all of them.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from minidl.errors import InputError
from minidl.ops import maximum, sqrt, where
from minidl.optim.base import Optimizer
from minidl.optim.optimizers import SGD, Adagrad, Adam, RMSprop
from minidl.tensor import Tensor

State = dict[str, tuple[int, list[Tensor]]]            # of each parameter, the steps so far and its state arrays


def stepped(optimizer: Optimizer, params: Mapping[str, Tensor], gradients: Mapping[str, Any] | Sequence[Any],
            state: State | None = None) -> tuple[dict[str, Tensor], State]:
    """What `optimizer.step()` would make of these parameters with these gradients, and the state after it.

    Nothing is changed, neither in the optimiser nor in its parameters. `params` has Tensors by the optimiser's names,
    `gradients` theirs by name or in the same order; one without a gradient (None) stays as it is. `state` is what the
    step before returned, or by default the optimiser's own. For a gradient through the step take the gradients with
    `create_graph=True`. Where the mean square of gradients is 0, the gradient of its root is taken as 0.

        params, state = dict(D.named_parameters()), None
        for _ in range(k):
            g = md.grad(loss(params), list(params.values()), create_graph=True)
            params, state = optim.stepped(optimizer, params, g, state)

    Raises InputError for names that the optimiser does not have, for gradients that do not fit, and for an optimiser
    whose rule is not among SGD's, Adagrad's, RMSprop's and Adam's.
    """
    name = type(optimizer).__name__
    if not isinstance(params, Mapping) or not isinstance(gradients, Mapping | list | tuple):
        raise InputError("stepped: parameters are a dict of Tensors by their names, gradients a dict or a list")
    rule = _RULES.get(getattr(type(optimizer), "update", None)) if isinstance(optimizer, Optimizer) else None
    if rule is None:
        raise InputError(f"stepped: {name} has no step as a function; SGD, Adagrad, RMSprop, Adam and AdamW have")
    if not isinstance(gradients, Mapping):
        if len(gradients) != len(params):
            raise InputError(f"stepped: there are {len(params)} parameters and {len(gradients)} gradients")
        gradients = dict(zip(params, gradients, strict=True))
    if foreign := sorted({*params} - {*optimizer.params}) or sorted({*gradients} - {*params}):
        raise InputError(f"stepped: {foreign[0]} is not among the parameters of this {name}; they have the names of "
                         "model.named_parameters(), or '0', '1', ... if it was given none")
    after, state = dict(params), _own_state(optimizer) if state is None else dict(state)
    for key, g in gradients.items():
        if g is None:
            continue
        p = params[key]
        if g.shape != p.shape:
            raise InputError(f"stepped: the gradient of {key} has shape {g.shape}, the parameter {p.shape}")
        steps, arrays = state[key]
        decay = optimizer.weight_decay
        decay = decay(key, optimizer.params[key]) if callable(decay) else decay
        if decay and optimizer.decoupled:
            p = p * (1.0 - optimizer.lr * decay)
        elif decay:
            g = g + decay * p
        after[key], *arrays = rule(optimizer, p, g, *arrays, steps + 1)
        state[key] = steps + 1, arrays
    return after, state


def _own_state(optimizer: Optimizer) -> State:
    saved = optimizer.state_dict()
    return {name: (int(saved[f"steps/{name}"]), [Tensor(saved[f"{key}/{name}"], device=p.device)
                                                 for key in optimizer.state_names])
            for name, p in optimizer.params.items()}


# The rules, each in the order of operations of its `update` -----------------------------------------------------------


def _sgd(o: Any, p: Any, g: Any, *rest: Any) -> list[Any]:
    if not o.momentum:
        return [p - g * o.lr]
    v = rest[0] * o.momentum + g
    return [p - (v * o.momentum + g if o.nesterov else v) * o.lr, v]


def _adagrad(o: Any, p: Any, g: Any, G: Any, steps: int) -> list[Any]:
    G = G + g * g
    return [p - g / (_root(G) + o.eps) * o.lr, G]


def _rmsprop(o: Any, p: Any, g: Any, v: Any, *rest: Any) -> list[Any]:
    v = v * o.alpha + g * g * (1.0 - o.alpha)
    step = g / (_root(v) + o.eps)
    if not o.momentum:
        return [p - step * o.lr, v]
    b = rest[0] * o.momentum + step
    return [p - b * o.lr, v, b]


def _adam(o: Any, p: Any, g: Any, m: Any, v: Any, *rest: Any) -> list[Any]:
    *largest, steps = rest
    b1, b2, rate, eps = o.numbers(steps)
    m, v = m * b1 + g, v * b2 + g * g
    largest = [maximum(w, v) for w in largest]
    return [p - m / (_root(largest[0] if largest else v) + eps) * rate, m, v, *largest]


def _root(x: Any) -> Any:
    return sqrt(where(x == 0, 1.0, x)) * (x != 0)


_RULES: dict[Any, Any] = {SGD.update: _sgd, Adagrad.update: _adagrad, RMSprop.update: _rmsprop, Adam.update: _adam}
