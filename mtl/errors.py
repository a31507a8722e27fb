"""Two exceptions: a mistake in what the user gave, and training that left the finite numbers."""


class DivergenceError(RuntimeError):
    """Training left the finite numbers; the message gives cause, step and last good state."""


class InputError(ValueError):
    """Say on one line where the mistake is, what was found, and what to do about it.

    The command line prints the message behind ``error:`` and exits with status 2. Anything else
    that escapes is a bug of ours and keeps its traceback.
    """
