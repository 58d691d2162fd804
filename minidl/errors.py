"""The exceptions that the command line turns into a sentence."""


class InputError(ValueError):
    """Bad input: one sentence that names what was given, what fits and what to do.

    The command line prints the sentence alone and leaves with exit code 2; anything else is a bug
    and keeps its traceback.
    """


class BoundMissed(AssertionError):
    """A lecture's metric is not where the lecture promises it to be; the command line leaves with exit code 1."""
