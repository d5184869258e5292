"""AMD's tools: are they there, and do they take a path?"""

from __future__ import annotations

import pathlib
import re
import shutil

from model.base.errors import UserError


def find_tools(names: tuple[str, ...], what: str, source: str) -> dict[str, str]:
    """Return the paths of programs by name.

    Parameters
    ----------
    names : sequence of str
    what : str
        What to install, e.g. "AMD Vitis 2023.2 or newer".
    source : str
        What to source so that the programs are found.

    Raises
    ------
    UserError
        Which programs are missing, what to install and what to source.
    """
    found = {name: shutil.which(name) for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise UserError(
            f"{' and '.join(missing)} {'was' if len(missing) == 1 else 'were'} not found; install {what} and source "
            f"its {source}, "
            "then run it again"
        )
    return found


def check_path(path: pathlib.Path) -> None:
    """Raise `UserError` if a path has characters that AMD's tools split their command lines at."""
    if re.search(r"[^\w./+@~-]", str(path)):
        raise UserError(
            f"AMD's tools take no blanks or special characters in paths; move the checkout, or point SRCNN_BUILD away "
            f"from {path}"
        )
