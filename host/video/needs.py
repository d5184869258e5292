"""What a video's result takes of memory and disk, asked before the frames are computed.

Fitted to what `python -m host.measure.video_needs` measured on two cores; memory is within 15 % from 1280x720 on. The
share of each core is from encoders alone, with 1 to 24 threads: an encoder keeps many frames to look ahead, and one
more or several for each core.
"""

from __future__ import annotations

import errno
import os
import pathlib
import shutil

from host.picture import pipeline
from host.video.codecs import Encoding
from model.base.errors import UserError

_MEMORY_AT_LEAST = 200e6  # Python, FFmpeg, a backend, their buffers
# Bytes per pixel of the result: (of themselves, for each core); bits per pixel of the file: (at least, usually).
# By codec; lossless H.264 and HEVC by themselves; "frames" are numbered pictures.
_MEMORY = {
    "h264": (180, 3),
    "hevc": (180, 19),
    "av1": (260, 46),
    "ffv1": (290, 4),
    "prores": (135, 5),
    "h264 lossless": (105, 6),
    "hevc lossless": (360, 19),
    "frames": (12, 0),
}
_MOST_CORES = 16  # beyond them encoders take no more threads
_DISK = {
    "h264": (0.005, 0.1),
    "hevc": (0.005, 0.09),
    "av1": (0.005, 0.09),
    "ffv1": (1, 9),
    "prores": (0.5, 5),
    "h264 lossless": (0.1, 2),
    "hevc lossless": (0.1, 4),
    "frames": (1, 12),
}


def memory_needed(pixels: int, encoding: Encoding | None) -> float:
    """Return the bytes that a run takes at its peak.

    Parameters
    ----------
    pixels : int
        Of a frame of the result.
    encoding : Encoding or None
        None: frames go out as they are, as pictures or through a pipe.
    """
    fixed, each_core = _MEMORY[_kind(encoding)]
    return _MEMORY_AT_LEAST + pixels * (fixed + each_core * min(os.cpu_count() or 1, _MOST_CORES))


def disk_needed(pixels: int, encoding: Encoding | None) -> tuple[float, float]:
    """Return the bytes that a result takes, at least and usually.

    Parameters
    ----------
    pixels : int
        Of all frames of the result together.
    encoding : Encoding or None
        None: numbered frames.
    """
    least, usual = _DISK[_kind(encoding)]
    return pixels * least / 8, pixels * usual / 8


def check_memory(width: int, height: int, encoding: Encoding | None) -> None:
    """Raise `UserError` if frames of this size would take more memory than there is."""
    need, have = memory_needed(width * height, encoding), pipeline._available_memory()
    if have is not None and need > have:
        raise UserError(
            f"frames of {width}x{height} pixels need about {need / 1e6:.0f} MB of memory, {have / 1e6:.0f} MB are "
            f"available; choose a smaller --upscale, a smaller video, or another --codec (h264 takes least)"
        )


def check_room(folder: pathlib.Path, output: str | pathlib.Path, need: float) -> None:
    """Raise `UserError` if less than `need` bytes are free in a folder."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:  # writing will tell
        return
    if free < need:
        raise UserError(
            f"cannot write {output}: it may take {need / 1e6:.1f} MB more and {free / 1e6:.1f} MB are free there; free "
            f"some space or choose another output"
        ) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _kind(encoding):
    if encoding is None or encoding.codec not in _MEMORY:
        return "frames"
    lossless = f"{encoding.codec} lossless"
    return lossless if encoding.rgb and lossless in _MEMORY else encoding.codec
