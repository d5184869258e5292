"""Options of the command line about videos: how they are encoded, and which part of what is read."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import click

from host.video import codecs
from host.video.read import clip

_KEY = "host.many.video_choices"


class Parsed(click.ParamType):
    """What a function reads; its ValueError is what the user is told."""

    def __init__(self, name: str, parse: Callable) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: object, param: click.Parameter | None, context: click.Context | None) -> object:
        """Return what was read."""
        try:
            return self._parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error))


def current(output: str | None) -> tuple[codecs.Encoding, clip.Clip]:
    """Return what was chosen for the command that runs.

    Parameters
    ----------
    output : str or None
        A single result, whose extension decides the codec if none was chosen.

    Raises
    ------
    UserError
        Choices that do not go together.
    """
    chosen = click.get_current_context().meta[_KEY]
    part = clip.Clip(chosen["start"], chosen["end"], chosen["rate"], chosen["raw"])
    clip.check(part)
    codec = chosen["codec"] or (codecs.codec_for(pathlib.Path(output)) if output else codecs.DEFAULT)
    return codecs.encoding(codec, chosen["crf"]), part


def options(command: Callable) -> Callable:
    """Add the options to a command; `current` returns what was chosen."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _keep(context, parameter, value):
    context.meta.setdefault(_KEY, {})[parameter.name] = value


def _option(*flags, **more):
    return click.option(*flags, expose_value=False, callback=_keep, **more)


_OPTIONS = (
    _option(
        "--crf",
        type=click.IntRange(min=0),
        help="Quality of videos: smaller is better, 0 is lossless RGB.  [default: visually lossless: "
        + ", ".join(f"{name} {codec.crf}" for name, codec in codecs.CODECS.items() if codec.crf is not None)
        + "]",
    ),
    _option(
        "--codec",
        type=click.Choice(list(codecs.CODECS)),
        help="Of videos: h264 plays everywhere, hevc and av1 take less space, ffv1 is lossless, prores for editing.  "
        f"[default: that of the output's extension, {codecs.DEFAULT} for {codecs.CODECS[codecs.DEFAULT].suffixes[0]}]",
    ),
    _option(
        "--start",
        type=Parsed("TIME", clip.parse_time),
        help="Of videos: leave out what is before (90.5 or 1:30.5).",
    ),
    _option("--end", type=Parsed("TIME", clip.parse_time), help="Of videos: leave out what is from there on."),
    _option("--rate", type=Parsed("FPS", clip.parse_rate), help="Of numbered frames, a second.  [default: 25]"),
    _option(
        "--raw",
        type=Parsed("WxH,PIXELS,FPS", clip.parse_raw),
        help="Frames without a header come through the pipe -, and go through -o -: 640x480,rgb24,25.  [default: y4m]",
    ),
)
