"""PNG's chunks: what Pillow does not read or write, and pixels of 16 bits, which it does not write."""

from __future__ import annotations

import binascii
import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels
_PROFILE = "Raw profile type "  # how ImageMagick and exiftool name what PNG has no chunk for
_METRES_PER_INCH = 0.0254
_ROWS = 64  # packed at a time
_UP = 2  # filter: each byte less the one above it


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (name, content) of a PNG's chunks, as far as they are whole; not the pixels."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            return
        if name not in (b"IDAT", b"fdAT"):
            yield name, bytes(data[at + 8 : at + 8 + length])
        at += 12 + length


def still(data: bytes) -> bytes:
    """Return a PNG without what makes it an animation; raise `ValueError` if a chunk is longer than the file."""
    at, parts = len(SIGNATURE), [SIGNATURE]
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):  # decoders would make room for it
            raise ValueError("a chunk is longer than the file")
        if name not in (b"acTL", b"fcTL", b"fdAT"):
            parts.append(data[at : at + 12 + length])
        at += 12 + length
    return b"".join(parts)


def chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk as it lies in the file."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


class FileWith(io.BytesIO):
    """A PNG that is written here, with chunks, as (name, content), behind its header, where colours have to stand."""

    def __init__(self, more: list[tuple[bytes, bytes]]) -> None:
        super().__init__()
        self._more = more

    def write(self, data: bytes) -> int:
        """Write what the encoder says, and the chunks when the header is complete."""
        count = super().write(data)
        if self.tell() == len(SIGNATURE) + 25:
            super().write(b"".join(chunk(name, content) for name, content in self._more))
        return count


def encode_16_bit(
    pixels: np.ndarray, alpha: np.ndarray | None, level: int, more: list[tuple[bytes, bytes]]
) -> memoryview:
    """Return a PNG of 16-bit samples.

    Parameters
    ----------
    pixels : ndarray of uint16, shape (H, W) or (H, W, 3)
    alpha : ndarray of uint16, shape (H, W), or None
    level : int
        Of zlib.
    more : list of (bytes, bytes)
        Further chunks, as for `FileWith`.
    """
    height, width = pixels.shape[:2]
    channels = (1 if pixels.ndim == 2 else 3) + (alpha is not None)
    file = FileWith(more)
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[channels], 0, 0, 0)
    file.write(SIGNATURE + chunk(b"IHDR", header))
    packer = zlib.compressobj(level)
    above = np.zeros(width * channels * 2, np.uint8)
    for top in range(0, height, _ROWS):
        rows = pixels[top : top + _ROWS].reshape(-1, width, channels - (alpha is not None))
        if alpha is not None:
            rows = np.concatenate([rows, alpha[top : top + _ROWS, :, None]], axis=2)
        rows = rows.astype(">u2").view(np.uint8).reshape(-1, above.size)
        filtered = np.empty((len(rows), above.size + 1), np.uint8)
        filtered[:, 0] = _UP
        filtered[0, 1:] = rows[0] - above
        filtered[1:, 1:] = rows[1:] - rows[:-1]
        above = rows[-1]
        packed = packer.compress(filtered.tobytes())
        if packed:
            file.write(chunk(b"IDAT", packed))
    file.write(chunk(b"IDAT", packer.flush()) + chunk(b"IEND", b""))
    return file.getbuffer()


def text_chunk(keyword: str, text: str) -> tuple[bytes, bytes]:
    """Return a chunk for a text: plain where Latin-1 holds it, international else."""
    name = keyword.encode("latin-1", "replace")[:79] or b"Comment"
    if "\0" in text:
        text = text.replace("\0", " ")
    try:
        return b"tEXt", name + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", name + b"\0\0\0\0\0" + text.encode()


def xmp_chunk(xmp: bytes) -> tuple[bytes, bytes]:
    """Return the chunk of an XMP packet."""
    return b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp


def resolution_chunk(dpi: tuple[float, float]) -> tuple[bytes, bytes]:
    """Return the chunk of a resolution."""
    per_metre = (min(2**31 - 1, max(1, round(value / _METRES_PER_INCH))) for value in dpi)
    return b"pHYs", struct.pack(">IIB", *per_metre, 1)


def profile_chunk(icc: bytes) -> tuple[bytes, bytes]:
    """Return the chunk of a colour profile."""
    return b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc)


def pack_profile(kind: str, block: bytes) -> tuple[bytes, bytes]:
    """Return the text chunk that programs agree on for `iptc` records."""
    digits = binascii.hexlify(block).decode()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    text = f"\n{kind}\n{len(block):8d}\n{lines}\n"
    return b"zTXt", f"{_PROFILE}{kind}".encode() + b"\0\0" + zlib.compress(text.encode())


def unpack_profile(text: str) -> bytes | None:
    """Return the block in a text of `pack_profile`, or None."""
    parts = text.split(None, 2)
    try:
        return binascii.unhexlify("".join(parts[2].split()))[: int(parts[1])]
    except (IndexError, ValueError):
        return None


def is_profile(keyword: str) -> bool:
    """Tell whether a text's keyword says that it is a block in digits."""
    return keyword.startswith(_PROFILE)
