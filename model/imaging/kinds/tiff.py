"""TIFF files in: any layout of samples that says what is white; the rest is refused, nothing is guessed.

Tags, layout of samples, predictor, photometric interpretation and transparency are read here; Pillow's libtiff
decompresses, a strip or tile at a time, as if it were an 8-bit grey picture: so none of its own ideas about colours or
byte order come in between. What cannot be separated from its codec (JPEG, fax) Pillow decodes as a whole.
"""

from __future__ import annotations

import contextlib
import io
import lzma
import os
import sys
import threading
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from model.base.errors import UserError
from model.imaging import tags
from model.imaging.picture import check_samples, to_full_range

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIPS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES, PLANAR, PREDICTOR = 273, 277, 278, 279, 284, 317
COLOUR_MAP, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, INK_SET = 320, 322, 323, 324, 325, 332
EXTRA_SAMPLES, SAMPLE_FORMAT, ORIENTATION, SUBFILE, SUB_DIRECTORIES, DNG = 338, 339, 274, 254, 330, 50706
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
_COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4}
_PHOTOMETRICS = {
    4: "transparency mask", YCBCR: "YCbCr", 8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "colour filter array",
    32844: "LogL", 32845: "LogLuv", 34892: "linear raw",
}  # fmt: skip
NONE, LZW, DEFLATE, OLD_DEFLATE, PACKBITS, LZMA, ZSTD = 1, 5, 8, 32946, 32773, 34925, 50000
_FAX, _JPEG = (2, 3, 4), 7
_CODECS = {
    6: "old JPEG", 9: "JBIG", 10: "JBIG", 34712: "JPEG 2000", 33003: "JPEG 2000", 33005: "JPEG 2000", 34887: "LERC",
    34933: "PNG", 34934: "JPEG XR", 22610: "JPEG XR", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
    32766: "NeXT", 32809: "ThunderScan", 34676: "SGI log",
}  # fmt: skip
_FORMATS = {1: "unsigned", 2: "signed", 3: "floating-point", 4: "unsigned", 5: "complex", 6: "complex"}
_ASSOCIATED, _UNASSOCIATED = 1, 2
_MOST_PAGES = 10000
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Decoded(NamedTuple):
    """What a TIFF holds.

    Attributes
    ----------
    pixels : ndarray of uint8 or uint16, (H, W) or (H, W, 3)
        Grey, RGB, or (H, W, 4): cyan, magenta, yellow and black.
    alpha : ndarray of the same dtype, (H, W), or None
    directory : model.imaging.tags.Directory
    notes : tuple of str
    """

    pixels: np.ndarray
    alpha: np.ndarray
    directory: tags.Directory
    notes: tuple


def size(name: str, data: bytes) -> tuple[int, int]:
    """Return width and height of the picture that `read` decodes; parameters and errors as there."""
    directory, _, _ = _choose(name, data)
    width, height = directory.number(WIDTH, 0), directory.number(HEIGHT, 0)
    if min(width, height) < 1:
        raise ValueError("no width or height")
    return width, height


def channels(name: str, data: bytes) -> tuple[int, int]:
    """Return channels and bytes per sample of what `read` decodes: of grey or RGB, with transparency or without."""
    directory, _, _ = _choose(name, data)
    grey = directory.number(PHOTOMETRIC) in (WHITE_IS_ZERO, BLACK_IS_ZERO)
    count = (1 if grey else 3) + any(kind in (_ASSOCIATED, _UNASSOCIATED) for kind in directory.values(EXTRA_SAMPLES))
    return count, 2 if directory.number(BITS, 1) > 8 else 1


def read(name: str, data: bytes) -> Decoded:
    """Decode the first picture of a TIFF file (not a thumbnail, if there is another).

    Parameters
    ----------
    name : str
        For errors.
    data : bytes, or mmap
        The file.

    Raises
    ------
    UserError
        What it holds is not understood.
    ValueError, OSError, zlib.error, lzma.LZMAError
        It is damaged.
    """
    directory, count, index = _choose(name, data)
    layout = _Layout(name, directory)
    notes = [] if count == 1 else [f"{count} pages or frames: the first one is taken"]
    if layout.whole:
        samples = _by_pillow(data, index, layout)
    else:
        samples = _assemble(data, layout)
    if layout.photometric == PALETTE:
        return Decoded(_look_up(samples[:, :, 0], directory, layout), None, directory, tuple(notes))
    samples = to_full_range(samples, (1 << layout.bits) - 1)
    white = np.iinfo(samples.dtype).max
    colours = layout.colours
    pixels = samples[:, :, 0] if colours == 1 else samples[:, :, :colours]
    if layout.photometric == WHITE_IS_ZERO and not layout.whole:
        pixels = white - pixels
    alpha = None
    if layout.alpha is not None:
        alpha = np.ascontiguousarray(samples[:, :, layout.alpha[0]])
        if layout.alpha[1] == _ASSOCIATED:
            pixels = divide_by_alpha(pixels, alpha)
    if samples.shape[2] > colours + (alpha is not None):
        notes.append("further channels, whose meaning the file does not say, are dropped")
    return Decoded(np.ascontiguousarray(pixels), alpha, directory, tuple(notes))


def divide_by_alpha(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Undo the multiplication of colours with their transparency: rounded, and nothing where alpha is 0.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (H, W) or (H, W, C)
    alpha : ndarray of the same dtype, shape (H, W)
    """
    white = np.iinfo(pixels.dtype).max
    by = alpha.astype(np.uint64).reshape(alpha.shape + (1,) * (pixels.ndim - 2))
    straight = (2 * white * pixels.astype(np.uint64) + by) // np.maximum(2 * by, 1)
    return np.where(by == 0, 0, np.minimum(straight, white)).astype(pixels.dtype)


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep what C libraries write to the process's standard error off the user's screen."""
    with _quiet:
        try:
            sys.stderr.flush()
            before, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        except (OSError, ValueError, AttributeError):  # no standard error at all
            yield
            return
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            os.close(nowhere)


_quiet = threading.Lock()


class _Layout:
    """How samples lie in the file, checked."""

    def __init__(self, name, directory):
        get = directory.number
        self.width, self.height, self.order = get(WIDTH), get(HEIGHT), directory.order
        self.samples = get(SAMPLES, 1)
        bits = directory.values(BITS, (1,) * self.samples)
        formats = directory.values(SAMPLE_FORMAT, (1,))
        self.bits, self.compression, self.predictor = bits[0], get(COMPRESSION, NONE), get(PREDICTOR, 1)
        self.photometric, self.planar = get(PHOTOMETRIC), get(PLANAR, 1) == 2
        self.fill_reversed = get(FILL_ORDER, 1) == 2
        if len(set(bits)) > 1 or len(set(formats)) > 1:
            raise UserError(f"{name} has channels of different kinds; convert it to 8 or 16 bits per channel")
        check_samples(name, self.bits, _FORMATS.get(formats[0], "unknown"))
        if self.compression in _CODECS or self.compression not in (
            NONE, LZW, DEFLATE, OLD_DEFLATE, PACKBITS, LZMA, ZSTD, _JPEG, *_FAX,
        ):  # fmt: skip
            codec = _CODECS.get(self.compression, f"method {self.compression}")
            raise UserError(f"{name} is compressed by {codec}, which is not read here; save it with LZW or deflate")
        self.whole = self.compression in (_JPEG, *_FAX)
        if self.whole:
            self._check_whole(name)
        if self.photometric not in _COLOURS and not self.whole:
            what = _PHOTOMETRICS.get(self.photometric, f"photometric interpretation {self.photometric}")
            raise UserError(f"{name} holds {what} samples, which are not read here; convert it to grey or RGB")
        self.colours = 3 if self.photometric == YCBCR else _COLOURS[self.photometric]
        if self.samples < self.colours:
            raise ValueError(f"{self.samples} channels where {self.colours} are needed")
        if self.photometric == CMYK and (get(INK_SET, 1) != 1 or self.bits not in (8, 16)):
            raise UserError(f"{name} holds inks other than 8- or 16-bit CMYK; convert it to RGB")
        if self.photometric == PALETTE and COLOUR_MAP not in directory:
            raise ValueError("a palette is missing")
        if self.predictor not in (1, 2) or (self.predictor == 2 and self.bits not in (8, 16)):
            raise UserError(f"{name} has a predictor ({self.predictor}) for other samples than its own; save it again")
        extra = directory.values(EXTRA_SAMPLES)[: self.samples - self.colours]
        kinds = [(self.colours + i, kind) for i, kind in enumerate(extra) if kind in (_ASSOCIATED, _UNASSOCIATED)]
        self.alpha = kinds[0] if kinds and self.photometric != PALETTE else None
        self._chunks(directory)

    def _check_whole(self, name):
        grey = self.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO) and self.samples == 1
        if self.compression == _JPEG:
            fits = self.bits == 8 and (grey or (self.photometric in (RGB, YCBCR) and self.samples == 3))
            fits = fits and not self.planar and self.photometric != WHITE_IS_ZERO and self.predictor == 1
        else:
            fits = grey and self.bits == 1
        if not fits:
            codec = "JPEG" if self.compression == _JPEG else "a fax codec"
            raise UserError(
                f"{name} has a layout of samples that is not read when compressed by {codec}; save it with LZW"
            )

    def _chunks(self, directory):
        tiled = TILES in directory
        self.chunk_width = directory.number(TILE_WIDTH, 0) if tiled else self.width
        rows = directory.number(TILE_HEIGHT, 0) if tiled else directory.number(ROWS_PER_STRIP, self.height)
        self.chunk_height = rows if tiled else min(rows, self.height)
        if min(self.chunk_width, self.chunk_height) < 1 or self.chunk_width * self.chunk_height > 1 << 31:
            raise ValueError("tiles of no size")
        self.tiled = tiled
        self.offsets = directory.values(TILES if tiled else STRIPS)
        self.lengths = directory.values(TILE_BYTES if tiled else STRIP_BYTES)
        self.channels = 1 if self.planar else self.samples  # of a chunk
        across, down = -(-self.width // self.chunk_width), -(-self.height // self.chunk_height)
        count = across * down * (self.samples if self.planar else 1)
        if len(self.offsets) < count or (len(self.lengths) < count and not self.whole):
            raise ValueError("strips or tiles are missing")
        self.across, self.down = across, down

    def row_bytes(self):
        return (self.chunk_width * self.channels * self.bits + 7) // 8


def _choose(name, data):
    """Return the directory of the first full-size picture, how many there are, and its index."""
    order, big, at = tags.read_header(data)
    pages, seen = [], set()
    while at and at not in seen and len(pages) < _MOST_PAGES:
        seen.add(at)
        try:
            pages.append(tags.read_directory(data, at, order, big))
        except tags.DamagedTags:
            if not pages:
                raise
            break
        at = pages[-1].following
    full = [i for i, page in enumerate(pages) if not page.number(SUBFILE, 0) & 1]
    if DNG in pages[0] or (not full and SUB_DIRECTORIES in pages[0]):
        raise UserError(f"{name} is a camera's raw file; develop it into a tif, png or jpg")
    index = full[0] if full else 0
    return pages[index], max(1, len(full)), index


def _assemble(data, layout):
    """Return all samples, uint8 or uint16 (H, W, samples), from the strips or tiles."""
    dtype = np.uint8 if layout.bits <= 8 else np.uint16
    out = np.empty((layout.height, layout.width, layout.samples), dtype)
    index = 0
    for plane in range(layout.samples if layout.planar else 1):
        for row in range(layout.down):
            for column in range(layout.across):
                top, left = row * layout.chunk_height, column * layout.chunk_width
                height = min(layout.chunk_height, layout.height - top)
                width = min(layout.chunk_width, layout.width - left)
                # a tile at the edge is stored whole, a strip ends with the picture
                chunk = _chunk(data, layout, index, layout.chunk_height if layout.tiled else height)
                place = out[top : top + height, left : left + width]
                if layout.planar:
                    place[:, :, plane] = chunk[:height, :width, 0]
                else:
                    place[:] = chunk[:height, :width]
                index += 1
    return out


def _chunk(data, layout, index, rows):
    """Return the samples of a strip or tile, (rows, chunk width, channels)."""
    row_bytes = layout.row_bytes()
    at, length = layout.offsets[index], layout.lengths[index]
    stored = data[at : at + length]
    if not length or len(stored) < length:
        raise ValueError("a strip or tile lies outside of the file")
    if layout.fill_reversed:
        stored = bytes(stored).translate(_REVERSED)
    raw = _decompress(stored, layout.compression, row_bytes, rows)
    if len(raw) < row_bytes * rows:
        raise ValueError("a strip or tile is cut short")
    raw = np.frombuffer(raw, np.uint8, row_bytes * rows).reshape(rows, row_bytes)
    shape = rows, layout.chunk_width, layout.channels
    if layout.bits == 8:
        samples = raw.reshape(shape)
    elif layout.bits == 16:
        samples = raw.view(layout.order + "u2").astype(np.uint16).reshape(shape)
    else:
        samples = _unpack(raw, layout.bits, layout.chunk_width * layout.channels).reshape(shape)
    if layout.predictor == 2:
        samples = np.cumsum(samples, axis=1, dtype=samples.dtype)  # wraps, as differences did
    return samples


def _unpack(raw, bits, count):
    """Return `count` samples of `bits` bits a row, the first bit first, of bytes (rows, row_bytes)."""
    out = np.zeros((len(raw), count), np.uint8 if bits <= 8 else np.uint16)
    for top in range(0, len(raw), 64):  # bits take eight times the memory
        loose = np.unpackbits(raw[top : top + 64], axis=1, count=count * bits).reshape(-1, count, bits)
        for bit in range(bits):
            out[top : top + 64] |= loose[:, :, bit].astype(out.dtype) << (bits - 1 - bit)
    return out


def _decompress(stored, compression, row_bytes, rows):
    if compression == NONE:
        return stored
    if compression in (DEFLATE, OLD_DEFLATE):
        return zlib.decompressobj().decompress(stored, row_bytes * rows)
    if compression == LZMA:
        return lzma.LZMADecompressor().decompress(stored, row_bytes * rows)
    # the strip alone, as a grey picture of bytes
    directory = tags.Directory()
    for tag, number in {
        WIDTH: row_bytes, HEIGHT: rows, BITS: 8, COMPRESSION: compression, PHOTOMETRIC: BLACK_IS_ZERO, SAMPLES: 1,
        ROWS_PER_STRIP: rows, STRIP_BYTES: len(stored), STRIPS: 8,
    }.items():  # fmt: skip
        directory.put(tag, tags.LONG if number > 65535 else tags.SHORT, number)
    at = 8 + len(stored) + len(stored) % 2
    file = tags.header("<", at) + bytes(stored) + b"\0" * (len(stored) % 2) + tags.pack(directory, at)
    with quiet_libraries(), Image.open(io.BytesIO(file), formats=["TIFF"]) as image:
        return image.tobytes()


def _by_pillow(data, index, layout):
    """Return the samples of a page whose codec knows their layout."""
    with quiet_libraries(), Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        image.seek(index)
        if image.mode not in ("1", "L", "RGB"):
            raise ValueError(f"decoded as {image.mode}")
        image.load()
        array = np.asarray(image)
    if layout.bits == 1:
        array = array.astype(np.uint8)  # Pillow knows which of the two is white
    if array.shape[:2] != (layout.height, layout.width):
        raise ValueError("decoded to another size")
    return array.reshape(*array.shape[:2], -1)


def _look_up(indexes, directory, layout):
    """Return RGB of a palette's indexes."""
    entries = np.array(directory.values(COLOUR_MAP), np.uint16)
    if len(entries) != 3 << layout.bits:
        raise ValueError("a palette of another length")
    table = entries.reshape(3, -1).T
    if table.max() < 256:  # some programs write bytes where 16 bits are meant
        return table.astype(np.uint8)[indexes]
    return (table >> 8).astype(np.uint8)[indexes]  # the upper byte: writers multiply by 256 or by 257
