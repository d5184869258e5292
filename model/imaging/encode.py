"""Pictures as the bytes of a file, with what travels with them, and a note of what the format cannot hold."""

from __future__ import annotations

import dataclasses
import io
import struct

import numpy as np
from PIL import Image

from model.imaging import formats
from model.imaging.color import rgb_to_y
from model.imaging.kinds import png, tiff_output
from model.imaging.metadata import MAKER_NOTE, ORIENTATION, Metadata, exif_block, put_resolution
from model.imaging.picture import Picture, to_eight
from model.imaging.tags import EXIF

_THUMBNAIL_SIDE = 160
_SEGMENT = 65533  # bytes of a JPEG's marker segment
_EXIF_MOST, _XMP_MOST = _SEGMENT, _SEGMENT - 29
_WHITE = 255


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How files are written.

    Attributes
    ----------
    quality : int or None
        1..100, of jpg, webp and avif; jpg 95, avif 90 and lossless webp if None.
    strip : bool
        Leave out EXIF (GPS with it), XMP, IPTC and texts.
    """

    quality: int | None = None
    strip: bool = False


def encode(
    picture: Picture, suffix: str, encoding: Encoding = Encoding()
) -> tuple[bytes | memoryview, tuple[str, ...]]:
    """Return the bytes of a file.

    Parameters
    ----------
    picture : Picture
    suffix : str
        One of `model.imaging.formats.WRITABLE`.
    encoding : Encoding

    Returns
    -------
    (bytes, tuple of str)
        And what the format could not hold.
    """
    kind, notes = formats.WRITABLE[suffix], []
    metadata = picture.metadata.stripped() if encoding.strip else picture.metadata
    if picture.alpha is not None and not kind.alpha:
        picture = _over_white(picture)
        notes.append(f"{suffix} holds no transparency: the picture is laid over white; write a .png to keep it")
    if picture.deep and not kind.deep:
        picture = picture.shallow()
        notes.append(f"{suffix} holds 8 bits per channel: the picture's 16 are rounded; write a .png or .tif")
    if kind.grey_only and picture.pixels.ndim == 3:
        picture = dataclasses.replace(picture.shallow(), pixels=rgb_to_y(picture.shallow().pixels))
        notes.append(f"{suffix} holds no colours: they are dropped; write a .ppm")
    icc = picture.icc
    if icc and not kind.icc:
        picture, note = _to_srgb(picture, suffix)
        notes.append(note)
        icc = None
    metadata, dropped = _fitting(metadata, kind)
    if dropped:
        notes.append(f"{suffix} holds no {_list(dropped)}: dropped")
    if kind is formats.TIFF:
        return tiff_output.encode(picture.pixels, picture.alpha, icc, metadata), tuple(notes)
    if kind is formats.PNG:
        return _png(picture, icc, metadata), tuple(notes)
    if picture.deep:
        return _portable_map(picture.pixels), tuple(notes)
    options = dict(kind.options)
    if encoding.quality is not None and kind.lossy:
        options |= {"quality": encoding.quality}
        options.pop("lossless", None)
    if icc:
        options["icc_profile"] = icc
    if metadata.dpi and kind is formats.JPEG:
        options["dpi"] = tuple(min(65535, max(1, round(value))) for value in metadata.dpi)
    elif metadata.dpi and kind.dpi:
        options["dpi"] = metadata.dpi
    notes += _put(options, metadata, kind, picture)
    if kind is formats.JPEG:
        _jpeg_only(options, metadata, notes)
    file = io.BytesIO()
    Image.fromarray(_samples(picture)).save(file, format=kind.name, **options)
    return file.getbuffer(), tuple(notes)


def _samples(picture):
    return picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])


def _over_white(picture):
    """Lay a transparent picture over white: what a viewer shows on paper."""
    white = np.iinfo(picture.pixels.dtype).max
    out = np.empty_like(picture.pixels)
    for top in range(0, len(out), 256):
        rows = slice(top, top + 256)
        alpha = picture.alpha[rows].astype(np.uint64)
        alpha = alpha if out.ndim == 2 else alpha[:, :, None]
        pixels = picture.pixels[rows].astype(np.uint64)
        out[rows] = (pixels * alpha + white * (white - alpha) + white // 2) // white
    return dataclasses.replace(picture, pixels=out, alpha=None)


def _to_srgb(picture, suffix):
    """Return a picture whose colours are sRGB's, and a note."""
    dropped = f"{suffix} holds no colour profile: dropped; write a .png to keep it"
    if picture.pixels.ndim == 2 or picture.deep:
        return picture, dropped
    try:
        from PIL import ImageCms  # not everywhere

        profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.icc))
        image = ImageCms.profileToProfile(Image.fromarray(picture.pixels), profile, ImageCms.createProfile("sRGB"))
    except Exception:  # no LittleCMS, or a damaged profile
        return picture, dropped
    converted = dataclasses.replace(picture, pixels=np.asarray(image), icc=None)
    return converted, f"{suffix} holds no colour profile: the colours are converted to sRGB"


def _fitting(metadata, kind):
    """Return what the format holds of the metadata, and names of what it doesn't."""
    dropped, keep = [], {}
    for field, what in (("exif", "EXIF"), ("xmp", "XMP"), ("iptc", "IPTC")):
        if getattr(metadata, field) is not None and not getattr(kind, field):
            dropped.append(what)
            keep[field] = None
    texts = metadata.text
    if texts and not kind.text:
        keep["text"] = tuple(text for text in texts if text[0] == "Comment") if kind is formats.JPEG else ()
        if len(keep["text"]) < len(texts):
            dropped.append("texts")
    # sRGB is what everyone takes for granted, and a gamma of 1/2.2 nearly so
    meant = [name for name, value in metadata.colour if name not in (b"sRGB", b"gAMA") or not _usual(name, value)]
    if meant and not kind.colour:
        dropped.append(f"colour description ({', '.join(name.decode() for name in meant)})")
        keep["colour"] = ()
    if metadata.dpi and not kind.dpi and not (kind.exif and metadata.exif is not None):
        dropped.append("resolution")
        keep["dpi"] = None
    return dataclasses.replace(metadata, **keep), dropped


def _usual(name, value):
    return name == b"sRGB" or value == struct.pack(">I", 45455)


def _list(words):
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _thumbnail(picture):
    """Return a small JPEG of the result."""
    pixels = to_eight(picture.pixels[:: max(1, len(picture.pixels) // 1024), :: max(1, picture.size[0] // 1024)])
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return file.getvalue()


def _put(options, metadata, kind, picture):
    """Add EXIF and XMP to an encoder's options; return notes."""
    notes = []
    if metadata.exif is not None:
        exif = metadata.exif.copy()
        if not kind.dpi:
            put_resolution(exif, metadata.dpi)
        if kind is formats.AVIF:  # or Pillow makes a turn of it, and loses the thumbnail
            exif.pop(ORIENTATION, None)
        block = exif_block(exif, _thumbnail(picture) if metadata.thumbnail else None)
        if kind is formats.JPEG and len(block) > _EXIF_MOST:
            if EXIF in exif.subs:
                exif.subs[EXIF].pop(MAKER_NOTE, None)
            block = exif_block(exif)
            notes.append("a jpg's EXIF has 64 kB: the thumbnail and the maker's note are dropped")
        if kind is not formats.JPEG or len(block) <= _EXIF_MOST:
            options["exif"] = block
        else:
            notes[-1] = "a jpg's EXIF has 64 kB: this one is dropped"
    if metadata.xmp is not None:
        if kind is formats.JPEG and len(metadata.xmp) > _XMP_MOST:
            notes.append("a jpg's XMP has 64 kB: this one is dropped")
        else:
            options["xmp"] = metadata.xmp
    return notes


def _jpeg_only(options, metadata, notes):
    if metadata.text:
        options["comment"] = metadata.text[0][1].encode()[:_SEGMENT]
    if metadata.iptc is not None:
        block = b"Photoshop 3.0\0" + b"8BIM\4\4\0\0" + struct.pack(">I", len(metadata.iptc)) + metadata.iptc
        block += b"\0" * (len(metadata.iptc) % 2)
        if len(block) > _SEGMENT:
            notes.append("a jpg's IPTC has 64 kB: this one is dropped")
        else:
            options["extra"] = b"\xff\xed" + struct.pack(">H", len(block) + 2) + block


def _png(picture, icc, metadata: Metadata):
    more = [png.profile_chunk(icc)] if icc else []
    # with a profile the others are for readers that know none; PNG has no place for both a profile and sRGB
    more += [(name, value) for name, value in metadata.colour if not (icc and name == b"sRGB")]
    if metadata.dpi:
        more.append(png.resolution_chunk(metadata.dpi))
    if metadata.exif is not None:
        block = exif_block(metadata.exif, _thumbnail(picture) if metadata.thumbnail else None)
        more.append((b"eXIf", block.removeprefix(b"Exif\0\0")))
    if metadata.xmp is not None:
        more.append(png.xmp_chunk(metadata.xmp))
    if metadata.iptc is not None:
        more.append(png.pack_profile("iptc", metadata.iptc))
    more += [png.text_chunk(keyword, text) for keyword, text in metadata.text]
    level = formats.PNG.options["compress_level"]
    if picture.deep:
        return png.encode_16_bit(picture.pixels, picture.alpha, level, more)
    file = png.FileWith(more)
    Image.fromarray(_samples(picture)).save(file, "PNG", compress_level=level)
    return file.getbuffer()


def _portable_map(pixels):
    kind = b"P5" if pixels.ndim == 2 else b"P6"
    return kind + f"\n{pixels.shape[1]} {pixels.shape[0]}\n65535\n".encode() + pixels.astype(">u2").tobytes()
