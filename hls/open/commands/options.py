"""What the commands share: arguments, and errors as one sentence."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hls.open.errors import Refused
from hls.open.pipeline.fabric import FABRICS


class Commands(click.Group):
    """A group whose errors, also those of the command line itself, are one line on stderr and exit code 2."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **extra)
        try:
            sys.exit(super().main(*args, standalone_mode=False, **extra) or 0)
        except click.exceptions.NoArgsIsHelpError as help_text:
            click.echo(help_text.format_message())
            sys.exit(2)
        except click.UsageError as error:
            click.echo(f"error: {' '.join(error.format_message().split())}", err=True)
            sys.exit(error.exit_code)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            click.echo("stopped", err=True)
            sys.exit(130)
        except BrokenPipeError:
            sys.exit(1)


def named(what: str, pairs: tuple[str, ...], example: str) -> dict[str, str]:
    """Return {name: C++} of arguments `name=C++`.

    Raises
    ------
    Refused
        If one has another form, or two have one name.
    """
    found = {}
    for pair in pairs:
        name, equals, cpp = (part.strip() for part in pair.partition("="))
        if not (equals and name and cpp):
            raise Refused(f"'{pair}' is no {what}: write name=C++, for example {example}")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            raise Refused(f"'{name}' can't name a {what}: use letters, digits and underscores")
        if name in found:
            raise Refused(f"'{name}' names two {what}s, {found[name]} and {cpp}: give each a name of its own")
        found[name] = cpp
    return found


SOURCE = click.argument("source", type=click.Path(exists=True, dir_okay=False, resolve_path=True))


def common(default: str) -> Callable:
    """Return the decorator with the options of every command; `default` is the output's folder."""
    options = [
        click.option(
            "-I",
            "--include",
            multiple=True,
            type=click.Path(exists=True, file_okay=False),
            help="Folders for #include.",
        ),
        click.option("-o", "--output", default=default, show_default=True, help="Folder for the results."),
        click.option(
            "--part",
            default="xc7z020",
            show_default=True,
            help=f"FPGA whose delays decide the pipeline: {', '.join(f'{name}...' for name in FABRICS)}",
        ),
        click.option("--clock", default=150.0, show_default=True, type=float, help="In MHz."),
    ]

    def decorate(command):
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def include_text(source: str | Path) -> str:
    """Return the C++ that includes a file of the user's."""
    quoted = str(source).replace("\\", "\\\\").replace('"', '\\"')
    return f'#include "{quoted}"'


def traffic(command: Callable) -> Callable:
    """Add the options of a simulation: words, resets, waveform, whose `ap_int.h`."""
    options = [
        click.option("--resets", default=8, show_default=True, type=click.IntRange(0), help="Resets while it runs."),
        click.option("--seed", default=1, show_default=True, help="Of words, gaps, backpressure and resets."),
        click.option("--stimulus", type=click.Path(exists=True, dir_okay=False), help="Words instead of random ones."),
        click.option("--wave", help="Write a waveform, .fst or .vcd."),
        click.option("--ap-types", type=click.Path(file_okay=False), help="Folder of AMD's ap_int.h."),
    ]
    for option in reversed(options):
        command = option(command)
    return command
