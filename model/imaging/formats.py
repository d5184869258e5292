"""What each kind of picture file can hold, in one table: reading, writing, notes and docs/files.md follow it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of picture file that is written.

    Attributes
    ----------
    name : str
        Pillow's.
    options : dict
        Of Pillow's encoder.
    alpha, deep, icc, exif, xmp, iptc, text, colour, dpi : bool
        Whether it holds transparency, 16 bits per channel, a colour profile, EXIF, XMP, IPTC, texts, PNG's gamma,
        primaries and cICP, a resolution.
    grey_only : bool
        Holds no colours.
    most : int or None
        Largest side in pixels.
    lossy : bool
        Takes `--quality`.
    memory : float
        Bytes that encoding takes per byte of the picture (measured at 24 Mpixel, avif at 6).
    """

    name: str
    options: dict = dataclasses.field(default_factory=dict)
    alpha: bool = False
    deep: bool = False
    icc: bool = False
    exif: bool = False
    xmp: bool = False
    iptc: bool = False
    text: bool = False
    colour: bool = False
    dpi: bool = False
    grey_only: bool = False
    most: int | None = None
    lossy: bool = False
    memory: float = 2.2


# lossless; a quarter of the default level's time, a seventh more bytes
PNG = Format(
    "PNG", {"compress_level": 1}, alpha=True, deep=True, icc=True, exif=True, xmp=True, iptc=True, text=True,
    colour=True, dpi=True, memory=2.3,
)  # fmt: skip
TIFF = Format("TIFF", {}, alpha=True, deep=True, icc=True, exif=True, xmp=True, iptc=True, dpi=True, memory=1.8)
JPEG = Format(
    "JPEG", {"quality": 95, "subsampling": 0}, icc=True, exif=True, xmp=True, iptc=True, dpi=True, most=65500,
    lossy=True, memory=1.9,
)  # fmt: skip
BMP = Format("BMP", dpi=True)
WEBP = Format(
    "WEBP", {"lossless": True, "exact": True}, alpha=True, icc=True, exif=True, xmp=True, most=16383, lossy=True,
    memory=10,
)  # fmt: skip
AVIF = Format(
    "AVIF", {"quality": 90, "subsampling": "4:4:4"}, alpha=True, icc=True, exif=True, xmp=True, most=65535, lossy=True,
    memory=16.5,
)  # fmt: skip
JPEG2000 = Format("JPEG2000", {}, alpha=True, memory=14.5)
TGA = Format("TGA", {"compression": "tga_rle"}, alpha=True, most=65535)
PNM = Format("PPM", deep=True)
PGM = Format("PPM", deep=True, grey_only=True)

WRITABLE = {
    ".png": PNG, ".bmp": BMP, ".dib": BMP, ".jpg": JPEG, ".jpeg": JPEG, ".jpe": JPEG, ".jfif": JPEG, ".tif": TIFF,
    ".tiff": TIFF, ".webp": WEBP, ".avif": AVIF, ".jp2": JPEG2000, ".tga": TGA, ".ppm": PNM, ".pnm": PNM, ".pgm": PGM,
}  # fmt: skip
# Pillow's names. JPEG includes MPO, a camera's jpg with further pictures behind it; TIFF is read by `tiff`.
READABLE = ("BMP", "DIB", "PNG", "JPEG", "WEBP", "GIF", "AVIF", "HEIF", "JPEG2000", "PPM", "TGA")
SUFFIXES = (
    ".bmp", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".jpe", ".jfif", ".dib", ".webp", ".gif", ".apng", ".avif",
    ".heic", ".heif", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm", ".tga",
)  # fmt: skip
KINDS = "bmp, png, jpg, tif, webp, gif, avif, heic, jp2, ppm or tga"
