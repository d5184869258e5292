"""What is known of a video before it is read through, and how a file is refused."""

from __future__ import annotations

import dataclasses
import fractions
import os
import pathlib
import stat

from host.video.read.colours import Colours
from host.video.read.library import reason
from host.video.read.orientation import Orientation
from model.base.errors import UserError

PIPE = "-"
JUMP = fractions.Fraction(1, 2)  # seconds back: a clock that begins anew, and no disorder
GAP = 10  # seconds forward, in a recording: another clock, and no pause
REMEDY = "convert it to mp4 or copy it again from its source"


class DamagedError(UserError):
    """Nothing of the video can be read, in this run or the next."""


@dataclasses.dataclass(frozen=True)
class Info:
    """What is known of a video before it is read through.

    Attributes
    ----------
    size : (int, int)
        Width and height, upright.
    stored : (int, int)
        Width and height as they are in the file.
    orientation : Orientation
        Of its frames.
    frames : int
        An estimate if not `counted`; 0 if nobody knows.
    counted : bool
        The file has an index that counts the frames.
    seconds : float
        That the video takes, as the file says; 0 if it doesn't.
    rate : fractions.Fraction
        Frames per second.
    time_base : fractions.Fraction
        Seconds per unit of the frames' times.
    aspect : fractions.Fraction or None
        Width of a pixel divided by its height, upright.
    colours : Colours
        Of the result.
    alpha : bool
        The frames may be transparent.
    begin, until : fractions.Fraction or None
        Where the wanted part begins and ends, in seconds of the file's clock; None where nothing is cut off.
    notes : tuple of str
        What is lost, for the user.
    """

    size: tuple
    stored: tuple
    orientation: Orientation
    frames: int
    counted: bool
    seconds: float
    rate: fractions.Fraction
    time_base: fractions.Fraction
    aspect: fractions.Fraction | None
    colours: Colours
    alpha: bool
    begin: fractions.Fraction | None
    until: fractions.Fraction | None
    notes: tuple

    @property
    def zero(self) -> int:
        """Time in the file, in units of `time_base`, at which the result begins."""
        return 0 if self.begin is None else int(self.begin / self.time_base)


def aspect_note(aspect: fractions.Fraction, what: str) -> str:
    """Return the note for results that do not hold the pixel's aspect ratio."""
    ratio = f"{aspect.numerator}:{aspect.denominator}"
    return f"the pixels' aspect ratio {ratio} is dropped: {what} does not hold it, and looks stretched without"


def check_file(path: str | pathlib.Path) -> None:
    """Raise `UserError` if a file is missing, empty, or no file: videos are opened more than once."""
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {reason(error)}; check the name and the folder") from error
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path} is not a regular file; give a video file, or {PIPE} for what comes through a pipe")
    if status.st_size == 0:
        raise UserError(f"{path} is empty (0 bytes); copy it again from its source")
