"""Encoded frames in parts, so that a run that ended early can go on, and the file they become.

A part is a fixed number of frames, encoded on their own; it lies in a hidden folder beside the result until that is
complete. The file is the same, byte for byte, however often its making was interrupted and whoever computed the frames,
on the same kind of processor: x264 decides with floating-point numbers, whose last digits differ from SSE2 to AVX and
NEON. With `--crf 0` the frames are the same everywhere.

    frames   0 ... 99      100 ... 199     200 ...
    folder   000000.npz    000001.npz      (the encoder's, until it is full)
    file     | all packets, and the source's audio, by time |
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from host.jobs.record import output_folder
from model.base.errors import UserError
from model.base.outputs import NAME_MAX
from model.base.paths import TEMPORARY, atomic_write, take_lock

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

PART_FRAMES = 100
_ABOUT = "about.json"


class Parts:
    """The parts of one video; use as a context manager.

    Parameters
    ----------
    output : pathlib.Path
        The video that they will become.
    about : list
        JSON values: whatever decides the bits of the parts. Parts of something else are thrown away.

    Attributes
    ----------
    folder : pathlib.Path
        Where they lie. Of what else lies there only what is called like a run's is removed.
    count : int
        Parts that are complete.

    Raises
    ------
    UserError
        Another run makes this video, or the folder cannot be made, or is not a run's.
    """

    def __init__(self, output: pathlib.Path, about: list[object]) -> None:
        self.folder = output_folder(output.with_name(_folder_name(output)))
        if not (self.folder / _ABOUT).exists() and not all(map(_is_ours, os.listdir(self.folder))):
            raise UserError(
                f"cannot write {output}: its parts would lie in the folder {self.folder}, which has files that are no "
                f"run's; move them away or choose another output"
            )
        self._lock = open(self.folder / _ABOUT, "a+", encoding="ascii", errors="replace")
        if not take_lock(self._lock):
            self._lock.close()
            raise UserError(f"another run is writing {output}; wait for its end or choose another output")
        about = json.dumps([PART_FRAMES, *about])
        self._lock.seek(0)
        mine = self._lock.read() == about
        self.count = 0
        while mine and self._is_complete(self.count):
            self.count += 1
        for path in self.folder.iterdir():  # what isn't ours, and what an interrupted write left
            if _is_ours(path.name) and path.name != _ABOUT and path not in map(self._path, range(self.count)):
                path.unlink()
        if not mine:
            self._lock.truncate(0)
            self._lock.write(about)
            self._lock.flush()

    @property
    def frames(self) -> int:
        """Frames in the complete parts."""
        return self.count * PART_FRAMES

    @property
    def bytes(self) -> int:
        """What the complete parts take of the disk."""
        return sum(self._path(index).stat().st_size for index in range(self.count))

    def add(self, packets: list[Packet]) -> None:
        """Store the packets of the next part.

        Parameters
        ----------
        packets : list of av.Packet
            In decoding order.
        """
        encoded = (
            io.BytesIO()
        )  # numpy needs a file that can be sought; a disk that is full tells its reason to `write_bytes`
        np.savez(
            encoded,
            pts=[packet.pts for packet in packets],
            dts=[packet.dts for packet in packets],
            duration=[packet.duration or 0 for packet in packets],
            key=[packet.is_keyframe for packet in packets],
            size=[packet.size for packet in packets],
            data=np.frombuffer(b"".join(map(bytes, packets)), np.uint8),
        )
        with atomic_write(self._path(self.count)) as temporary:
            temporary.write_bytes(encoded.getbuffer())
        self.count += 1

    def packets(self) -> Iterator[tuple[int, int, int, bool, bytes]]:
        """Yield all packets: (pts, dts, duration, is a key frame, bytes)."""
        last = None
        for index in range(self.count):
            with np.load(self._path(index)) as part:
                columns = [part[name].tolist() for name in ("pts", "dts", "duration", "key", "size")]
                data, at = part["data"].tobytes(), 0
            for pts, dts, duration, key, size in zip(*columns, strict=True):
                # A part's first decoding times are guesses of the encoder's, which the part before may have passed
                last = dts if last is None else max(dts, last + 1)
                yield pts, last, duration, key, data[at : at + size]
                at += size

    def remove(self) -> None:
        """Throw the parts away: the video is complete, or cannot be."""
        with contextlib.suppress(OSError):  # the folder stays while there is something of the user's in it
            for name in filter(_is_ours, os.listdir(self.folder)):
                (self.folder / name).unlink()
            self.folder.rmdir()

    def _path(self, index):
        return self.folder / f"{index:06d}.npz"

    def _is_complete(self, index):
        try:
            with np.load(self._path(index)) as part:
                return len(part["pts"]) == PART_FRAMES and len(part["data"]) == part["size"].sum()
        except Exception:  # missing, or whatever a damaged archive raises
            return False

    def __enter__(self):
        return self

    def __exit__(self, *error):
        with contextlib.suppress(OSError):
            self._lock.close()
        if not self.count:
            self.remove()


def _is_ours(name):
    """Tell whether a file in the folder is called like one of a run's."""
    return name == _ABOUT or name.startswith(TEMPORARY) or re.fullmatch(r"\d{6,}\.npz", name) is not None


def _folder_name(output):
    """Return the name of the folder of a video's parts: short enough wherever the video's is."""
    usual = f".{output.name}.parts"
    try:
        longest = os.pathconf(output.parent, "PC_NAME_MAX")
    except (OSError, ValueError):
        longest = NAME_MAX
    if len(os.fsencode(usual)) <= longest:
        return usual
    return f".{hashlib.sha256(os.fsencode(output.name)).hexdigest()[:16]}.parts"


class Encoder:
    """Encodes frames into parts.

    Parameters
    ----------
    parts : Parts
    open_context : callable
        Returns a new encoder, an open `av.VideoCodecContext`.
    """

    def __init__(self, parts: Parts, open_context: Callable) -> None:
        self._parts, self._open_context = parts, open_context
        self._context, self._packets, self._frames = None, [], 0

    def write(self, frame: VideoFrame) -> None:
        """Encode an `av.VideoFrame`."""
        if self._context is None:
            self._context = self._open_context()
        self._packets += self._context.encode(frame)
        self._frames += 1
        if self._frames == PART_FRAMES:
            self.finish()

    def finish(self) -> None:
        """Complete the part that has been begun."""
        if self._context is not None:
            self._packets += self._context.encode(None)
            self._parts.add(self._packets)
        self._context, self._packets, self._frames = None, [], 0
