"""What kind of file a file is: its first bytes say it, its name only where they say nothing."""

from __future__ import annotations

import pathlib

from model.imaging import formats

PICTURES = formats.SUFFIXES
# By their usual names; what they are is decided by content, so that a name more or less here loses nothing.
VIDEOS = (
    ".mp4",
    ".m4v",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".ts",
    ".mts",
    ".m2ts",
    ".mpg",
    ".mpeg",
    ".vob",
    ".flv",
    ".f4v",
    ".3gp",
    ".3g2",
    ".wmv",
    ".asf",
    ".ogv",
    ".mxf",
    ".y4m",
)
_BEGIN = 1024  # bytes that are looked at
_MAGIC = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF: wmv
    b"FLV\x01",
    b"OggS",
    b"\x00\x00\x01\xba",  # MPEG program stream: mpg, vob
    b"\x00\x00\x01\xb3",  # MPEG video alone
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02",  # MXF
    b"YUV4MPEG2 ",
    b"nut/multimedia container",
    b"DKIF",  # ivf
    b".RMF",
)
_ATOMS = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # how old QuickTime files begin
_STILL = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif", b"miaf", b"crx ", b"jxl ")  # brands of pictures
_PACKETS = ((0, 188), (4, 192))  # transport streams: where the first sync byte is, and how far the next ones
_SYNC = 0x47


def is_video(path: pathlib.Path) -> bool:
    """Tell whether a file is a video, by its first bytes; by its name where these are of no known kind."""
    return looks_like_video(_begin(path)) or (path.suffix.lower() in VIDEOS and not _still(_begin(path)))


def wanted(path: pathlib.Path) -> bool:
    """Tell whether a file in a folder is to be upscaled: it is called a picture or a video, and no TypeScript."""
    suffix = path.suffix.lower()
    if suffix == ".ts":
        begin = _begin(path)
        return looks_like_video(begin) or not begin
    return suffix in PICTURES + VIDEOS


def looks_like_video(begin: bytes) -> bool:
    """Tell whether the first bytes of a file are those of a video file."""
    if begin[4:8] == b"ftyp":
        return begin[8:12] not in _STILL
    if begin[:4] == b"RIFF":
        return begin[8:12] == b"AVI "
    if begin[4:8] in _ATOMS or begin.startswith(_MAGIC):
        return True
    return any(
        len(begin) > first + 3 * step and all(begin[first + i * step] == _SYNC for i in range(4))
        for first, step in _PACKETS
    )


def _still(begin):
    return begin.startswith((b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*")) or (
        begin[4:8] == b"ftyp" and begin[8:12] in _STILL
    )


def _begin(path):
    try:
        if not path.is_file():
            return b""
        with open(path, "rb") as file:
            return file.read(_BEGIN)
    except (OSError, ValueError):
        return b""
