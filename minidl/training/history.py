"""What training measured."""
from __future__ import annotations


class History(dict[str, list[float]]):
    """Named series of one number an epoch: `history["generator"]`, and `history.loss` for `history["loss"]`.

    `training.run` writes one series for each loss that its steps return, the mean over an epoch's steps; `lr`, the
    learning rate at the epoch's end (`critic.lr`, `generator.lr` where a run has several optimisers); and `seconds`.
    What an epoch's end measures is added by who measures it, as `validation` is by `training.fit`. Raises
    AttributeError, which tells what there is, for `history.name` of a series that there is not.
    """

    def __getattr__(self, name: str) -> list[float]:
        try:
            return self[name]
        except KeyError:
            known = ", ".join(self) or "none yet"
            raise AttributeError(f"this history has no series {name!r}; it has {known}") from None
