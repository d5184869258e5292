"""Pictures that Pillow reads, as arrays; where it knows 8 bits only, OpenCV reads the 16 that the file has."""

from __future__ import annotations

import dataclasses
import io
import re
import struct

import cv2
import numpy as np
from PIL import Image

from model.base.errors import UserError
from model.imaging.kinds import heif, png
from model.imaging.kinds.tiff import quiet_libraries
from model.imaging.metadata import LARGEST_DPI, Metadata, read_exif, resolution
from model.imaging.picture import Picture, check_samples, to_eight, to_full_range

_ORIENTATION = 0x0112  # EXIF tag; 1 is upright
_IPTC = 0x0404  # Photoshop's number for IPTC's records
_PNM = re.compile(rb"(P[2356])((?:\s*#[^\r\n]*[\r\n]|\s)+)(\d+)((?:\s*#[^\r\n]*[\r\n]|\s)+)(\d+)"
                  rb"((?:\s*#[^\r\n]*[\r\n]|\s)+)(\d+)(?:\s*#[^\r\n]*)?\s")  # fmt: skip


def decode(name: str, image: Image.Image, data: bytes) -> Picture:
    """Decode an opened picture.

    Parameters
    ----------
    name : str
        For errors.
    image : PIL.Image.Image
        Opened, not yet decoded.
    data : bytes
        Its file.

    Raises
    ------
    UserError
        Samples that do not say what is white.
    Exception
        Whatever a decoder trips over.
    """
    notes = [] if image.format == "MPO" or getattr(image, "n_frames", 1) < 2 else [
        f"{image.n_frames} pages or frames: the first one is taken"
    ]  # fmt: skip
    layout = next((str(entry[3]) for entry in image.tile), "") if image.format == "PNG" else ""
    if image.mode == "F":
        check_samples(name, 32, "floating-point")
    if image.format == "JPEG2000":
        check_samples(name, *_jpeg2000_samples(data))
    icc = image.info.get("icc_profile")
    colour = () if icc or image.format not in ("AVIF", "HEIF") else heif.colours(data, notes)
    with quiet_libraries():
        image.load()
    if heif.keeps_depth(image):
        pixels, alpha = heif.deep(data)
    elif image.format == "PPM" and (match := _PNM.match(data)) and int(match[7]) != 255:
        pixels, alpha = _portable_map(name, match, data)
    elif image.format == "JPEG2000" and _jpeg2000_samples(data)[0] > 8:
        pixels, alpha = _deep_jpeg2000(image, data)
    elif ";16" in layout:
        pixels, alpha = _deep_png(image, data, grey=not layout.startswith("RGB"))
    else:
        if image.mode in ("I", "LAB", "HSV") or image.mode.startswith("I;"):
            check_samples(name, 32)
        if image.format in ("AVIF", "HEIF") and (bits := heif.bits(image, data)) > 8:
            notes.append(f"{bits} bits per channel: read in 8")
        if layout in ("L;2", "L;4") and "transparency" in image.info:  # Pillow widens the samples, and forgets this one
            white = (1 << int(layout[2:])) - 1
            image.info["transparency"] = (image.info["transparency"] & white) * 255 // white
        if image.mode == "CMYK":
            image, note = _from_cmyk(image, icc)
            notes.append(note)
            icc = None
        pixels, alpha = _arrays(image)
        if image.format == "JPEG2000" and (bits := _jpeg2000_samples(data)[0]) < 8:  # Pillow shifts them up
            white = (1 << bits) - 1
            pixels, alpha = (
                None if samples is None else to_full_range(samples >> (8 - bits), white) for samples in (pixels, alpha)
            )
    orientation = _orientation(image)
    pixels, alpha = upright(pixels, orientation), upright(alpha, orientation)
    metadata = _metadata(image, data)
    metadata = dataclasses.replace(metadata, colour=(*metadata.colour, *colour))
    return Picture(pixels, alpha, icc, tuple(notes), metadata.upright(orientation))


def is_deep(image: Image.Image, begin: bytes) -> bool:
    """Tell from an opened picture and the first bytes of its file whether `decode` gives 16 bits."""
    if image.format == "JPEG2000":
        try:
            return _jpeg2000_samples(begin)[0] > 8
        except ValueError:  # a header longer than what is here
            return False
    if image.format == "PPM":
        match = _PNM.match(begin)
        return match is not None and int(match[7]) > 255
    return heif.keeps_depth(image) or (image.format == "PNG" and ";16" in str(image.tile))


def upright(array: np.ndarray | None, orientation: int) -> np.ndarray | None:
    """Return a picture as its EXIF orientation wants it shown; None is returned as it is."""
    if array is None or orientation not in range(2, 9):
        return array
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):  # upside down
        array = array[::-1]
    if orientation in (2, 3, 6, 7):  # mirrored
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def from_cmyk_samples(pixels: np.ndarray, icc: bytes | None) -> tuple[np.ndarray, str]:
    """Return RGB, uint8, of a TIFF's cyan, magenta, yellow and black (H, W, 4), and a note."""
    image, note = _from_cmyk(Image.fromarray(to_eight(pixels), "CMYK"), icc)
    return np.asarray(image), note


def _arrays(image):
    """Return pixels and transparency, uint8."""
    transparent = "transparency" in image.info or image.mode in ("LA", "PA", "La", "RGBA", "RGBa")
    grey = image.mode in ("1", "L", "LA", "La")
    mode = ("LA" if transparent else "L") if grey else ("RGBA" if transparent else "RGB")
    array = np.asarray(image if image.mode == mode else image.convert(mode))
    if not transparent:
        return array, None
    pixels = array[:, :, 0] if grey else array[:, :, :3]
    return np.ascontiguousarray(pixels), np.ascontiguousarray(array[:, :, -1])


def _deep_png(image, data, grey):
    """Return pixels and transparency, uint16; what Pillow reads of them in 8 bits has to agree."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        pixels, alpha = np.asarray(image).astype(np.uint16), None
    else:
        samples, known = _by_opencv(png.still(data)), np.asarray(image)
        pixels = samples[:, :, 0] if grey else samples[:, :, 2::-1]
        alpha = samples[:, :, -1] if known.shape[2] in (2, 4) else None
        if not np.array_equal(pixels >> 8, known[:, :, 0] if grey else known[:, :, :3]):  # Pillow keeps the upper byte
            raise ValueError("two decoders do not agree on its pixels")
    hidden = image.info.get("transparency")
    if hidden is not None and alpha is None:
        same = pixels == np.asarray(hidden)
        alpha = np.where(same if same.ndim == 2 else same.all(axis=2), 0, 65535).astype(np.uint16)
    return np.ascontiguousarray(pixels), None if alpha is None else np.ascontiguousarray(alpha)


def _by_opencv(data):
    with quiet_libraries():
        samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16:
        raise ValueError("its 16 bits per channel cannot be decoded")
    return samples if samples.ndim == 3 else samples[:, :, None]


def _portable_map(name, match, data):
    """Return the pixels of a pgm or ppm whose white is not 255."""
    kind, width, height, white = match[1], int(match[3]), int(match[5]), int(match[7])
    if not 1 <= white <= 65535:
        raise UserError(f"{name} says that white is {white}, the limit is 65535; convert it to 8 or 16 bits")
    channels = 3 if kind in (b"P3", b"P6") else 1
    count, rest = width * height * channels, data[match.end() :]
    if kind in (b"P2", b"P3"):
        samples = np.array(rest.split()[:count], np.uint16)
    else:
        samples = np.frombuffer(rest, ">u2" if white > 255 else np.uint8, count)
    samples = samples[:count].reshape((height, width, 3) if channels == 3 else (height, width))
    return to_full_range(samples, white), None


def _jpeg2000_samples(data):
    """Return bits and kind of a JPEG 2000's samples: its SIZ marker says so."""
    at = data.find(b"\xff\x4f\xff\x51")
    if at < 0 or at + 43 > len(data):
        raise ValueError("no JPEG 2000 codestream")
    (count,) = struct.unpack_from(">H", data, at + 40)
    kinds = {data[at + 42 + 3 * i] for i in range(count) if at + 42 + 3 * i < len(data)}
    most = max(kinds)
    return (most & 127) + 1, "signed" if any(kind & 128 for kind in kinds) else "unsigned"


def _deep_jpeg2000(image, data):
    bits, channels = _jpeg2000_samples(data)[0], len(image.getbands())
    samples = _by_opencv(data)
    if samples.shape[2] != channels or samples.max() >> bits:
        raise ValueError("its bits per channel cannot be decoded")
    samples = to_full_range(samples, (1 << bits) - 1)
    if channels in (1, 2):
        return np.ascontiguousarray(samples[:, :, 0]), samples[:, :, 1].copy() if channels == 2 else None
    return np.ascontiguousarray(samples[:, :, 2::-1]), samples[:, :, 3].copy() if channels == 4 else None


def _from_cmyk(image, icc):
    """Return RGB of CMYK, by its profile if that can be used, and a note."""
    if icc:
        try:
            from PIL import ImageCms  # not everywhere

            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
            converted.info = {key: value for key, value in image.info.items() if key != "icc_profile"}
            converted.format = image.format
            return converted, "CMYK: converted to sRGB by its colour profile"
        except Exception:  # no LittleCMS, or a damaged profile
            pass
    converted = image.convert("RGB")
    converted.format = image.format
    return converted, "CMYK: converted to RGB without its colour profile"


def _orientation(image):
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a damaged EXIF block: the pixels may still be fine
        return 1
    return value if value in range(1, 9) else 1


def _metadata(image, data):
    """Return what the file says besides its pixels."""
    info = image.info
    texts = [(key, str(value)) for key, value in getattr(image, "text", {}).items()] if image.format == "PNG" else []
    profiles = {key.split()[-1].lower(): png.unpack_profile(text) for key, text in texts if png.is_profile(key)}
    texts = [(key, text) for key, text in texts if not png.is_profile(key) and key != "XML:com.adobe.xmp"]
    comment = info.get("comment")
    if comment:
        texts.append(("Comment", comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment)))
    exif, thumbnail = read_exif(info.get("exif") or profiles.get("exif") or profiles.get("app1"))
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or profiles.get("xmp")
    photoshop = info.get("photoshop")
    iptc = photoshop.get(_IPTC) if isinstance(photoshop, dict) else profiles.get("iptc")
    dpi = info.get("dpi")
    if dpi is None or not all(0 < float(value) < LARGEST_DPI for value in dpi):
        dpi = exif and resolution(exif)
    colour = [(key, value) for key, value in png.chunks(data) if key in png.COLOUR] if image.format == "PNG" else []
    return Metadata(
        exif,
        thumbnail,
        tuple(map(float, dpi)) if dpi else None,
        xmp.encode() if isinstance(xmp, str) else xmp,
        bytes(iptc) if iptc else None,
        tuple(texts),
        tuple(colour),
    )
