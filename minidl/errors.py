"""The one exception that is the user's to mend."""


class InputError(ValueError):
    """Bad input: one sentence that names what was given, what fits and what to do.

    The command line prints the sentence alone and leaves with exit code 2; anything else is a bug
    and keeps its traceback.
    """
