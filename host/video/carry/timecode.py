"""Timecodes, hours:minutes:seconds:frames: where a part of a video begins."""

from __future__ import annotations

import re
from fractions import Fraction

_DROPPED_A_MINUTE = 2  # numbers that drop-frame timecode leaves out at 30 frames a second, but every tenth minute


def later(text: str, frames: int, rate: Fraction) -> str:
    """Return the timecode that lies a number of frames behind another one.

    Parameters
    ----------
    text : str
        01:02:03:04, or 01:02:03;04: drop-frame, which follows the clock at 30000/1001 and 60000/1001 frames a second.
    frames : int
    rate : fractions.Fraction
        Frames per second.

    Returns
    -------
    str
        The same text if it is no timecode.
    """
    match = re.fullmatch(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d+)", text)
    if not match:
        return text
    hours, minutes, seconds, mark, number = (part if part in ":;." else int(part) for part in match.groups())
    whole, dropped = round(rate), 0
    if mark != ":":
        dropped = _DROPPED_A_MINUTE * round(whole / 30)
    minutes += 60 * hours
    count = (minutes * 60 + seconds) * whole + number - dropped * (minutes - minutes // 10) + frames
    if dropped:
        ten, rest = divmod(count, 600 * whole - 9 * dropped)
        count += dropped * 9 * ten
        if rest >= dropped:
            count += dropped * ((rest - dropped) // (60 * whole - dropped))
    seconds, number = divmod(count, whole)
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{number:02d}"
