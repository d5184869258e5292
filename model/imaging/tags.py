"""Directories of tags, as TIFF files and EXIF blocks have them: taken apart, changed, put together again."""

from __future__ import annotations

import dataclasses
import struct

EXIF, GPS, INTEROP = 0x8769, 0x8825, 0xA005  # tags that point to further directories
_SUB = (EXIF, GPS, INTEROP)
BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
# Bytes and struct's letter of each type; a rational is two numbers.
_TYPES = {
    1: (1, "B"), 2: (1, "B"), 3: (2, "H"), 4: (4, "I"), 5: (8, "II"), 6: (1, "b"), 7: (1, "B"), 8: (2, "h"),
    9: (4, "i"), 10: (8, "ii"), 11: (4, "f"), 12: (8, "d"), 13: (4, "I"), 16: (8, "Q"), 17: (8, "q"), 18: (8, "Q"),
}  # fmt: skip
_MOST_ENTRIES = 4096
_DEEPEST = 3


class DamagedTags(ValueError):
    """A directory that leads out of the file, or in circles."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """The value of a tag.

    Attributes
    ----------
    kind : int
        Type, as TIFF numbers them.
    count : int
    data : bytes
        In the byte order of its directory.
    """

    kind: int
    count: int
    data: bytes


class Directory(dict):
    """Entries by tag; `order` is "<" or ">", `subs` the directories that `EXIF`, `GPS` and `INTEROP` point to,
    `following` the offset of the next one, 0 if it is the last.
    """

    def __init__(self, order: str = "<") -> None:
        super().__init__()
        self.order, self.subs, self.following = order, {}, 0

    def values(self, tag: int, default: tuple = ()) -> tuple:
        """Return a tag's numbers; of rationals numerator and denominator in turn."""
        entry = self.get(tag)
        if entry is None:
            return default
        return struct.unpack(self.order + _TYPES[entry.kind][1] * entry.count, entry.data)

    def number(self, tag: int, default: int | None = None) -> int | None:
        """Return a tag's first number."""
        return next(iter(self.values(tag)), default)

    def put(self, tag: int, kind: int, *numbers: int) -> None:
        """Set a tag to numbers."""
        letters = _TYPES[kind][1]
        self[tag] = Entry(
            kind, len(numbers) // len(letters), struct.pack(self.order + letters[0] * len(numbers), *numbers)
        )

    def put_bytes(self, tag: int, data: bytes, kind: int = UNDEFINED) -> None:
        """Set a tag to bytes."""
        self[tag] = Entry(kind, len(data), data)

    def copy(self) -> Directory:
        """Return a copy with copies of the directories below."""
        other = Directory(self.order)
        other.update(self)
        other.subs = {tag: sub.copy() for tag, sub in self.subs.items()}
        return other


def read_header(data: bytes) -> tuple[str, bool, int]:
    """Return byte order, whether offsets have 64 bits (BigTIFF), and the offset of the first directory."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < 8:
        raise DamagedTags("no TIFF header")
    (version,) = struct.unpack(order + "H", data[2:4])
    if version == 42:
        return order, False, struct.unpack(order + "I", data[4:8])[0]
    if version == 43 and len(data) >= 16:
        return order, True, struct.unpack(order + "Q", data[8:16])[0]
    raise DamagedTags("no TIFF header")


def read_directory(data: bytes, at: int, order: str, big: bool = False, depth: int = 0) -> Directory:
    """Read the directory at an offset, and those below it.

    Raises
    ------
    DamagedTags
    """
    found = Directory(order)
    word, offset = (8, "Q") if big else (2, "I")
    size = 20 if big else 12
    try:
        (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
        if count > _MOST_ENTRIES:
            raise DamagedTags("a directory of more entries than any has")
        for i in range(count):
            place = at + word + i * size
            tag, kind, number = struct.unpack_from(order + "HH" + offset, data, place)
            place += size - struct.calcsize(offset)
            if kind not in _TYPES:
                continue
            length = _TYPES[kind][0] * number
            if length > struct.calcsize(offset):
                (place,) = struct.unpack_from(order + offset, data, place)
            if place + length > len(data):
                if depth:  # of an EXIF block that was cut: the rest may be good
                    continue
                raise DamagedTags("a tag that lies outside of the file")
            found[tag] = Entry(kind, number, bytes(data[place : place + length]))
        (found.following,) = struct.unpack_from(order + offset, data, at + word + count * size)
    except struct.error as error:
        if not found:
            raise DamagedTags("a directory outside of the file") from error
    for tag in _SUB:
        if tag in found and depth < _DEEPEST:
            try:
                found.subs[tag] = read_directory(data, found.number(tag, 0), order, big, depth + 1)
            except (DamagedTags, struct.error):
                pass
    return found


def pack(directory: Directory, at: int, following: int = 0) -> bytes:
    """Return a directory with its values and the directories below it, as it lies at an offset of a classic TIFF.

    Parameters
    ----------
    directory : Directory
    at : int
        Even.
    following : int
        Offset of the next directory.
    """
    order = directory.order
    entries = {tag: entry for tag, entry in directory.items() if tag not in _SUB and entry.kind < 14}
    tags = sorted([*entries, *directory.subs])
    head = bytearray(struct.pack(order + "H", len(tags)))
    place = at + 2 + 12 * len(tags) + 4
    rest = bytearray()
    for tag in tags:
        if tag in directory.subs:
            block = pack(directory.subs[tag], place + len(rest))
            head += struct.pack(order + "HHII", tag, LONG, 1, place + len(rest))
            rest += block
            continue
        entry = entries[tag]
        head += struct.pack(order + "HHI", tag, entry.kind, entry.count)
        if len(entry.data) <= 4:
            head += entry.data.ljust(4, b"\0")
        else:
            head += struct.pack(order + "I", place + len(rest))
            rest += entry.data + b"\0" * (len(entry.data) % 2)
    return bytes(head) + struct.pack(order + "I", following) + bytes(rest)


def header(order: str, at: int = 8) -> bytes:
    """Return the eight bytes that a classic TIFF, or an EXIF block, begins with."""
    return {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", 42, at)
