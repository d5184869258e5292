"""The pixel's aspect ratio in Matroska and WebM files: PyAV has no way to tell FFmpeg's muxer.

It belongs into the track, as the size to show (RFC 9559: DisplayWidth and DisplayHeight). H.264 and H.265 say it as
well, FFV1 and AV1 do not. The muxer leaves an empty element near the beginning, which gives the room; what lies behind
the tracks stays where it is, so that no other offset changes.
"""

from __future__ import annotations

import os
import pathlib
import zlib
from fractions import Fraction

_SEGMENT, _SEEK_HEAD, _VOID, _TRACKS, _CLUSTER = 0x18538067, 0x114D9B74, 0xEC, 0x1654AE6B, 0x1F43B675
_CRC, _ENTRY, _TYPE, _VIDEO, _WIDTH, _HEIGHT = 0xBF, 0xAE, 0x83, 0xE0, 0xB0, 0xBA
_SHOWN_WIDTH, _SHOWN_HEIGHT, _SHOWN_UNIT = 0x54B0, 0x54BA, 0x54B2
_SEEK, _POSITION = 0x4DBB, 0x53AC
_MOVING = 1  # type of a track
_MOST = 1 << 26  # bytes before the end of the tracks
_LARGEST = 1 << 24  # pixels to show


class _Odd(ValueError):
    """Something that FFmpeg does not write."""


def set_aspect(path: pathlib.Path, aspect: Fraction) -> bool:
    """Say the pixel's aspect ratio in a complete file of FFmpeg's.

    Parameters
    ----------
    path : pathlib.Path
        Changed in its place.
    aspect : fractions.Fraction
        Width of a pixel divided by its height.

    Returns
    -------
    bool
        False if the file is of another build, and has not been changed.
    """
    with open(path, "r+b") as file:
        try:
            begin = _begin(file)
            changed = _changed(begin, aspect)
        except (_Odd, IndexError, OverflowError):
            return False
        file.seek(0)
        file.write(changed)
    return True


def shown_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Return the size to show, of exactly that ratio and about as many lines as there are."""
    ratio = Fraction(width, height) * aspect
    times = max(1, round(height / ratio.denominator))
    return ratio.numerator * times, ratio.denominator * times


def _begin(file):
    """Return a file's bytes up to the end of the tracks."""
    size, wanted = os.fstat(file.fileno()).st_size, 1 << 16
    while True:
        file.seek(0)
        data = file.read(wanted)
        try:
            end = next(end for name, _, _, end in _top(data) if name == _TRACKS)
        except IndexError:  # goes on behind what has been read
            end = wanted + 1
        if end <= len(data):
            return data[:end]
        if wanted >= min(size, _MOST):
            raise _Odd
        wanted *= 4


def _top(data):
    """Yield (name, place, place of its content, end) of what lies in the segment, up to the tracks."""
    at = _segment(data)
    while True:
        name, length, inside = _header(data, at)
        if name == _CLUSTER or length is None:
            raise _Odd
        yield name, at, inside, inside + length
        at = inside + length


def _segment(data):
    """Return where the content of the segment begins."""
    _, length, inside = _header(data, 0)
    if length is None:
        raise _Odd
    name, _, at = _header(data, inside + length)
    if name != _SEGMENT:
        raise _Odd
    return at


def _changed(data, aspect):
    top = {}
    for name, at, inside, end in _top(data):
        top.setdefault(name, (at, inside, end))
        if name == _TRACKS:
            break
    if not {_SEEK_HEAD, _VOID, _TRACKS} <= set(top) or top[_VOID][0] > top[_TRACKS][0]:
        raise _Odd
    segment = _segment(data)
    at, inside, end = top[_TRACKS]
    tracks = _element(_TRACKS, _with_aspect(data[inside:end], aspect))
    more = len(tracks) - (end - at)
    void, _, after = top[_VOID]
    room = after - void - 9 - more  # of its content, with a length of eight bytes
    if room < 0:
        raise _Odd
    seek, inside, end = top[_SEEK_HEAD]
    if end > void:
        raise _Odd
    index = _element(_SEEK_HEAD, _moved(data[inside:end], after - segment, at - segment, more))
    if len(index) != end - seek:
        raise _Odd
    empty = bytes([_VOID]) + ((1 << 56) | room).to_bytes(8, "big") + bytes(room)
    changed = data[:seek] + index + data[end:void] + empty + data[after:at] + tracks
    if len(changed) != len(data):
        raise _Odd
    return changed


def _with_aspect(tracks, aspect):
    """Return the content of the tracks, with the size to show in the first one of moving pictures."""
    entries, found = [], False
    for name, content in _children(tracks):
        parts = list(_children(content)) if name == _ENTRY else []
        if not found and any(part == _TYPE and content[-1] == _MOVING for part, content in parts):
            found = True
            content = b"".join(
                _element(part, _with_size(inside, aspect) if part == _VIDEO else inside) for part, inside in parts
            )
        entries.append((name, content))
    if not found:
        raise _Odd
    return _joined(entries)


def _with_size(video, aspect):
    parts = [part for part in _children(video) if part[0] not in (_SHOWN_WIDTH, _SHOWN_HEIGHT, _SHOWN_UNIT)]
    known = dict(parts)
    if _WIDTH not in known or _HEIGHT not in known:
        raise _Odd
    shown = shown_size(int.from_bytes(known[_WIDTH], "big"), int.from_bytes(known[_HEIGHT], "big"), aspect)
    if max(shown) >= _LARGEST:
        raise _Odd
    parts += [(name, _number(side)) for name, side in zip((_SHOWN_WIDTH, _SHOWN_HEIGHT), shown)]
    return b"".join(_element(*part) for part in parts)


def _moved(index, first, last, more):
    """Return the content of the index, with places from the first to the last one moved forward."""
    entries = []
    for name, content in _children(index):
        parts = list(_children(content)) if name == _SEEK else []
        for i, (part, value) in enumerate(parts):
            place = int.from_bytes(value, "big")
            if part == _POSITION and first <= place <= last:
                parts[i] = part, (place - more).to_bytes(len(value), "big")
        entries.append((name, b"".join(_element(*part) for part in parts) if parts else content))
    return _joined(entries)


def _joined(entries):
    """Return the content of an element; the check sum that it may begin with is made anew."""
    content = b"".join(_element(*entry) for entry in entries if entry[0] != _CRC)
    if entries[0][0] != _CRC:
        return content
    return _element(_CRC, zlib.crc32(content).to_bytes(4, "little")) + content


def _children(data):
    at = 0
    while at < len(data):
        name, length, inside = _header(data, at)
        if length is None or inside + length > len(data):
            raise _Odd
        yield name, data[inside : inside + length]
        at = inside + length


def _header(data, at):
    """Return an element's name, the length of its content (None if unknown) and where that begins."""
    width = 9 - data[at].bit_length()
    name, at = int.from_bytes(data[at : at + width], "big"), at + width
    width = 9 - data[at].bit_length()
    length = int.from_bytes(data[at : at + width], "big") - (1 << 7 * width)
    if at + width > len(data):
        raise IndexError
    return name, None if length == (1 << 7 * width) - 1 else length, at + width


def _element(name, content):
    least = 8 if name == _ENTRY else 1  # as the muxer has it: nothing becomes shorter, places only move forward
    width = next(width for width in range(least, 9) if len(content) < (1 << 7 * width) - 1)
    length = (len(content) | 1 << 7 * width).to_bytes(width, "big")
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + length + content


def _number(value):
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
