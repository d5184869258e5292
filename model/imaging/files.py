"""Picture files in and out: what people have (grey, colour, palettes, 16 bit, CMYK, transparent, rotated) as arrays.

Pillow reads and writes most (it knows a picture's size before decoding it, and says when one is cut short), `tiff` and
`tiff_output` TIFF, `png` what has 16 bits per channel.
"""

from __future__ import annotations

import mmap
import os
import pathlib
import re
import stat
import warnings
from collections.abc import Callable, Iterable
from typing import NamedTuple

from PIL import Image

from model.base.errors import UserError
from model.base.outputs import Inputs, check_place, reason
from model.base.paths import atomic_write
from model.imaging import decode, formats
from model.imaging.encode import Encoding, encode
from model.imaging.formats import KINDS, WRITABLE
from model.imaging.kinds import tiff
from model.imaging.kinds.tiff_output import ICC, IPTC, XMP
from model.imaging.metadata import Metadata, descriptive, resolution
from model.imaging.picture import Picture

_BYTES_PER_PIXEL = 4  # of a file, at most: RGB and transparency that no codec could shrink
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BEGIN = 4096  # bytes of a file that are looked at
# What is recognised and not read: how its file begins, what it is, the remedy.
_REFUSED = (
    (
        rb"\x76\x2f\x31\x01",
        "OpenEXR, light in floating point that does not say what is white",
        "tone-map it into a png",
    ),
    (
        rb"#\?RADIANCE",
        "Radiance HDR, light in floating point that does not say what is white",
        "tone-map it into a png",
    ),
    (b"8BPS", "Photoshop's own format", "export it as png or tif"),
    (b"%PDF", "a PDF", "export its pages as png"),
    (
        rb"(?:\xef\xbb\xbf)?\s*<(?:|[?!](?!(?i:doctype html)).*?<)svg[\s/>]",
        "SVG, which has no pixels",
        "render it at the size you want",
    ),
    (b"\xff\x0a", "JPEG XL", "convert it to png"),
    (rb"\0\0\0\x0cJXL ", "JPEG XL", "convert it to png"),
    (rb"FUJIFILMCCD-RAW|IIR[OS]\x08|IIU\0|....ftypcrx ", "a camera's raw file", "develop it into a tif, png or jpg"),
)
_HEIF = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_TGA_END = b"TRUEVISION-XFILE.\0"

# `check_size` below refuses large pictures from their header, with numbers and a remedy; and a damaged EXIF or
# text chunk is no reason to trouble anyone who wants the pixels.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\..*")


def read_picture(path: str | pathlib.Path, check_size: Callable | None = None) -> Picture:
    """Read a picture file.

    Parameters
    ----------
    path : path-like
    check_size : callable, optional
        Called with width and height (as stored, perhaps not upright) before anything is decoded; raises to
        refuse the picture.

    Returns
    -------
    Picture
        Of 16 bits where the file has more than 8; see `Picture.shallow`.

    Raises
    ------
    UserError
        Missing, empty, cut short, damaged, or no picture of a kind in `model.imaging.formats.KINDS`.
    """
    with _open_file(path) as file:
        size, image = _look(path, file)
        if check_size is not None:
            check_size(*size)
        file.seek(0)
        data = file.read()
        if image is None:
            return _decoded(path, size, lambda: _read_tiff(path, data))
        return _decoded(path, size, lambda: decode.decode(str(path), image, data))


class Header(NamedTuple):
    """What a picture's file says before it is decoded.

    Attributes
    ----------
    size : (int, int)
        Width and height, as stored.
    channels : int
        1: grey, 2: with transparency, 3: colours, 4: with transparency.
    sample_bytes : int
        1, or 2 of more than 8 bits.
    """

    size: tuple[int, int]
    channels: int
    sample_bytes: int


def picture_header(path: str | pathlib.Path) -> Header:
    """Read a picture file's header; errors as for `read_picture`."""
    with _open_file(path) as file:
        size, image = _look(path, file)
        if image is None:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return Header(size, *tiff.channels(str(path), data))
        alpha = image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info
        grey = image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;")
        file.seek(0)
        return Header(size, (1 if grey else 3) + alpha, 2 if decode.is_deep(image, file.read(_BEGIN)) else 1)


def _look(path, file):
    """Return width and height from a file's header, and the picture that Pillow opened; None for a TIFF."""
    begin = file.read(_BEGIN)
    for magic, what, remedy in _REFUSED:
        if re.match(magic, begin, re.DOTALL):
            raise UserError(f"{path} is {what}, and not read here; {remedy}")
    try:
        if begin[:4] in _TIFF:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return tiff.size(str(path), data), None
        kinds = _formats(path, file, begin)
        file.seek(0)
        image = Image.open(file, formats=kinds)
        return image.size, image
    except UserError:
        raise
    except Exception as error:  # whatever a decoder trips over in foreign data
        raise UserError(
            f"{path} is not a readable {KINDS} picture (another kind of file, damaged or cut short); "
            "convert it or copy it again"
        ) from error


def check_output(
    path: str | pathlib.Path,
    inputs: Inputs | str | pathlib.Path | Iterable,
    size: tuple[int, int] | None = None,
) -> None:
    """Raise `UserError` unless a picture can be written to `path` later, before hours are spent on it.

    Parameters
    ----------
    path : path-like
    inputs : Inputs, path-like or iterable of them
        What it must not replace.
    size : (int, int), optional
        Width and height of the result.
    """
    path = pathlib.Path(path)
    kind = output_kind(path)
    if size is not None and kind.most is not None and max(size) > kind.most:
        raise UserError(
            f"cannot write {path}: a {path.suffix.lower().lstrip('.')} holds at most {kind.most} pixels a side and "
            f"this is {size[0]}x{size[1]}; write a png"
        )
    check_place(path, inputs, 0 if size is None else size[0] * size[1] * _BYTES_PER_PIXEL)


def write_picture(
    path: str | pathlib.Path, picture: Picture, announce: Callable | None = None, encoding: Encoding = Encoding()
) -> tuple[str, ...]:
    """Write a picture in the format of its extension; the file appears only when it is complete.

    Parameters
    ----------
    path : path-like
    picture : Picture
    announce : callable, optional
        Takes the name of the temporary file, see `model.base.paths.atomic_write`.
    encoding : Encoding

    Returns
    -------
    tuple of str
        What the format could not hold.

    Raises
    ------
    UserError
        Unknown extension, or the file cannot be written.
    """
    path = pathlib.Path(path)
    output_kind(path)
    try:
        # encoders keep the reason of a failed write to themselves; a file says it ("No space left")
        encoded, notes = encode(picture, path.suffix.lower(), encoding)
        with atomic_write(path, announce) as temporary:
            temporary.write_bytes(encoded)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {path}: {reason(error)}; choose another output") from error
    return notes


def output_kind(path: str | pathlib.Path) -> formats.Format:
    """Return the format of an output by its extension; raise `UserError` if it is none."""
    path = pathlib.Path(path)
    kind = WRITABLE.get(path.suffix.lower())
    if kind is None:
        raise UserError(
            f"cannot write {path}: the output's extension is {path.suffix or 'missing'}; choose {', '.join(WRITABLE)}"
        )
    if kind.name not in _known(Image.SAVE):
        raise UserError(f"cannot write {path}: the Pillow that is installed here writes no {kind.name}; write a png")
    return kind


def _known(registry):
    Image.init()
    return registry


def _formats(path, file, begin):
    """Return the formats that Pillow may take a file for."""
    is_avif = b"avif" in begin[8:]
    if begin[4:8] == b"ftyp" and begin[8:12] in _HEIF and not is_avif:
        try:
            import pillow_heif
        except ImportError as error:
            raise UserError(
                f"{path} is a heic, which pillow-heif reads; install it: pip install pillow-heif"
            ) from error
        pillow_heif.register_heif_opener()
    elif begin[4:8] == b"ftyp" and is_avif and "AVIF" not in _known(Image.OPEN):
        raise UserError(f"{path} is an avif, which the Pillow installed here does not read; install a newer one")
    known = _known(Image.OPEN)
    # a tga begins with nothing that could not be anything else
    file.seek(max(0, file.seek(0, os.SEEK_END) - len(_TGA_END)))
    is_tga = pathlib.Path(path).suffix.lower() in (".tga", ".icb", ".vda", ".vst") or file.read() == _TGA_END
    return [kind for kind in formats.READABLE if kind in known and (kind != "TGA" or is_tga)]


def _read_tiff(path, data):
    decoded = tiff.read(str(path), data)
    directory, notes, icc = decoded.directory, list(decoded.notes), directory_bytes(decoded.directory, ICC)
    pixels, alpha = decoded.pixels, decoded.alpha
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels, note = decode.from_cmyk_samples(pixels, icc)
        notes.append(note)
        icc = None
    orientation = directory.number(tiff.ORIENTATION, 1)
    metadata = Metadata(
        descriptive(directory),
        False,
        resolution(directory),
        directory_bytes(directory, XMP),
        directory_bytes(directory, IPTC),
    )
    return Picture(
        decode.upright(pixels, orientation),
        decode.upright(alpha, orientation),
        icc,
        tuple(notes),
        metadata.upright(orientation),
    )


def directory_bytes(directory: dict, tag: int) -> bytes | None:
    """Return the bytes of a tag, or None."""
    return directory[tag].data if tag in directory else None


def _decoded(path, size, work):
    """Do the work of decoding; whatever it trips over becomes one sentence."""
    try:
        return work()
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"{path} of {size[0]}x{size[1]} pixels does not fit into memory; cut it into parts") from error
    except Exception as error:  # whatever a decoder trips over in foreign data
        raise UserError(
            f"{path} is damaged or cut short ({_one_line(error)}); copy it again from its source"
        ) from error


def _one_line(error):
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _open_file(path):
    """Open an existing, regular, non-empty file for reading, or say why not."""
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise UserError(f"{path} is a folder; give a picture file in it")
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path} is not a regular file; give a {KINDS} picture")
        if status.st_size == 0:
            raise UserError(f"{path} is empty (0 bytes); copy it again from its source")
        return open(path, "rb")
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}; check the name and the folder") from error
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {str(path)!r}: {reason(error)}; give a {KINDS} picture") from error


__all__ = [
    "Encoding",
    "Header",
    "Picture",
    "check_output",
    "check_place",
    "output_kind",
    "picture_header",
    "read_picture",
    "write_picture",
]
