"""The one exception for a mistake in what the user gave: files, columns, keys, values."""


class InputError(ValueError):
    """Say on one line where the mistake is, what was found, and what to do about it.

    The command line prints the message behind ``error:`` and exits with status 2. Anything else
    that escapes is a bug of ours and keeps its traceback.
    """
