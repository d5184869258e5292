"""The exceptions a user may meet, and how a command line shows them."""

import functools
import sys

EXIT_BAD_INPUT = 2


class UserError(Exception):
    """Bad input: the message is one sentence with what is wrong, the limit and the remedy."""


class Refused(UserError):
    """A construct outside the subset of C++ that the open route takes, said so that the kernel's author knows where and what to write instead.

    Parameters
    ----------
    what : str
        The construct, and what to write instead.
    where : str, optional
        `file:line` of the kernel.
    """

    def __init__(self, what, where=""):
        super().__init__(f"{where}: {what}" if where else what)
        self.what = what
        self.where = where


def report_user_errors(command):
    """Make a CLI entry point print a `UserError` as one line on stderr and exit with code 2.

    Parameters
    ----------
    command : callable
        The function behind the command line.

    Returns
    -------
    callable
        The same function; any `UserError` ends the process with `EXIT_BAD_INPUT` and no traceback.
    """

    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(EXIT_BAD_INPUT)

    return wrapped
