"""Which part of a video is wanted, and what a source without a header has to be told."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction

from model.base.errors import UserError

USUAL_RATE = Fraction(25)  # frames a second, of numbered frames


@dataclasses.dataclass(frozen=True)
class Raw:
    """Frames without a header: what `--raw` says of a pipe.

    Attributes
    ----------
    size : (int, int)
        Width and height.
    pixels : str
        FFmpeg's name of a pixel format.
    rate : fractions.Fraction
        Frames per second.
    """

    size: tuple
    pixels: str
    rate: Fraction


@dataclasses.dataclass(frozen=True)
class Clip:
    """How a source is read.

    Attributes
    ----------
    start, end : fractions.Fraction or None
        Seconds from the first frame: of the first frame that is wanted, and of the first one behind it that is not.
    rate : fractions.Fraction or None
        Of numbered frames, a second; `USUAL_RATE` if None.
    raw : Raw or None
    """

    start: Fraction | None = None
    end: Fraction | None = None
    rate: Fraction | None = None
    raw: Raw | None = None

    @property
    def whole(self) -> bool:
        """Nothing is cut off."""
        return self.start is None and self.end is None


def parse_time(text: str) -> Fraction:
    """Read seconds, or [HH:]MM:SS, either with a fraction.

    Raises
    ------
    ValueError
    """
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", text.strip())
    if not match:
        raise ValueError(f"{text!r} is no time; give seconds (90 or 90.5) or minutes and seconds (1:30.5, 1:02:03)")
    hours, minutes, seconds = (Fraction(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def parse_rate(text: str) -> Fraction:
    """Read frames per second: 25, 29.97 or 30000/1001.

    Raises
    ------
    ValueError
    """
    try:
        rate = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise ValueError(f"{text!r} is no frame rate; give frames per second, like 25 or 30000/1001")
    return rate.limit_denominator(100000)


def parse_raw(text: str) -> Raw:
    """Read WIDTHxHEIGHT,PIXELS[,RATE], like 640x480,yuv420p,25.

    Raises
    ------
    ValueError
    """
    match = re.fullmatch(r"(\d+)x(\d+),(\w+)(?:,(.+))?", text.strip())
    if not match or not int(match[1]) or not int(match[2]):
        raise ValueError(
            f"{text!r} does not describe raw frames; give width, height, FFmpeg's pixel format and frames per second, "
            f"like 640x480,yuv420p,25"
        )
    return Raw((int(match[1]), int(match[2])), match[3], parse_rate(match[4]) if match[4] else USUAL_RATE)


def check(clip: Clip) -> None:
    """Raise `UserError` if nothing lies between start and end."""
    if clip.end is not None and clip.end <= (clip.start or 0):
        raise UserError(
            f"--end {float(clip.end):g} s is not behind --start {float(clip.start or 0):g} s; nothing would be left"
        )
