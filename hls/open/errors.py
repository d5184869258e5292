"""What the compiler refuses, said so that the kernel's author knows where and what to write instead."""

from __future__ import annotations

import sys
from typing import IO, Any

import click


class Refused(click.ClickException):
    """A construct that the compiler doesn't take, or a tool that isn't there; a command prints it and exits with 2.

    Parameters
    ----------
    what : str
        The construct, and what to write instead.
    where : str, optional
        `file:line` of the kernel.
    """

    exit_code = 2

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(f"{where}: {what}" if where else what)
        self.what = what
        self.where = where

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence as one line on stderr."""
        print(f"error: {self.message}", file=file or sys.stderr)
