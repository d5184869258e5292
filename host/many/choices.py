"""Options of the command line about files and what is said of them, which pictures and videos share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import click

from host.jobs.progress_lines import ProgressLines
from model.imaging.encode import Encoding

_KEY = "host.many.choices"


@dataclasses.dataclass(frozen=True)
class Choices:
    """What was chosen.

    Attributes
    ----------
    depth : int
        8: pictures of more bits are rounded first.
    encoding : Encoding
        Of pictures.
    mark : str or None
        Behind the name of a result, in place of _x3.
    overwrite : bool
        Replace files that are there and not of an earlier run.
    dry_run : bool
        Say what would be done.
    lines : ProgressLines or None
        Where events go; people read nothing then.
    """

    depth: int = 16
    encoding: Encoding = Encoding()
    mark: str | None = None
    overwrite: bool = False
    dry_run: bool = False
    lines: ProgressLines | None = None

    def settings(self) -> dict[str, object]:
        """Return what decides the bytes of a picture's file, as JSON values."""
        return {"depth": self.depth, **dataclasses.asdict(self.encoding)}


def current() -> Choices:
    """Return the choices of the command that runs."""
    chosen = click.get_current_context().meta[_KEY]
    return Choices(
        int(chosen["depth"]),
        Encoding(chosen["quality"], chosen["strip"]),
        chosen["mark"],
        chosen["overwrite"],
        chosen["dry_run"],
        ProgressLines() if chosen["json"] else None,
    )


def _keep(context, parameter, value):
    context.meta.setdefault(_KEY, {})[parameter.name] = value


def _mark(context, parameter, value):
    if value is not None and ("/" in value or "\0" in value or not value):
        raise click.BadParameter(f"{value!r} cannot stand behind a name; give some characters without /")
    _keep(context, parameter, value)


def _option(*flags, callback=_keep, **more):
    return click.option(*flags, expose_value=False, callback=callback, **more)


_OPTIONS = (
    _option(
        "--depth",
        type=click.Choice(["8", "16"]),
        default="16",
        show_default=True,
        help="Most bits per channel of a picture: what has more than 8 stays so, or is rounded to 8 first.",
    ),
    _option(
        "--quality",
        type=click.IntRange(1, 100),
        help="Of .jpg, .webp and .avif.  [default: jpg 95, avif 90, webp lossless]",
    ),
    _option(
        "--strip",
        is_flag=True,
        help="Leave out EXIF (with the place where a photo was taken), XMP, IPTC and texts of pictures.",
    ),
    _option("--suffix", "mark", callback=_mark, help="What stands behind the names of results.  [default: _x3 etc.]"),
    _option("--overwrite", is_flag=True, help="Replace a file that is there already and not of an earlier run."),
    _option(
        "--dry-run",
        is_flag=True,
        help="Say what would be done, with sizes, estimated time and memory, and write nothing.",
    ),
    _option("--json", is_flag=True, help="Print what happens as one JSON object a line, for programs."),
)


def options(command: Callable) -> Callable:
    """Add the options to a command; `current` returns what was chosen."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
