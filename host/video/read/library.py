"""PyAV (FFmpeg's libraries), which only videos need, and what is said of its errors."""

from __future__ import annotations

import codecs
import importlib
import types
from typing import TYPE_CHECKING

from model.base.errors import UserError

if TYPE_CHECKING:
    from av.container.input import InputContainer
    from av.video.reformatter import Interpolation

_WESTERN = "srcnn-western"  # how Python calls what is done with other bytes than UTF-8's


def import_av() -> types.ModuleType:
    """Return the package `av`, which only videos need."""
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise UserError(
            f"videos need the package av, which cannot be imported here ({error}); install it: pip install av"
        ) from error


def open_to_read(av: types.ModuleType, file: object, *more: object, **options: object) -> InputContainer:
    """Open a video as `av.open` does; tags that are no UTF-8 are taken for Windows' Western ones, as old programs
    write them.
    """
    return av.open(file, *more, metadata_errors=_WESTERN, **options)


def _western(error):
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_WESTERN, _western)


def scaling(av: types.ModuleType) -> Interpolation:
    """How FFmpeg converts between Y, Cb, Cr and RGB: the same bits on every machine."""
    kinds = av.video.reformatter.Interpolation
    return kinds.BICUBIC | kinds.ACCURATE_RND | kinds.FULL_CHR_H_INT | kinds.BITEXACT


def reason(error: OSError) -> str:
    """Say what an error is about."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
