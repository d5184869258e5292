"""HEIC and AVIF: how many bits they have, what they say of their colours, and HEIC's samples of more than 8 bits."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image

from model.imaging.picture import to_full_range

_BEGIN = 1 << 16  # bytes of a file in which its properties are looked for
_HDR = {16: "PQ", 18: "HLG"}
# Numbers of ITU-T H.273 that nobody has to be told: sRGB's and BT.709's, unknown, and those of standard television.
_USUAL_PRIMARIES, _USUAL_TRANSFER = (0, 1, 2), (0, 1, 2, 6, 13, 14, 15)
_MODES = ("I;16", "L;16", "RGB;16", "RGBA;16")  # pillow-heif's


def bits(image: Image.Image, data: bytes) -> int:
    """Return the bits per channel of an opened HEIC or AVIF; 8 if it does not say it."""
    if "bit_depth" in image.info:  # pillow-heif's
        return image.info["bit_depth"]
    at = data.find(b"pixi", 0, _BEGIN)
    return data[at + 9] if 0 <= at < len(data) - 9 and data[at + 8] else 8


def keeps_depth(image: Image.Image) -> bool:
    """Tell whether `deep` reads a picture: a HEIC of more than 8 bits, in colours or grey."""
    return image.format == "HEIF" and image.info.get("bit_depth", 8) > 8 and image.mode in ("I;16", "L", "RGB", "RGBA")


def deep(data: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """Return pixels, uint16 (H, W) or (H, W, 3), and transparency, (H, W) or None, of a HEIC for which `keeps_depth`.

    Raises
    ------
    Exception
        Whatever pillow-heif trips over.
    """
    import pillow_heif  # it has opened the file

    picture = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    if picture.mode not in _MODES:
        raise ValueError(f"its {picture.info['bit_depth']} bits per channel cannot be decoded")
    depth = picture.info["bit_depth"]  # in the upper bits of 16
    samples = to_full_range(np.asarray(picture) >> (16 - depth), (1 << depth) - 1)
    if picture.mode == "RGBA;16":
        return np.ascontiguousarray(samples[:, :, :3]), np.ascontiguousarray(samples[:, :, 3])
    return samples, None


def colours(data: bytes, notes: list[str]) -> tuple[tuple[bytes, bytes], ...]:
    """Return what a HEIC or AVIF without a profile says of its colours, as PNG's chunk cICP; nothing if they are usual.

    Parameters
    ----------
    data : bytes
        The file.
    notes : list of str
        Gets a note if they are those of HDR: pixels are taken as they are.
    """
    at = data.find(b"colrnclx", 0, _BEGIN)
    if at < 0 or at + 12 > len(data):
        return ()
    primaries, transfer = struct.unpack_from(">HH", data, at + 8)
    if (primaries in _USUAL_PRIMARIES and transfer in _USUAL_TRANSFER) or max(primaries, transfer) > 255:
        return ()
    if transfer in _HDR:
        notes.append(
            f"HDR ({_HDR[transfer]}): computed and written as it is, only viewers that know cICP, in a png, show it "
            f"right; tone-map it first for all others"
        )
    return ((b"cICP", bytes([primaries, transfer, 0, 1])),)  # RGB, full range
