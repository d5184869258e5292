"""The exceptions a user may meet, how a command line shows them, and that every command hears Ctrl-C."""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
import threading
from collections.abc import Callable, Iterator

EXIT_BAD_INPUT = 2


class UserError(Exception):
    """Bad input: the message is one sentence with what is wrong, the limit and the remedy."""


@contextlib.contextmanager
def hear_interrupts() -> Iterator[None]:
    """While a command runs, let SIGINT (Ctrl-C, `kill -INT`) raise KeyboardInterrupt even if the process was started
    deaf to it.

    A shell without job control starts what it puts into the background with SIGINT ignored. Child processes inherit
    that, Python leaves it so, and a command that says what an interruption keeps could not be interrupted.
    """
    deaf = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    if deaf:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if deaf:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def print_any_name() -> None:
    """Let what a stream's encoding does not have, like a file's name of another system, be printed as a backslash and
    digits: it is no reason to end a run.
    """
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", None) == "strict" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def report_user_errors(command: Callable) -> Callable:
    """Make a CLI entry point print a `UserError` as one line on stderr and exit with code 2; see also
    `hear_interrupts` and `print_any_name`. What the compiler refuses is an exception of click, which says and does
    the same.

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
        print_any_name()
        try:
            with hear_interrupts():
                return command(*args, **kwargs)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(EXIT_BAD_INPUT)

    return wrapped
