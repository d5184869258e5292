"""What the route refuses, said so that the kernel's author knows where and what to write instead."""

from model.base.errors import UserError


class Refused(UserError):
    """A construct outside the subset of C++ that the route takes.

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
