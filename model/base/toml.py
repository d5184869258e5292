"""Description files in TOML, and the names they give."""

from __future__ import annotations

import pathlib
import re
import sys

from model.base.errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def load_toml(path: pathlib.Path, example: str) -> dict:
    """Read a description file; anything unreadable is a `UserError` that names `example` to compare with."""
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; choose another description") from error
    except ValueError as error:  # not UTF-8, not TOML
        raise UserError(f"{path} is not valid TOML ({error}); compare it with {example}") from error


def check_name(name: str, what: str) -> None:
    """Names become file names and C++ identifiers: a letter, then letters, digits and underscores."""
    if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,40}", name)):
        raise UserError(f"{name!r} can't name {what}; use a letter, then up to 40 letters, digits and underscores")
