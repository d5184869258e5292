"""Animated pictures (gif, webp, apng) as videos, gif and webp through Pillow: FFmpeg reads no animated webp."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
from PIL import Image

from host.picture.backends import untimed
from host.video.read.apng import Apng
from host.video.read.clip import Clip
from host.video.read.colours import OPAQUE, Colours, usual_matrix
from host.video.read.info import REMEDY, DamagedError, Info, check_file
from host.video.read.library import import_av
from host.video.read.orientation import Orientation
from model.base.errors import UserError
from model.imaging.files import Picture

_FORMATS = ("GIF", "WEBP", "PNG")
_MILLISECOND = Fraction(1, 1000)
_USUAL_MS = 100  # of a frame that says nothing, or next to nothing, as browsers take it
_LEAST_MS = 11


def is_animated(path: str | pathlib.Path) -> bool:
    """Tell whether a file is a picture of several frames that is read here."""
    if not os.path.isfile(path):  # a named pipe would wait for whoever writes into it
        return False
    try:
        with Image.open(path, formats=_FORMATS) as image:
            return getattr(image, "n_frames", 1) > 1
    except Exception:  # missing, or whatever a decoder trips over in foreign data
        return False


class AnimatedSource:
    """An animated picture as a video; use as a context manager. Attributes are those of `.source.Source`.

    Parameters
    ----------
    path : path-like
        For which `is_animated`.
    clip : Clip

    Raises
    ------
    UserError
        Nothing lies in the wanted part.
    """

    copies = False  # there is no sound

    def __init__(self, path: str | pathlib.Path, clip: Clip = Clip()) -> None:
        self.path, self.clip, self.notes, self.damage, self.av = path, clip, [], [], import_av()
        check_file(path)
        self._image = Image.open(path, formats=_FORMATS)
        self._png = Apng(pathlib.Path(path).read_bytes()) if self._image.format == "PNG" else None
        self._count = self._png.count if self._png else self._image.n_frames
        self._times, time = [], 0  # of the wanted frames: (index, milliseconds)
        begin, until = (clip.start or 0) * 1000, None if clip.end is None else clip.end * 1000
        try:
            index = 0
            for index, length in enumerate(self._png.lengths if self._png else self._lengths()):
                if time >= begin and (until is None or time < until):
                    self._times.append((index, time))
                time += round(length) if length >= _LEAST_MS else _USUAL_MS
        except Exception as error:  # cut short
            self.damage.append(f"{index} of {self._count} frames could be read: the file is damaged ({error})")
        if self._png and len(self._png.lengths) < self._count:
            self.damage.append(f"{len(self._png.lengths)} of {self._count} frames could be read: the file is cut short")
        if not self._times:
            raise UserError(
                f"{path} has no frame between --start and --end; it takes {time / 1000:g} s"
                if not self.damage
                else f"{path} is damaged: no frame could be read; {REMEDY}"
            )
        size = self._image.size
        self._zero = 0 if clip.start is None else round(begin)
        self.info = Info(
            size=size,
            stored=size,
            orientation=Orientation(),
            frames=len(self._times),
            counted=True,
            seconds=time / 1000,
            rate=Fraction(1000 * len(self._times), max(1, time - self._times[0][1])).limit_denominator(1001),
            time_base=_MILLISECOND,
            aspect=None,
            colours=Colours(usual_matrix(*size), 2, 2, False),
            alpha=True,
            begin=None,
            until=None,
            notes=("it is shown over and over; the video is not",) if self._image.info.get("loop", 1) != 1 else (),
        )

    def read(
        self, clock: Callable = untimed, skip: int = 0, skipped: Callable | None = None
    ) -> Iterator[tuple[int, Picture]]:
        """Yield the frames in order, as `host.video.read.source.Source.read`."""
        frames, at = self._png.frames() if self._png else None, -1
        for count, (index, time) in enumerate(self._times):
            if count < skip:
                if skipped is not None:
                    skipped()
                continue
            try:
                with clock("read"):
                    if frames is None:
                        self._image.seek(index)
                        rgba = np.asarray(self._image.convert("RGBA"))
                    while frames is not None and at < index:  # each is laid over those before
                        rgba, at = next(frames), at + 1
            except Exception as error:  # whatever a decoder trips over in damaged data
                self.damage.insert(0, f"{count} of {self._count} frames could be read: the file is damaged ({error})")
                del self.damage[1:]
                if not count:
                    raise DamagedError(f"{self.path} is damaged: no frame could be read; {REMEDY}") from error
                return
            colours, alpha = np.ascontiguousarray(rgba[:, :, :3]), np.ascontiguousarray(rgba[:, :, 3])
            yield time - self._zero, Picture(colours, None if alpha.min() == OPAQUE else alpha)

    def _lengths(self):
        """Yield the milliseconds of the frames that Pillow reads."""
        for index in range(self._image.n_frames):
            self._image.seek(index)
            if self._image.format == "WEBP":
                self._image.load()  # only then its duration is known
            yield self._image.info.get("duration") or 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._image.close()
