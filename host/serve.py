#!/usr/bin/env python3
"""A small web server: drop a picture or a clip on its page, compare, download. `python host/serve.py`."""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))  # run from any folder, installed or not

import contextlib
import dataclasses
import os
import socket

import click

from host.picture.backends import NAMES
from host.web.settings import ANY, FOLDER, PORT, Limits, make_settings
from host.web.store import Store
from model.base.errors import UserError, report_user_errors

CONNECTIONS = 64  # at the same time; more are told to come back
_POSITIVE = click.FloatRange(min=0, min_open=True)
_COUNT = click.IntRange(min=1)
# option, its type, what it limits; the defaults are those of `Limits`
_LIMITS = (
    ("upload_mb", _POSITIVE, "Largest file, in MB."),
    ("mpixel", _POSITIVE, "Largest result, or frame of one, in Mpixel."),
    ("minutes", _POSITIVE, "Longest time of computing one file."),
    ("waiting", _COUNT, "Most files that wait."),
    ("waiting_each", _COUNT, "Most files of one browser that wait."),
    ("folder_mb", _POSITIVE, "Most that all files and results take, in MB."),
    ("keep_hours", _POSITIVE, "Results are deleted after this time."),
    ("views", click.IntRange(1, 100), "Most frames of a clip that the page compares, evenly spread."),
)


def _limit_options(command):
    for name, kind, text in reversed(_LIMITS):
        flag = f"--{'max' if name != 'keep_hours' else ''}-{name.replace('_', '-')}".replace("---", "--")
        command = click.option(flag, name, type=kind, default=getattr(Limits, name), show_default=True, help=text)(
            command
        )
    return command


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for the whole network."
)
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True)
@click.option(
    "--token", help="What browsers have to show.  [default: made up and printed, unless --host is this machine]"
)
@click.option("--name", "names", multiple=True, help="Another name that this server is reached by; may be repeated.")
@click.option(
    "--folder",
    type=click.Path(path_type=pathlib.Path),
    default=FOLDER,
    show_default=True,
    help="Its own, for files and results.",
)
@click.option("--backend", type=click.Choice(NAMES), default="auto", show_default=True, help="As of run_pynq.py.")
@_limit_options
def command(
    host: str, port: int, token: str | None, names: tuple[str, ...], folder: pathlib.Path, backend: str, **limits: float
) -> None:
    """Serve a page on which pictures and videos are upscaled, one at a time.

    What is being computed when the server ends, by whatever means, is computed when it is started again.
    """
    try:
        import uvicorn

        from host.web.app import make_app
        from host.web.connections import Impatient
    except ImportError as error:
        raise UserError(
            f"the server needs packages that cannot be imported here ({error}); install them: pip install '.[serve]'"
        ) from error
    os.umask(0o077)  # what people send is nobody else's business
    settings = make_settings(folder, host, port, token, names, backend, Limits(**limits))
    with contextlib.closing(Store(settings.folder)) as store, _listen(host, port) as listener:
        settings = dataclasses.replace(settings, port=listener.getsockname()[1])
        click.echo(f"open {_address(settings)} in a browser; Ctrl-C ends the server")
        config = uvicorn.Config(
            make_app(settings, store),
            lifespan="on",
            http=Impatient,
            ws="none",
            log_level="warning",
            access_log=False,  # an address may hold the token
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=5,
        )
        with contextlib.suppress(KeyboardInterrupt):  # it ends in order, then passes Ctrl-C on
            uvicorn.Server(config).run(sockets=[listener])


def _listen(host, port):
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return socket.create_server(found[0][4][:2], family=found[0][0])
    except OSError as error:
        raise UserError(
            f"cannot listen on {host}, port {port}: {error.strerror}; choose another --port or --host"
        ) from error


def _address(settings):
    host = "127.0.0.1" if settings.host in ANY else settings.host
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{settings.port}/{f'?token={settings.token}' if settings.token else ''}"


@report_user_errors
def main(arguments: list[str] | None = None) -> None:
    """Run the command line; bad input ends in one sentence and exit code 2."""
    try:
        command.main(arguments, prog_name="serve.py", standalone_mode=False)
    except click.ClickException as error:
        raise UserError(f"{error.format_message().rstrip('.')} (see --help)") from error
    except click.Abort:  # Ctrl-C before there was anything to end
        pass


if __name__ == "__main__":
    main()
