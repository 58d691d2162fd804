"""What the two players pay: a variant is functions of the discriminator's scores, one line each."""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from minidl import ops
from minidl.arguments import is_number
from minidl.errors import InputError
from minidl.rows import check_choice
from minidl.tensor import Tensor

Cost = Callable[[Tensor], Tensor]


class Loss(NamedTuple):
    """A pair of losses. Each function takes scores (N,), of which higher ones mean more real, and gives costs (N,).

    `real` and `fake` are what the discriminator pays for the scores of data and of what was generated; `fool` is what
    the generator pays for the latter, and `hide` what an encoder, of which pairs with data are made (BiGAN), pays for
    the former.
    """

    real: Cost
    fake: Cost
    fool: Cost
    hide: Cost


def minimax(smoothing: float = 0.0) -> Loss:
    """The game of the paper: D's cross-entropy, and the generator pays what D gains. Scores are logits.

    Where D is sure of itself, the generator's gradient vanishes. With `smoothing` s data are to be told with the
    probability 1 - s instead of 1, and what is generated with 0 as before: one-sided (Salimans et al. 2016). Raises
    InputError for a smoothing outside [0, 1).

    Source: I. Goodfellow et al., "Generative adversarial nets", 2014, equation 1.
    """
    real = _smoothed(smoothing)
    return Loss(real, ops.softplus, lambda scores: -ops.softplus(scores), lambda scores: -real(scores))


def non_saturating(smoothing: float = 0.0) -> Loss:
    """D's cross-entropy, and the generator pays -log D instead of log(1 - D). Scores are logits.

    Raises InputError for a smoothing outside [0, 1); see `minimax`.

    Source: I. Goodfellow et al., "Generative adversarial nets", 2014, section 3.
    """
    return Loss(_smoothed(smoothing), ops.softplus, lambda scores: ops.softplus(-scores), ops.softplus)


def least_squares(smoothing: float = 0.0) -> Loss:
    """Half the squared distance to 1 (with `smoothing`, 1 - s) for data, to 0 for what is generated.

    Raises InputError for a smoothing outside [0, 1).

    Source: X. Mao et al., "Least squares generative adversarial networks", 2017.
    """
    target = 1.0 - _checked(smoothing)
    return Loss(lambda scores: 0.5 * (scores - target)**2, lambda scores: 0.5 * scores**2,
                lambda scores: 0.5 * (scores - 1.0)**2, lambda scores: 0.5 * scores**2)


def wasserstein() -> Loss:
    """The critic's difference of means (slide 53): it needs a critic whose slope is bounded, by a penalty or clipping.

    Source: M. Arjovsky, S. Chintala and L. Bottou, "Wasserstein GAN", 2017.
    """
    return Loss(lambda scores: -scores, lambda scores: scores, lambda scores: -scores, lambda scores: scores)


def hinge() -> Loss:
    """Scores beyond 1 for data and -1 for what is generated cost D nothing.

    Source: J. Lim and J. Ye, "Geometric GAN", 2017.
    """
    return Loss(lambda scores: ops.relu(1.0 - scores), lambda scores: ops.relu(1.0 + scores),
                lambda scores: -scores, lambda scores: scores)


LOSSES: dict[str, Callable[[], Loss]] = {
    "minimax": minimax, "non-saturating": non_saturating, "least-squares": least_squares, "wasserstein": wasserstein,
    "hinge": hinge}


def loss_of(who: str, loss: str | Loss) -> Loss:
    """A Loss as it is; of a name, the pair of that name. Raises InputError, in `who`'s name, for another."""
    if isinstance(loss, Loss):
        return loss
    check_choice(who, "loss", loss, tuple(LOSSES))
    return LOSSES[loss]()


def _smoothed(smoothing: float) -> Cost:
    s = _checked(smoothing)
    return lambda scores: ops.softplus(-scores) + s * scores if s else ops.softplus(-scores)


def _checked(smoothing: float) -> float:
    if not (is_number(smoothing) and 0.0 <= smoothing < 1.0):
        raise InputError(f"smoothing is what is taken from the target 1, at least 0 and below 1, not {smoothing!r:.60}")
    return float(smoothing)
