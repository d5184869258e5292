"""Numbered frames, one picture file each: `frames/%05d.png`, in and out."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
from collections.abc import Callable, Iterator
from fractions import Fraction

from host.jobs.record import output_folder, stamp
from host.picture.backends import untimed
from host.video.codecs import SUFFIXES
from host.video.read.clip import USUAL_RATE, Clip
from host.video.read.colours import Colours, usual_matrix
from host.video.read.info import DamagedError, Info, aspect_note
from host.video.read.library import import_av
from host.video.read.orientation import Orientation
from host.video.read.source import Source
from model.base.errors import UserError
from model.base.outputs import Inputs
from model.base.paths import take_lock
from model.imaging import files as picture_files
from model.imaging.files import Picture

_NUMBER = re.compile(r"%(0?\d*)d")


def is_pattern(path: str | pathlib.Path) -> bool:
    """Tell whether a name stands for numbered frames: it has one %d, %5d or %05d and is no video's, and no file is
    called that.
    """
    path = pathlib.Path(path)
    return len(_NUMBER.findall(path.name)) == 1 and path.suffix.lower() not in SUFFIXES and not os.path.exists(path)


def frame_path(pattern: str | pathlib.Path, number: int) -> pathlib.Path:
    """Return the name of one of the frames."""
    pattern = pathlib.Path(pattern)
    return pattern.with_name(_NUMBER.sub(lambda match: f"{number:{match[1]}d}", pattern.name))


def list_frames(pattern: str | pathlib.Path) -> list[int]:
    """Return the numbers of the frames that are there, growing.

    Raises
    ------
    UserError
        There are none, or the folder cannot be read.
    """
    pattern = pathlib.Path(pattern)
    place = _NUMBER.search(pattern.name)
    begin, end = re.escape(pattern.name[: place.start()]), re.escape(pattern.name[place.end() :])
    name = re.compile(rf"{begin}(\d+){end}")
    try:
        found = [name.fullmatch(entry) for entry in os.listdir(pattern.parent)]
    except OSError as error:
        raise UserError(f"cannot read the folder {pattern.parent}: {error.strerror}; check its name") from error
    numbers = {int(match[1]) for match in found if match}
    there = sorted(number for number in numbers if os.path.exists(frame_path(pattern, number)))
    if not there:
        raise UserError(
            f"there are no frames {pattern} (looked for {frame_path(pattern, 0).name}, {frame_path(pattern, 1).name} "
            f"and so on); check the name and the number of digits"
        )
    return there


def check_free(pattern: str | pathlib.Path) -> None:
    """Raise `UserError` if there are frames of this name already, and not of a run that ended early."""
    pattern = pathlib.Path(pattern)
    if _list_of(pattern).exists():
        return
    try:
        there = frame_path(pattern, list_frames(pattern)[0])
    except UserError:
        return
    raise UserError(f"{there} is there already; give --overwrite to replace frames, or another folder")


def _list_of(pattern):
    """Return where a run keeps which frames are in place."""
    return pattern.parent / f".{pattern.name}.list"


class FrameSource:
    """Numbered frames as a video; use as a context manager. Attributes are those of `host.video.read.source.Source`.

    Parameters
    ----------
    pattern : path-like
    clip : Clip

    Attributes
    ----------
    paths : list of pathlib.Path
        Of the wanted frames.
    numbers : list of int
    """

    copies = False

    def __init__(self, pattern: str | pathlib.Path, clip: Clip = Clip()) -> None:
        self.path, self.clip, self.notes, self.damage, self.av = pattern, clip, [], [], import_av()
        rate = clip.rate or USUAL_RATE
        every = list_frames(pattern)
        begin, until = clip.start or 0, clip.end
        self.numbers = [
            number
            for number in every
            if (time := Fraction(number - every[0]) / rate) >= begin and (until is None or time < until)
        ]
        if not self.numbers:
            raise UserError(
                f"{pattern} has no frame between --start and --end; at {float(rate):g} frames a second it takes "
                f"{float((every[-1] - every[0] + 1) / rate):g} s"
            )
        self.paths = [frame_path(pattern, number) for number in self.numbers]
        first = picture_files.read_picture(self.paths[0])
        gaps = self.numbers[-1] - self.numbers[0] + 1 - len(self.numbers)
        notes = [f"{gaps} numbers between the frames are missing: the frame before each stays longer"] if gaps else []
        self.info = Info(
            first.size,
            first.size,
            Orientation(),
            len(self.numbers),
            True,
            len(self.numbers) / float(rate),
            rate,
            1 / rate,
            None,
            Colours(usual_matrix(*first.size), 2, 2, False),
            first.alpha is not None,
            None,
            None,
            (*first.notes, *notes),
        )

    def read(
        self, clock: Callable = untimed, skip: int = 0, skipped: Callable | None = None
    ) -> Iterator[tuple[int, Picture]]:
        """Yield the frames in order, as `host.video.read.source.Source.read`."""
        decoded = 0
        for number, path in zip(self.numbers, self.paths):
            try:
                with clock("read"):
                    picture = picture_files.read_picture(path)
            except UserError as error:
                self.damage.append(f"a frame is left out: {error}")
                continue
            if picture.size != self.info.size:
                self.damage.append(
                    f"the frames change their size at {path} from {self.info.size[0]}x{self.info.size[1]} to "
                    f"{picture.size[0]}x{picture.size[1]}, and what follows is left out"
                )
                break
            decoded += 1
            if decoded > skip:
                yield number - self.numbers[0], picture
            elif skipped is not None:
                skipped()
        if decoded < skip:
            raise DamagedError(f"{self.path} has lost frames since the last run; copy them again from their source")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


class FrameSink:
    """Writes a video's result as numbered frames; use as a context manager.

    A hidden list beside the frames says which are in place, so that a run that ended early can go on.

    Parameters
    ----------
    pattern : pathlib.Path
    about : list
        JSON values: whatever decides the bits of the frames.
    source : Source or FrameSource
        Whose numbers the frames keep, if it has any; else they begin at 1.

    Attributes
    ----------
    before : int
        Frames that an earlier run has written.
    notes : iterable of str
        What the pictures' format could not hold.

    Raises
    ------
    UserError
        Another run writes these frames, or the folder cannot be made.
    """

    def __init__(self, pattern: pathlib.Path, about: list[object], source: Source | FrameSource) -> None:
        self._by_time = isinstance(source, FrameSource)
        self._inputs = Inputs(source.paths if self._by_time else [source.path])
        self._pattern, self._first = pattern, source.numbers[0] if self._by_time else 1
        aspect = source.info.aspect
        self.notes = dict.fromkeys([aspect_note(aspect, "a picture")] if aspect and aspect != 1 else [])
        output_folder(pattern.parent)
        self._list = _list_of(pattern)
        try:
            self._file = open(self._list, "a+", encoding="ascii", errors="replace")
        except OSError as error:
            raise UserError(f"cannot write {self._list}: {error.strerror}; choose another output") from error
        if not take_lock(self._file):
            self._file.close()
            raise UserError(f"another run is writing {pattern}; wait for its end or choose another output")
        self._file.seek(0)
        lines = self._file.read().splitlines()
        about = json.dumps(about)
        done = []
        with contextlib.suppress(ValueError):  # what a full disk cut short, and what follows
            done += map(json.loads, lines[1:])
        self.before = 0
        if lines[:1] == [about]:
            while self.before < len(done) and self._is_there(*done[self.before]):
                self.before += 1
        self._file.seek(0)
        self._file.truncate(0)
        self._file.write("\n".join([about, *map(json.dumps, done[: self.before])]))
        self._file.flush()
        self._count = self.before

    def _is_there(self, name, known):
        try:
            return stamp(self._pattern.with_name(name)) == known
        except OSError:
            return False

    def write(self, pts: int, picture: Picture) -> None:
        """Write a frame; its time is its number's where the source has numbers."""
        path = frame_path(self._pattern, self._first + (pts if self._by_time else self._count))
        if self._inputs.owner(path) is not None:
            raise UserError(f"the output {path} is the input; choose another output, the original would be lost")
        self.notes = dict.fromkeys([*self.notes, *picture_files.write_picture(path, picture)])
        self._file.write(f"\n{json.dumps([path.name, stamp(path)])}")
        self._file.flush()
        self._count += 1

    def finish(self, source: Source) -> str:
        """Say what became of the audio, when all frames are written."""
        self._list.unlink(missing_ok=True)
        return "no audio: frames hold none"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        with contextlib.suppress(OSError):
            self._file.close()
        if not self._count:
            self._list.unlink(missing_ok=True)
