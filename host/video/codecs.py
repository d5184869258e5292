"""How videos are encoded: what each codec takes, and which files hold it."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import re

from model.base.errors import UserError

DEFAULT = "h264"
LOSSLESS = 0


@dataclasses.dataclass(frozen=True)
class Codec:
    """One of the codecs to choose from.

    Attributes
    ----------
    suffixes : tuple of str
        Of the files that hold it, the usual one first.
    crf : int or None
        The usual rate factor, visually lossless; None where the codec knows none.
    largest_crf : int
    """

    suffixes: tuple
    crf: int | None = None
    largest_crf: int = 0


CODECS = {
    "h264": Codec((".mp4", ".m4v", ".mov", ".mkv"), 17, 51),
    "hevc": Codec((".mp4", ".mov", ".mkv"), 18, 51),
    "av1": Codec((".mp4", ".mkv", ".webm"), 32, 63),
    "ffv1": Codec((".mkv",)),
    "prores": Codec((".mov", ".mkv")),
}
SUFFIXES = tuple(dict.fromkeys(suffix for codec in CODECS.values() for suffix in codec.suffixes))


@dataclasses.dataclass(frozen=True)
class Encoding:
    """An encoder and its settings.

    Attributes
    ----------
    codec : str
        One of `CODECS`.
    encoder : str
        FFmpeg's name.
    pixels : str
        FFmpeg's pixel format.
    options : dict of {str: str}
        Of the encoder.
    rgb : bool
        Frames stay RGB: no colour is converted.
    alpha : bool
        Transparency is kept.
    every_frame_key : bool
        No frame needs another one.
    any_size : bool
        Odd sides are no matter although colour is halved.
    """

    codec: str
    encoder: str
    pixels: str
    options: dict
    rgb: bool = False
    alpha: bool = False
    every_frame_key: bool = False
    any_size: bool = False

    @property
    def suffix(self) -> str:
        """Of the files that usually hold it."""
        return CODECS[self.codec].suffixes[0]

    @property
    def even(self) -> tuple[bool, bool]:
        """Whether height and width have to be even, because colour is halved that way."""
        if self.any_size:
            return False, False
        return self.pixels.startswith("yuv420p"), self.pixels.startswith(("yuv420p", "yuv422p"))


def encoding(codec: str = DEFAULT, crf: int | None = None) -> Encoding:
    """Return the settings of an encoder.

    Parameters
    ----------
    codec : str
        One of `CODECS`.
    crf : int, optional
        The codec's usual one if None. 0 is lossless: RGB as computed, which not every player shows.

    Raises
    ------
    UserError
        A rate factor that the codec does not know.
    """
    limits = CODECS[codec]
    if limits.crf is None:
        if crf is not None:
            raise UserError(
                f"--crf goes with {_with_crf()}; {codec} has one quality, "
                f"{'lossless' if codec == 'ffv1' else 'nearly lossless'}; leave --crf away"
            )
        return _ffv1(False) if codec == "ffv1" else _prores(False)
    crf = limits.crf if crf is None else crf
    if not 0 <= crf <= limits.largest_crf:
        raise UserError(f"--crf {crf} is not in the range of {codec}, 0 to {limits.largest_crf}; choose another one")
    return {"h264": _h264, "hevc": _hevc, "av1": _av1}[codec](crf)


def with_alpha(chosen: Encoding) -> Encoding:
    """Return the encoding that keeps transparency as well, or the same one if its codec cannot."""
    return {"ffv1": _ffv1, "prores": _prores}.get(chosen.codec, lambda alpha: chosen)(True)


def check_suffix(path: pathlib.Path, codec: str) -> None:
    """Raise `UserError` unless a file of this name can hold the codec."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(
            f"cannot write {path}: the output's extension is {path.suffix or 'missing'}; choose {', '.join(SUFFIXES)} "
            f"for a video"
        )
    if suffix not in CODECS[codec].suffixes:
        holding = [name for name in CODECS if suffix in CODECS[name].suffixes]
        raise UserError(
            f"cannot write {path}: {suffix} holds no {codec}; choose {' or '.join(CODECS[codec].suffixes)}, or --codec "
            f"{' or '.join(holding)}"
        )


def codec_for(path: pathlib.Path) -> str:
    """Return the codec for a file's name if none was chosen: H.264, but in a .webm AV1."""
    suffix = path.suffix.lower()
    return next((name for name, codec in CODECS.items() if suffix in codec.suffixes), DEFAULT)


def _with_crf():
    return ", ".join(name for name, codec in CODECS.items() if codec.crf is not None)


def _h264(crf):
    options = {"crf": str(crf)} | _same_bits_again()
    if crf == LOSSLESS:
        return Encoding("h264", "libx264rgb", "rgb24", options, rgb=True)
    return Encoding("h264", "libx264", "yuv420p", options)


def _hevc(crf):
    if crf == LOSSLESS:
        return Encoding("hevc", "libx265", "gbrp", {"x265-params": "log-level=none:lossless=1"}, rgb=True)
    return Encoding("hevc", "libx265", "yuv420p", {"crf": str(crf), "x265-params": "log-level=none"})


def _av1(crf):
    if crf == LOSSLESS:
        raise UserError("--crf 0 is lossless RGB, which av1 is not written in here; choose --codec ffv1, h264 or hevc")
    os.environ.setdefault("SVT_LOG", "-1")  # or the encoder tells its settings on the user's screen
    return Encoding("av1", "libsvtav1", "yuv420p", {"crf": str(crf), "preset": "6"})


def _ffv1(alpha):
    # version 3 has checksums; each frame on its own, so that a damaged one is alone
    pixels = "bgra" if alpha else "bgr0"
    return Encoding("ffv1", "ffv1", pixels, {"level": "3", "slicecrc": "1"}, True, alpha, every_frame_key=True)


def _prores(alpha):
    # profiles: 3 is 422 HQ, 4 is 4444, which has transparency; some programs read files of Apple's own only
    if alpha:
        options = {"profile": "4", "alpha_bits": "16", "vendor": "apl0"}
        return Encoding("prores", "prores_ks", "yuva444p10le", options, alpha=True, every_frame_key=True)
    return Encoding("prores", "prores_ks", "yuv422p10le", {"profile": "3", "vendor": "apl0"}, every_frame_key=True)


@functools.cache
def _same_bits_again():
    """Return the options with which x264 makes the same file of the same frames every time.

    Its AVX-512 code for macroblock trees (`mbtree`) reads memory that nobody has written, and what happens to lie there
    decides over quantisers. Its AVX2 code does not, gives the bits of AVX and SSE4 and is as fast here; without
    macroblock trees five short clips took 19 to 106 % more bytes. `asm` is taken as it is given, so AVX2 has to be
    there.
    """
    try:
        flags = set(re.findall(r"\w+", pathlib.Path("/proc/cpuinfo").read_text()))
    except OSError:
        flags = set()
    return {"x264-params": "asm=AVX2"} if {"avx512bw", "avx2", "fma", "abm", "bmi1", "bmi2"} <= flags else {}
