"""Picture files in and out: what people have (grey, colour, palette, 16 bit, CMYK, transparent, rotated) as 8-bit
arrays.

Pillow reads and writes the files: it knows a picture's size before decoding it, and says when one is cut short.
"""

from __future__ import annotations

import dataclasses
import io
import os
import pathlib
import stat
import tempfile
import warnings
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageOps

from model.base.errors import UserError
from model.base.paths import atomic_write

READABLE = ("BMP", "PNG", "JPEG", "TIFF")  # JPEG includes MPO, a camera's jpg with further pictures behind it
# Output format and encoder settings by file extension.
WRITABLE = {
    ".bmp": ("BMP", {}),
    ".png": ("PNG", {"compress_level": 1}),  # lossless; a quarter of the default level's time, a seventh more bytes
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".tif": ("TIFF", {"compression": "tiff_lzw"}),
    ".tiff": ("TIFF", {"compression": "tiff_lzw"}),
}
TRANSPARENT = ("PNG", "TIFF")  # a bmp's fourth byte means nothing to most readers
JPEG_MAX_SIDE = 65500  # libjpeg's limit
_KINDS = "bmp, png, jpg or tif"
_ORIENTATION = 0x0112  # EXIF tag; 1 is upright

# `check_size` below refuses large pictures from their header, with numbers and a remedy; and a damaged EXIF or
# text chunk is no reason to trouble anyone who wants the pixels.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\..*")


@dataclasses.dataclass(frozen=True)
class Picture:
    """A decoded picture, upright.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (H, W) or (H, W, 3)
        Grey, or RGB.
    alpha : ndarray of uint8, shape (H, W), or None
    icc : bytes or None
        Colour profile, handed on to the output unchanged.
    notes : tuple of str
        What was lost or converted, for the user.
    """

    pixels: np.ndarray
    alpha: np.ndarray = None
    icc: bytes = None
    notes: tuple = ()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), as people say it."""
        return self.pixels.shape[1], self.pixels.shape[0]


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

    Raises
    ------
    UserError
        Missing, empty, cut short, damaged, or no picture of a kind in `READABLE`.
    """
    with _open_file(path) as file:
        try:
            image = Image.open(file, formats=READABLE)
        except Exception as error:  # whatever a decoder trips over in foreign data
            raise UserError(
                f"{path} is not a readable {_KINDS} picture (another kind of file, damaged or cut short); "
                "convert it or copy it again"
            ) from error
        if check_size is not None:
            check_size(*image.size)
        try:
            return _decode(image)
        except UserError:
            raise
        except MemoryError as error:
            raise UserError(
                f"{path} of {image.width}x{image.height} pixels does not fit into memory; cut it into parts"
            ) from error
        except Exception as error:
            raise UserError(
                f"{path} is damaged or cut short ({str(error).rstrip('.') or type(error).__name__}); copy it again "
                f"from its source"
            ) from error


def check_output(path: str | pathlib.Path, source: str | pathlib.Path, size: tuple[int, int] | None = None) -> None:
    """Raise `UserError` unless a picture can be written to `path` later, before hours are spent on it.

    Parameters
    ----------
    path, source : path-like
        Output, and the input that it must not replace.
    size : (int, int), optional
        Width and height of the result.
    """
    path = pathlib.Path(path)
    kind = WRITABLE.get(path.suffix.lower())
    if kind is None:
        raise UserError(
            f"cannot write {path}: the output's extension is {path.suffix or 'missing'}; choose {', '.join(WRITABLE)}"
        )
    if size is not None and kind[0] == "JPEG" and max(size) > JPEG_MAX_SIDE:
        raise UserError(
            f"cannot write {path}: a jpg holds at most {JPEG_MAX_SIDE} pixels a side and this is {size[0]}x{size[1]}; "
            f"write a png"
        )
    check_place(path, source)


def check_place(path: str | pathlib.Path, source: str | pathlib.Path) -> None:
    """Raise `UserError` unless a file of any kind can be written to `path`, without replacing `source`."""
    path = pathlib.Path(path)
    try:
        if path.is_dir():
            raise UserError(f"cannot write {path}: it is a folder; give a file name in it")
        if path.exists() and os.path.samefile(path, source):
            raise UserError(f"the output {path} is the input; choose another output, the original would be lost")
        if path.exists() and not os.access(path, os.W_OK):  # a rename would replace it all the same
            raise UserError(f"cannot write {path}: it is write-protected; choose another output")
        if not path.parent.exists():
            raise UserError(
                f"cannot write {path}: the folder {path.parent} does not exist; create it or choose another output"
            )
        with tempfile.TemporaryFile(
            dir=path.parent
        ):  # the only test that tells the truth to root, and on any file system
            pass
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {path}: {_reason(error)}; choose another output") from error


def write_picture(path: str | pathlib.Path, picture: Picture) -> tuple[str, ...]:
    """Write a picture in the format of its extension; the file appears only when it is complete.

    Parameters
    ----------
    path : path-like
    picture : Picture

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
    if path.suffix.lower() not in WRITABLE:
        raise UserError(
            f"cannot write {path}: the output's extension is {path.suffix or 'missing'}; choose {', '.join(WRITABLE)}"
        )
    kind, options = WRITABLE[path.suffix.lower()]
    pixels, notes = picture.pixels, ()
    if picture.alpha is not None:
        if kind in TRANSPARENT:
            pixels = np.dstack([pixels, picture.alpha])
        else:
            notes = (f"{path.suffix.lower()} holds no transparency: it is dropped; write a .png to keep it",)
    if picture.icc and kind != "BMP":
        options = {**options, "icc_profile": picture.icc}
    try:
        encoded = (
            io.BytesIO()
        )  # encoders keep the reason of a failed write to themselves; a file says it ("No space left")
        Image.fromarray(pixels).save(encoded, format=kind, **options)
        with atomic_write(path) as temporary:
            temporary.write_bytes(encoded.getbuffer())
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {path}: {_reason(error)}; choose another output") from error
    return notes


def _open_file(path):
    """Open an existing, regular, non-empty file for reading, or say why not."""
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise UserError(f"{path} is a folder; give a picture file in it")
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path} is not a regular file; give a {_KINDS} picture")
        if status.st_size == 0:
            raise UserError(f"{path} is empty (0 bytes); copy it again from its source")
        return open(path, "rb")
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}; check the name and the folder") from error
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {str(path)!r}: {_reason(error)}; give a {_KINDS} picture") from error


def _reason(error):
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _orientation(image):
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a damaged EXIF block: the pixels may still be fine
        return 1
    return value if value in range(1, 9) else 1


def _notes(image):
    """Say what reading this file as 8-bit grey or RGB loses."""
    notes = []
    if _deep(image):
        notes.append("16 bits per channel: computed and written in 8 bits")
    if image.mode == "CMYK":
        notes.append("CMYK: converted to RGB without its colour profile")
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        notes.append(f"{image.n_frames} pages or frames: the first one is taken")
    return tuple(notes)


def _deep(image):
    """Tell whether the file has 16 bits per channel: Pillow names the layout in the decoder's arguments."""
    layouts = [str(entry[3]) for entry in image.tile]
    return image.format != "BMP" and (image.mode.startswith("I;16") or any(";16" in layout for layout in layouts))


def _decode(image):
    notes, deep, icc = _notes(image), _deep(image), image.info.get("icc_profile")  # known before decoding only
    if image.mode == "F" or (image.mode == "I" and not deep):
        raise UserError(f"{image.fp.name} has 32 bits per pixel and channel; convert it to 8 or 16 bits")
    image.load()
    if _orientation(image) != 1:  # not before: a png's may lie behind its pixels
        image = ImageOps.exif_transpose(image)
    if image.mode == "I" or image.mode.startswith("I;16"):
        grey = np.asarray(image) >> 8  # the high byte, as Pillow reduces 16-bit colour
        return Picture(grey.astype(np.uint8), icc=icc, notes=notes)
    transparent = "transparency" in image.info or image.mode in ("LA", "PA", "La", "RGBA", "RGBa")
    grey = image.mode in ("1", "L", "LA", "La")
    if image.mode in ("CMYK", "LAB"):
        icc = None  # of the colours that were converted
    mode = ("LA" if transparent else "L") if grey else ("RGBA" if transparent else "RGB")
    if image.mode != mode:
        image = image.convert(mode)
    array = np.asarray(image)
    if not transparent:
        return Picture(array, None, icc, notes)
    pixels = array[:, :, 0] if grey else array[:, :, :3]
    return Picture(np.ascontiguousarray(pixels), np.ascontiguousarray(array[:, :, -1]), icc, notes)
