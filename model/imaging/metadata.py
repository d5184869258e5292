"""What travels with a picture: EXIF, resolution, XMP, IPTC, texts, and what PNG says of colours.

EXIF is kept as directories of tags, so that what speaks of the pixels can be renewed: the orientation, which has been
carried out, sizes, resolution (times the factor: a print keeps its size) and the thumbnail.
"""

from __future__ import annotations

import dataclasses
import fractions
import re
import struct

from model.imaging import tags

WIDTH, HEIGHT, ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 256, 257, 274, 282, 283, 296
PIXEL_X, PIXEL_Y, SUBJECT_AREA, SUBJECT_LOCATION, MAKER_NOTE = 0xA002, 0xA003, 0x9214, 0xA214, 0x927C
# The tags of a TIFF's directory that speak of the picture and not of how it is stored.
DESCRIPTIVE = (270, 271, 272, 285, 305, 306, 315, 316, 33432, 40091, 40092, 40093, 40094, 40095, 18246, 18249)
_INCH, _CENTIMETRE = 2, 3
# And those that speak of how it is stored there.
_STORED = (
    *range(254, 270), 273, 274, *range(277, 282), 284, 292, 293, 301, *range(317, 350), 512, 513, 514, 700, 33723,
    34377, 34675,
)  # fmt: skip
_THUMBNAIL_AT, _THUMBNAIL_LENGTH, _THUMBNAIL_CODEC, _OLD_JPEG = 513, 514, 259, 6
EXIF_PREFIX = b"Exif\0\0"
LARGEST_DPI = 1e6  # more is damage, and times the factor no format has room for it


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What a file says besides its pixels.

    Attributes
    ----------
    exif : model.imaging.tags.Directory or None
        Of the picture, with EXIF's and GPS' own below it; no thumbnail.
    thumbnail : bool
        There was one, and the output shall have one.
    dpi : (float, float) or None
        Pixels per inch, across and down.
    xmp, iptc : bytes or None
        An XML packet; records.
    text : tuple of (str, str)
        Keywords and texts.
    colour : tuple of (bytes, bytes)
        PNG's chunks gAMA, cHRM, sRGB, cICP, mDCV and cLLI: name and content.
    """

    exif: tags.Directory | None = None
    thumbnail: bool = False
    dpi: tuple[float, float] | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    text: tuple = ()
    colour: tuple = ()

    def stripped(self) -> Metadata:
        """Return what does not speak of people and places: resolution and colours."""
        return Metadata(dpi=self.dpi, colour=self.colour)

    def upright(self, orientation: int) -> Metadata:
        """Return it for a picture whose EXIF orientation has been carried out."""
        exif = self.exif
        if exif is not None and ORIENTATION in exif:
            exif = exif.copy()
            exif.put(ORIENTATION, tags.SHORT, 1)
        swapped = orientation >= 5 and self.dpi is not None
        xmp = self.xmp if orientation == 1 or self.xmp is None else _ORIENTED.sub(rb"\g<1>1\g<2>", self.xmp)
        return dataclasses.replace(self, exif=exif, dpi=self.dpi[::-1] if swapped else self.dpi, xmp=xmp)

    def enlarged(self, upscale: int, size: tuple[int, int]) -> Metadata:
        """Return it for a picture `upscale` times as large, of `size` (width, height)."""
        dpi = None if self.dpi is None else tuple(value * upscale for value in self.dpi)
        exif = self.exif
        if exif is not None:
            exif = exif.copy()
            for tag, number in ((WIDTH, size[0]), (HEIGHT, size[1])):
                if tag in exif:
                    exif.put(tag, tags.LONG, number)
            if X_RESOLUTION in exif or Y_RESOLUTION in exif:
                put_resolution(exif, dpi)
            inside = exif.subs.get(tags.EXIF)
            if inside is not None:
                for tag, number in ((PIXEL_X, size[0]), (PIXEL_Y, size[1])):
                    if tag in inside:
                        inside.put(tag, tags.LONG, number)
                for tag in (SUBJECT_AREA, SUBJECT_LOCATION):  # in pixels of the camera's picture, not upright
                    inside.pop(tag, None)
        return dataclasses.replace(self, exif=exif, dpi=dpi)


_ORIENTED = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>)\s*)[1-8](\s*[\"'<])")


def put_resolution(directory: tags.Directory, dpi: tuple[float, float] | None) -> None:
    """Set the tags of a resolution, or remove them."""
    if dpi is None:
        for tag in (X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT):
            directory.pop(tag, None)
        return
    for tag, value in zip((X_RESOLUTION, Y_RESOLUTION), dpi):
        number = fractions.Fraction(value).limit_denominator(10000)
        directory.put(tag, tags.RATIONAL, min(number.numerator, 2**32 - 1), number.denominator)
    directory.put(RESOLUTION_UNIT, tags.SHORT, _INCH)


def resolution(directory: tags.Directory) -> tuple[float, float] | None:
    """Return the dots per inch that a directory says, or None, also if nothing has that many."""
    unit = directory.number(RESOLUTION_UNIT, _INCH)
    values = directory.values(X_RESOLUTION), directory.values(Y_RESOLUTION)
    if unit not in (_INCH, _CENTIMETRE) or not all(len(v) >= 2 and v[0] > 0 and v[1] > 0 for v in values):
        return None
    found = tuple(v[0] / v[1] * (2.54 if unit == _CENTIMETRE else 1) for v in values)
    return found if max(found) < LARGEST_DPI else None


def read_exif(block: bytes | None) -> tuple[tags.Directory | None, bool]:
    """Return the directory of an EXIF block and whether there is a thumbnail; (None, False) if it is damaged: the
    pixels may still be fine.
    """
    if not block:
        return None, False
    block = block.removeprefix(EXIF_PREFIX)
    try:
        order, big, at = tags.read_header(block)
        found = tags.read_directory(block, at, order, big, depth=1)
    except (tags.DamagedTags, struct.error):
        return None, False
    return (found if found or found.subs else None), 0 < found.following < len(block)


def descriptive(directory: tags.Directory) -> tags.Directory | None:
    """Return what a TIFF's directory says that EXIF says as well."""
    found = tags.Directory(directory.order)
    found.update({tag: entry for tag, entry in directory.items() if tag in DESCRIPTIVE})
    found.subs = {tag: sub for tag, sub in directory.subs.items() if tag in (tags.EXIF, tags.GPS)}
    return found if found or found.subs else None


def exif_block(exif: tags.Directory, thumbnail: bytes | None = None) -> bytes:
    """Return EXIF as files other than TIFFs hold it, with a thumbnail (a JPEG)."""
    exif = exif.copy()
    for tag in _STORED:
        if tag not in (WIDTH, HEIGHT, ORIENTATION):
            exif.pop(tag, None)
    block = tags.header(exif.order) + tags.pack(exif, 8)
    if thumbnail is None:
        return EXIF_PREFIX + block
    block += b"\0" * (len(block) % 2)
    block = tags.header(exif.order) + tags.pack(exif, 8, following=len(block))
    block += b"\0" * (len(block) % 2)
    small = tags.Directory(exif.order)
    small.put(_THUMBNAIL_CODEC, tags.SHORT, _OLD_JPEG)
    small.put(_THUMBNAIL_LENGTH, tags.LONG, len(thumbnail))
    small.put(_THUMBNAIL_AT, tags.LONG, 0)
    at = len(block) + len(tags.pack(small, len(block)))
    small.put(_THUMBNAIL_AT, tags.LONG, at)
    return EXIF_PREFIX + block + tags.pack(small, len(block)) + thumbnail
