"""What a server is told when it starts: where it listens, where its files lie, what it refuses."""

from __future__ import annotations

import dataclasses
import ipaddress
import pathlib
import secrets
import socket

from model.base.errors import UserError
from model.base.paths import BUILD

PORT = 8000
FOLDER = BUILD / "serve"
LEAST_TOKEN = 16  # characters
PATIENCE_SECONDS = 5  # for the worker to end in order: a transfer that is cut off leaves a board's DMA at work
ANY = ("0.0.0.0", "::", "")


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is refused; each is an option of `host/serve.py`.

    Attributes
    ----------
    upload_mb : float
        Of one file.
    mpixel : float
        Of a picture's result, or of a frame's.
    minutes : float
        Of computing one file.
    waiting, waiting_each : int
        Files that wait, in all and of one browser.
    uploads : int
        At the same time.
    folder_mb : float
        Of all files together; the disk keeps `spare_mb` free besides.
    keep_hours : float
        After which a finished file and its results are deleted.
    views : int
        Frames of a clip to compare.
    idle_seconds, upload_seconds : float
        An upload may pause, and may last.
    """

    upload_mb: float = 200
    mpixel: float = 64
    minutes: float = 60
    waiting: int = 30
    waiting_each: int = 10
    uploads: int = 4
    folder_mb: float = 4000
    spare_mb: float = 200
    keep_hours: float = 24
    views: int = 5
    idle_seconds: float = 30
    upload_seconds: float = 900


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that a server is told.

    Attributes
    ----------
    folder : pathlib.Path
        Its own; nothing outside of it is written.
    host : str
        Address it listens on.
    port : int
    token : str
        What a browser has to show; empty: none.
    names : frozenset of str
        Host names that requests may be for.
    any_address : bool
        They may be for any address in numbers, too.
    backend : str
        As of `host/run_pynq.py`.
    limits : Limits
    """

    folder: pathlib.Path = FOLDER
    host: str = "127.0.0.1"
    port: int = PORT
    token: str = ""
    names: frozenset = frozenset(("127.0.0.1", "localhost", "::1"))
    any_address: bool = False
    backend: str = "auto"
    limits: Limits = Limits()


def is_local(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def make_settings(
    folder: pathlib.Path, host: str, port: int, token: str | None, names: tuple[str, ...], backend: str, limits: Limits
) -> Settings:
    """Complete what the command line says.

    Parameters
    ----------
    token : str or None
        None: one is made up where it is needed.
    names : tuple of str
        Further host names that requests may be for.

    Raises
    ------
    UserError
        The token is too short, or missing where it is needed.
    """
    local = is_local(host)
    if token is None:
        token = "" if local else secrets.token_urlsafe(24)
    elif len(token) < LEAST_TOKEN and (token or not local):
        raise UserError(
            f"the token has {len(token)} characters and whoever knows it uses this server; give {LEAST_TOKEN} or more, "
            "or leave --token away and one is made up"
        )
    known = {"127.0.0.1", "localhost", "::1", *names}
    if not local:
        name = socket.gethostname()
        known |= {name, f"{name}.local"} | (set() if host in ANY else {host})
    known = frozenset(name.lower().strip("[]") for name in known)
    return Settings(pathlib.Path(folder).resolve(), host, port, token, known, host in ANY, backend, limits)
