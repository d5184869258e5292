"""What kind of file was sent, by its first bytes.

Only kinds that hold their own contents are let through: FFmpeg knows others that are lists of further files and
addresses. `host.web.compute.refuse_references` looks again, as FFmpeg does.
"""

from __future__ import annotations

from host.jobs.kinds import looks_like_video

HEAD = 1024  # bytes to look at
PICTURE, VIDEO = "picture", "video"
# What the reader does not read is refused there, by a better sentence.
_PICTURES = (
    b"BM",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),  # tif, also of more than 4 GB
    b"GIF8",
    b"\0\0\0\x0cjP  ",
    b"\xff\x4f\xff\x51",
)
_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"miaf")


def kind_of(head: bytes) -> str | None:
    """Return `PICTURE`, `VIDEO`, or None for anything else.

    Parameters
    ----------
    head : bytes
        The first `HEAD` bytes of the file, or all of them.
    """
    if head.startswith(_PICTURES) or (head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace()):  # pnm
        return PICTURE
    if (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or (head[4:8] == b"ftyp" and head[8:12] in _BRANDS):
        return PICTURE
    return VIDEO if looks_like_video(head) else None
